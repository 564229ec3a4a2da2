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
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from humor_ros.pipeline import TrackingPipeline
from humor_ros.ros.configuration import pipeline_config
from humor_ros.ros.diagnostics import diagnostic_array
from humor_ros.ros.frame_names import FrameNames
from humor_ros.ros.inertial_status import calibration_parameters
from humor_ros.ros.log_bridge import LogBridge
from humor_ros.ros.outputs import Outputs
from humor_ros.ros.parameter_spec import declare_all, read_all, refusal_callback
from humor_ros.ros.parameters import TRACKER_PARAMETERS
from humor_ros.ros.qos import output_qos
from humor_ros.ros.reports import Reporter
from humor_ros.ros.shutdown import StopSignal, initialise, spin_until_stopped
from humor_ros.ros.tracker_inputs import TrackerInputs
from humor_ros.ros.tracker_status import active_snapshot, idle_snapshot, motion_status
from humor_ros.ros.tracking_worker import Pipeline, TrackingWorker

__all__ = ["TrackerNode", "main"]

PipelineFactory = Callable[[Mapping[str, Any]], Pipeline]


def make_pipeline(values: Mapping[str, Any]) -> Pipeline:
    """The real pipeline from the node's parameters.

    Raises:
        ValueError, OSError: naming the parameter or file that is wrong.
    """
    torch.set_num_threads(values["threads"])
    pipeline = TrackingPipeline(pipeline_config(values), timer=time.perf_counter)
    pipeline.warm_up()
    return pipeline


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
        self._inputs: TrackerInputs | None = None
        self._worker: TrackingWorker | None = None
        self._troubles = 0
        self._told_calibration = False
        self._failure = ""
        declare_all(self, TRACKER_PARAMETERS)
        self.add_on_set_parameters_callback(
            refusal_callback(TRACKER_PARAMETERS, lambda: bool(self._values))
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", output_qos())
        self._timer = self.create_timer(1.0, self._each_second)

    @property
    def autostart(self) -> bool:
        """Whether the program configures and activates the node by itself."""
        return bool(self.get_parameter("autostart").value)

    def start(self) -> bool:
        """Configure and activate; False, with the reason logged, when that fails."""
        if self.trigger_configure() is not TransitionCallbackReturn.SUCCESS:
            return False
        return self.trigger_activate() is TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """End the worker, wipe what is shown, give everything back; may be called twice."""
        self._halt()
        if self._outputs is not None:
            self._outputs.clear()
        self._free()

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
        """Start the worker and subscribe."""
        if self._pipeline is None or self._outputs is None:
            return TransitionCallbackReturn.FAILURE
        values = self._values
        self._inputs = TrackerInputs(self, values, self._reporter)
        self._worker = TrackingWorker(
            self._pipeline,
            self._inputs,
            FrameNames(values["camera_frame"], values["tf.world_frame"], self._reporter),
            self._outputs,
            self._reporter,
        )
        self._refresh_dynamic_parameters()
        # What is loaded by now lives as long as the node; the collector need not walk it.
        gc.collect()
        gc.freeze()
        self._worker.start()
        self._inputs.subscribe()
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

    # Parts

    def _halt(self) -> None:
        if self._inputs is not None:
            self._inputs.unsubscribe()
        if self._worker is not None and not self._worker.stop():
            self.get_logger().error("the worker did not end within 5 s; its image is abandoned")
        if self._inputs is not None:
            self._inputs.close()
        self._worker = self._inputs = None

    def _free(self) -> None:
        if self._outputs is not None:
            self._outputs.close()
        self._outputs = None
        if self._pipeline is not None:
            self._pipeline.close()
        self._pipeline = None
        self._values = {}
        gc.unfreeze()
        gc.collect()

    def _age_of(self, stamp_s: float) -> float:
        return self.get_clock().now().nanoseconds * 1e-9 - stamp_s

    def _refresh_dynamic_parameters(self) -> None:
        """Hand parameters that may change at any time on."""
        if self._worker is None or self._outputs is None:
            return
        self._worker.imu_wait_s = self.get_parameter("imu.wait").value
        self._worker.pose_wait_s = self.get_parameter("camera_pose.wait").value
        self._outputs.contact_threshold = self.get_parameter("contact_threshold").value
        self._outputs.trajectory_s = self.get_parameter("markers.trajectory").value

    def _each_second(self) -> None:
        self._refresh_dynamic_parameters()
        troubles = self._reporter.counters
        name = self.get_fully_qualified_name()
        further = []
        if self._worker is None or self._inputs is None:
            now = idle_snapshot(troubles, self._failure)
        else:
            self._inputs.listen_while_needed()
            now = active_snapshot(self._worker, self._inputs, self._values, troubles)
            further = [motion_status(name, self._worker, self._inputs, self._values)]
            self._tell_calibration(self._worker)
        total = sum(troubles.values())
        stamp = self.get_clock().now().to_msg()
        new = total - self._troubles
        self._diagnostics.publish(diagnostic_array(name, stamp, now, new, further))
        self._troubles = total

    def _tell_calibration(self, worker: TrackingWorker) -> None:
        """Log what self-calibration found, once, as parameters to copy."""
        state = worker.inertial_state
        if self._told_calibration or state is None:
            return
        found = calibration_parameters(state, self._values)
        if found is not None:
            self._told_calibration = True
            self.get_logger().info(
                f"self-calibration of the IMU is confident; to start with it next time: {found}"
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
