"""The lifecycle node ``tracker``: images and IMU in, people out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray

from humor_ros.pipeline import TrackingPipeline
from humor_ros.ros.configuration import pipeline_config
from humor_ros.ros.diagnostics import diagnostic_array
from humor_ros.ros.frame_names import FrameNames
from humor_ros.ros.inertial_status import calibration_parameters
from humor_ros.ros.managed_node import ManagedNode, run_node
from humor_ros.ros.outputs import Outputs
from humor_ros.ros.parameters import TRACKER_PARAMETERS
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


class TrackerNode(ManagedNode):
    """See the module.

    Args:
        pipeline_factory: makes the pipeline from the parameters (tests give their own).
        name: of the node.
        **node_arguments: for :class:`rclpy.node.Node`.
    """

    _outputs: Outputs | None

    def __init__(
        self,
        pipeline_factory: PipelineFactory = make_pipeline,
        name: str = "tracker",
        **node_arguments: Any,
    ) -> None:
        self._factory = pipeline_factory
        self._pipeline: Pipeline | None = None
        self._inputs: TrackerInputs | None = None
        self._worker: TrackingWorker | None = None
        self._troubles = 0
        self._told_calibration = False
        super().__init__(name, TRACKER_PARAMETERS, **node_arguments)

    def _load(self, values: Mapping[str, Any]) -> None:
        self._pipeline = self._factory(values)

    def _make_outputs(self, values: Mapping[str, Any]) -> Outputs:
        return Outputs(self, values, self._age_of)

    def _begin(self) -> str:
        values = self._values
        self._inputs = TrackerInputs(self, values, self._reporter)
        self._worker = TrackingWorker(
            self._pipeline,
            self._inputs,
            FrameNames(values["camera_frame"], values["tf.world_frame"], self._reporter),
            self._outputs,
            self._reporter,
        )
        self._refresh()
        self._worker.start()
        self._inputs.subscribe()
        return "images"

    def _halt(self) -> None:
        if self._inputs is not None:
            self._inputs.unsubscribe()
        if self._worker is not None and not self._worker.stop():
            self.get_logger().error("the worker did not end within 5 s; its image is abandoned")
        if self._inputs is not None:
            self._inputs.close()
        self._worker = self._inputs = None

    def _unload(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
        self._pipeline = None

    def _refresh(self) -> None:
        if self._outputs is not None:
            self._outputs.tidy()
        if self._worker is None or self._outputs is None:
            return
        self._worker.imu_wait_s = self.get_parameter("imu.wait").value
        self._worker.pose_wait_s = self.get_parameter("camera_pose.wait").value
        self._outputs.contact_threshold = self.get_parameter("contact_threshold").value
        self._outputs.trajectory_s = self.get_parameter("markers.trajectory").value

    def _report(self) -> DiagnosticArray:
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
        new, self._troubles = total - self._troubles, total
        return diagnostic_array(name, self.get_clock().now().to_msg(), now, new, further)

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
    run_node(TrackerNode, "tracker", args)


if __name__ == "__main__":
    main()
