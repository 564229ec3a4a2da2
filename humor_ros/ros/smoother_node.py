"""The lifecycle node ``smoother``: the tracker's people in, refined people and forecasts out.

It runs in a process of its own and at a lower priority, reads the tracker's ``humans`` and the
camera's calibration, and publishes under names of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CameraInfo

from humor_ros.body import BodyModel
from humor_ros.humor.models import PACKAGED_WEIGHTS
from humor_ros.humor.online import OnlineSmoother
from humor_ros.humor.outlook import Outlook
from humor_ros.humor.weights import load_network
from humor_ros.msg import HumanStates
from humor_ros.priorities import give_way
from humor_ros.ros.camera_input import CameraInput
from humor_ros.ros.configuration import existing_path
from humor_ros.ros.managed_node import ManagedNode, run_node
from humor_ros.ros.qos import camera_info_qos, results_qos
from humor_ros.ros.smoother_input import SmootherInput
from humor_ros.ros.smoother_outputs import SmootherOutputs
from humor_ros.ros.smoother_parameters import SMOOTHER_PARAMETERS, online_config, outlook_config
from humor_ros.ros.smoother_status import SmootherStatus
from humor_ros.ros.smoother_worker import SmootherWorker

__all__ = ["SmootherNode", "SmootherParts", "main", "make_parts"]

#: The tracker's people, relative to the namespace; remap it for another tracker.
HUMANS_TOPIC = "tracker/humans"


@dataclass(frozen=True)
class SmootherParts:
    """What configure makes of the parameters.

    Attributes:
        smoother: of people.
        outlook: forecasts; None without them.
    """

    smoother: OnlineSmoother
    outlook: Outlook | None


def make_parts(values: Mapping[str, Any]) -> SmootherParts:
    """Load prior and body.

    Args:
        values: parameters by name.

    Raises:
        ValueError, OSError: naming the parameter or file that is wrong.
    """
    torch.set_num_threads(values["threads"])
    config = online_config(values)
    weights = existing_path(values, "weights_path", folders=False) or PACKAGED_WEIGHTS
    network = load_network(weights).requires_grad_(False)
    body = BodyModel.load(existing_path(values, "body_path", folders=False))
    outlook = Outlook(network, body, outlook_config(values)) if values["forecast.enabled"] else None
    return SmootherParts(OnlineSmoother(network, body, config), outlook)


class SmootherNode(ManagedNode):
    """See the module.

    Args:
        parts_factory: loads prior and body (tests give their own).
        name: of the node.
        **node_arguments: for :class:`rclpy.node.Node`.
    """

    _outputs: SmootherOutputs | None

    def __init__(
        self,
        parts_factory: Callable[[Mapping[str, Any]], SmootherParts] = make_parts,
        name: str = "smoother",
        **node_arguments: Any,
    ) -> None:
        self._factory = parts_factory
        self._parts: SmootherParts | None = None
        self._worker: SmootherWorker | None = None
        self._inputs: list[Any] = []
        self._lowered = "nothing"
        super().__init__(name, SMOOTHER_PARAMETERS, **node_arguments)
        self._status = SmootherStatus(self.get_fully_qualified_name())

    def enter_program(self) -> None:
        """Messages, too, give way to the tracker; the solver's thread gives way to them."""
        self._lowered = give_way(self.get_parameter("niceness").value)

    def _load(self, values: Mapping[str, Any]) -> None:
        self._parts = self._factory(values)

    def _make_outputs(self, values: Mapping[str, Any]) -> SmootherOutputs:
        return SmootherOutputs(self, values, self._age_of)

    def _begin(self) -> str:
        values = self._values
        camera = CameraInput(
            self._reporter,
            assume=values["assume_camera"],
            timeout_s=values["camera_info_timeout"],
        )
        self._worker = SmootherWorker(
            self._parts.smoother,
            self._parts.outlook,
            SmootherInput(camera, self._reporter),
            self._outputs,
            self._reporter,
            values,
        )
        self._worker.start()
        subscribe = self.create_subscription
        self._inputs = [
            subscribe(HumanStates, HUMANS_TOPIC, self._worker.queue.put, results_qos()),
            subscribe(CameraInfo, "camera_info", camera.offer, camera_info_qos()),
        ]
        return f"people on {self._inputs[0].topic_name}"

    def _halt(self) -> None:
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._worker is not None and not self._worker.stop():
            self.get_logger().error("a thread did not end within 10 s; its work is abandoned")
        self._worker = None
        if self._parts is not None:
            self._parts.smoother.reset()

    def _unload(self) -> None:
        self._parts = None

    def _refresh(self) -> None:
        if self._outputs is not None:
            self._outputs.contact_threshold = self.get_parameter("contact_threshold").value
            self._outputs.trajectory_s = self.get_parameter("markers.trajectory").value

    def _report(self) -> DiagnosticArray:
        facts = {"priority_lowered_of": self._lowered}
        if self._values:
            facts |= {
                "weights": self._values["weights_path"] or "packaged",
                "body": self._values["body_path"] or "packaged",
                "lag_frames": str(self._values["window.lag"]),
                "hop_frames": str(self._values["window.hop"]),
                "threads": str(self._values["threads"]),
            }
        return self._status.message(
            self.get_clock().now().to_msg(),
            self._worker,
            self._reporter.counters,
            facts,
            self._failure,
        )


def main(args: list[str] | None = None) -> None:
    """Run the node until SIGINT or SIGTERM."""
    run_node(SmootherNode, "smoother", args)


if __name__ == "__main__":
    main()
