"""The lifecycle node ``tracker``: images and IMU in, people out.

Parameters are declared on construction, read (and the models loaded) by configure; activate
subscribes and starts the worker; deactivate stops it and empties the outputs; clean-up frees the
models. A transition that fails says why and leaves the node where it was.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
import torch
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu

from humor_ros.pipeline import TrackingPipeline
from humor_ros.ros import image_door, rep155, rotation_door, tf_door
from humor_ros.ros.camera_input import CameraInput
from humor_ros.ros.camera_pose_input import CameraPoseInput
from humor_ros.ros.configuration import pipeline_config
from humor_ros.ros.diagnostics import Snapshot, diagnostic_array
from humor_ros.ros.frame_names import FrameNames
from humor_ros.ros.frame_queue import NewestFrame
from humor_ros.ros.imu_input import ImuInput
from humor_ros.ros.log_bridge import LogBridge
from humor_ros.ros.outputs import Outputs
from humor_ros.ros.parameter_spec import declare_all, read_all, refusal_callback
from humor_ros.ros.parameters import TRACKER_PARAMETERS
from humor_ros.ros.qos import camera_info_qos, image_qos, imu_qos, output_qos
from humor_ros.ros.reports import Reporter
from humor_ros.ros.shutdown import StopSignal, initialise, spin_until_stopped
from humor_ros.ros.tracking_worker import Pipeline, TrackingWorker

__all__ = ["TrackerNode", "main"]

PipelineFactory = Callable[[Mapping[str, Any]], Pipeline]


def make_pipeline(values: Mapping[str, Any]) -> Pipeline:
    """The real pipeline from the node's parameters.

    Raises:
        ValueError, OSError: naming the parameter or file that is wrong.
    """
    torch.set_num_threads(values["threads"])
    return TrackingPipeline(pipeline_config(values), timer=time.perf_counter)


class TrackerNode(LifecycleNode):
    """See the module.

    Args:
        pipeline_factory: makes the pipeline from the parameters (tests give their own).
        name: of the node.
        **node_arguments: for :class:`rclpy.node.Node`.
    """

    def __init__(
        self,
        pipeline_factory: PipelineFactory = make_pipeline,
        name: str = "tracker",
        **node_arguments: Any,
    ) -> None:
        super().__init__(name, **node_arguments)
        self._factory = pipeline_factory
        self._reporter = Reporter(self.get_logger())
        self._values: dict[str, Any] = {}
        self._pipeline: Pipeline | None = None
        self._outputs: Outputs | None = None
        self._worker: TrackingWorker | None = None
        self._frames: NewestFrame[Image | CompressedImage] = NewestFrame()
        self._camera = self._new_camera_input({})
        self._imu: ImuInput | None = None
        self._poses: CameraPoseInput | None = None
        self._listener: tf_door.TransformListener | None = None
        self._inputs: list[Any] = []
        self._image_at_s = float("-inf")
        self._troubles = 0
        self._failure = ""
        declare_all(self, TRACKER_PARAMETERS)
        self.add_on_set_parameters_callback(
            refusal_callback(TRACKER_PARAMETERS, lambda: bool(self._values))
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", output_qos())
        self._timer = self.create_timer(1.0, self._on_diagnostics)

    @property
    def autostart(self) -> bool:
        """Whether the program configures and activates the node by itself."""
        return bool(self.get_parameter("autostart").value)

    def start(self) -> bool:
        """Configure and activate; False, with the reason logged, when that fails."""
        if self.trigger_configure() is not TransitionCallbackReturn.SUCCESS:
            return False
        return self.trigger_activate() is TransitionCallbackReturn.SUCCESS

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, load the models, make the publishers."""
        started_s = time.monotonic()
        try:
            values = read_all(self, TRACKER_PARAMETERS)
            self._pipeline = self._factory(values)
        except Exception as error:  # whatever a user's file holds, the node lives to say so
            self._failure = f"{type(error).__name__}: {error}"
            self.get_logger().error(
                f"cannot configure: {self._failure}. The node stays unconfigured; correct this "
                "and configure it again"
            )
            return TransitionCallbackReturn.FAILURE
        self._failure = ""
        self._values = values
        self._outputs = Outputs(self, values, self._age_of)
        self.get_logger().info(f"configured in {time.monotonic() - started_s:.1f} s")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and start the worker."""
        if self._pipeline is None or self._outputs is None:
            return TransitionCallbackReturn.FAILURE
        values = self._values
        self._frames = NewestFrame()
        self._camera = self._new_camera_input(values)
        self._open_inertial_inputs(values)
        self._worker = TrackingWorker(
            self._pipeline,
            self._frames,
            self._camera,
            self._imu,
            self._poses,
            FrameNames(values["camera_frame"], values["tf.world_frame"], self._reporter),
            self._outputs,
            self._reporter,
            self._on_clock_reset,
        )
        self._refresh_dynamic_parameters()
        self._worker.start()
        self._subscribe(values)
        # What is loaded by now lives as long as the node; the collector need not walk it.
        gc.collect()
        gc.freeze()
        self.get_logger().info("active, waiting for images")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the worker, unsubscribe, tell subscribers that there is nobody."""
        self._halt()
        if self._outputs is not None:
            self._outputs.clear()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the models and the publishers."""
        self._free()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End from any state."""
        self._halt()
        self._free()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to unconfigured."""
        self._halt()
        self._free()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """End the worker, wipe what is shown, give everything back; may be called twice."""
        self._halt()
        if self._outputs is not None:
            self._outputs.clear()
        self._free()

    # Inputs

    def _open_inertial_inputs(self, values: Mapping[str, Any]) -> None:
        asks_mounting = values["imu.enabled"] and values["imu.extrinsics"] == "tf"
        source = values["camera_pose.source"]
        if asks_mounting or source != "none":
            self._listener = tf_door.make_listener(self)
        if values["imu.enabled"]:
            listener = self._listener if asks_mounting else None
            self._imu = ImuInput(self._reporter, listener, values["imu.time_offset"])
        if source != "none" and self._listener is not None:
            self._poses = CameraPoseInput(
                source, values["camera_pose.world_frame"], self._listener, self._reporter
            )

    def _new_camera_input(self, values: Mapping[str, Any]) -> CameraInput:
        return CameraInput(
            self._reporter,
            assume=values.get("assume_camera", True),
            timeout_s=values.get("camera_info_timeout", 0.0),
        )

    def _subscribe(self, values: Mapping[str, Any]) -> None:
        kind, topic = (
            (CompressedImage, "image/compressed") if values["compressed"] else (Image, "image")
        )
        self._inputs = [
            self.create_subscription(kind, topic, self._on_image, image_qos()),
            self.create_subscription(
                CameraInfo, "camera_info", self._camera.offer, camera_info_qos()
            ),
        ]
        if self._imu is not None:
            self._inputs.append(self.create_subscription(Imu, "imu", self._imu.put, imu_qos()))
        if self._poses is not None and values["camera_pose.source"] == "odom":
            self._inputs.append(
                self.create_subscription(Odometry, "odom", self._poses.put, imu_qos())
            )

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._image_at_s = time.monotonic()
        self._frames.put(message)

    def _on_clock_reset(self) -> None:
        if self._listener is not None:
            self._listener.clear()

    def _refresh_dynamic_parameters(self) -> None:
        """Hand parameters that may change at any time on, once a second."""
        if self._worker is None or self._outputs is None:
            return
        self._worker.imu_wait_s = self.get_parameter("imu.wait").value
        self._worker.pose_wait_s = self.get_parameter("camera_pose.wait").value
        self._outputs.contact_threshold = self.get_parameter("contact_threshold").value
        self._outputs.trajectory_s = self.get_parameter("markers.trajectory").value

    # End

    def _halt(self) -> None:
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._worker is not None and not self._worker.stop():
            self.get_logger().error("the worker did not end within 5 s; its image is abandoned")
        self._worker = None
        if self._listener is not None:
            self._listener.close()
        self._listener = self._imu = self._poses = None
        self._image_at_s = float("-inf")

    def _free(self) -> None:
        if self._outputs is not None:
            self._outputs.close()
        self._outputs = None
        self._pipeline = None
        self._values = {}
        gc.unfreeze()
        gc.collect()

    # Diagnostics

    def _age_of(self, stamp_s: float) -> float:
        return self.get_clock().now().nanoseconds * 1e-9 - stamp_s

    def _on_diagnostics(self) -> None:
        self._listen_while_needed()
        self._refresh_dynamic_parameters()
        troubles = self._reporter.counters
        total = sum(troubles.values())
        now = self._snapshot(troubles)
        self._diagnostics.publish(
            diagnostic_array(
                self.get_fully_qualified_name(),
                self.get_clock().now().to_msg(),
                now,
                total - self._troubles,
            )
        )
        self._troubles = total

    def _listen_while_needed(self) -> None:
        """People's own frames come by on ``/tf`` too: nobody listens who has what it needs."""
        if self._poses is not None or self._imu is None:
            return
        if self._imu.needs_transforms and self._listener is None:
            self._listener = tf_door.make_listener(self)
            self._imu.use(self._listener)
        elif not self._imu.needs_transforms and self._listener is not None:
            self._imu.use(None)
            self._listener.close()
            self._listener = None

    def _snapshot(self, troubles: Mapping[str, int]) -> Snapshot:
        worker, now_s = self._worker, time.monotonic()
        if worker is None:
            facts = {"failure": self._failure} if self._failure else {}
            return Snapshot(
                active=False,
                frames={},
                image_age_s=float("inf"),
                camera="unknown",
                camera_mode="",
                people=0,
                imu_age_s=float("inf"),
                imu_expected=False,
                pose_age_s=float("inf"),
                pose_expected=False,
                totals={},
                troubles=troubles,
                facts=facts,
            )
        result = worker.last_result
        totals = {
            "images_received": self._frames.received,
            "images_processed": worker.times.processed,
            "images_dropped": self._frames.replaced,
            "images_skipped": worker.skipped,
            "images_without_closing_imu": worker.imu_late,
        }
        if self._imu is not None:
            totals["imu_received"] = self._imu.received
            totals["imu_overflowed"] = self._imu.overflowed
        return Snapshot(
            active=True,
            frames=worker.times.summary(now_s),
            image_age_s=now_s - self._image_at_s,
            camera=self._camera.status.value,
            camera_mode=result.camera.mode.value if result else "",
            people=len(result.humans) if result else 0,
            imu_age_s=worker.imu_age_s,
            imu_expected=self._imu is not None,
            pose_age_s=self._poses.age_s if self._poses is not None else float("inf"),
            pose_expected=self._poses is not None,
            totals=totals,
            troubles={**worker.counters, **troubles},
            facts={
                "device": "cpu",
                "detector": self._values["detector.kind"],
                "weights": self._values["weights_path"] or "packaged",
                "body": self._values["body_path"] or "packaged",
                "threads": str(self._values["threads"]),
                "tf": tf_door.BACKEND,
                "image_decoder": image_door.BACKEND,
                "rotations": rotation_door.BACKEND,
                "hri_msgs": "yes" if rep155.HAS_HRI_MSGS else "no (roi, skeleton2d, tracked off)",
            },
        )


def main(args: list[str] | None = None) -> None:
    """Run the node until SIGINT or SIGTERM."""
    with StopSignal() as stop:
        initialise(args)
        try:
            node = TrackerNode()
        except ParameterException as error:
            rclpy.logging.get_logger("tracker").error(f"cannot start: {error}")
            rclpy.try_shutdown()
            raise SystemExit(2) from error
        bridge = LogBridge(node.get_logger())
        bridge.install()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if node.autostart:
            node.start()
        spin_until_stopped(executor, stop)
        node.close()
        bridge.remove()
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
