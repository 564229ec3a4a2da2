"""The lifecycle node ``smoother``: the tracker's people in, refined people and forecasts out.

It runs in a process of its own and at a lower priority, reads the tracker's ``humans`` and the
camera's calibration, and publishes under names of its own. Parameters are declared on
construction, read (and the prior loaded) by configure; activate subscribes and starts the threads;
deactivate ends them and empties the outputs; clean-up frees the prior.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import rclpy
import torch
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
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
from humor_ros.ros.log_bridge import LogBridge
from humor_ros.ros.parameter_spec import declare_all, read_all, refusal_callback
from humor_ros.ros.qos import camera_info_qos, output_qos, results_qos
from humor_ros.ros.reports import Reporter
from humor_ros.ros.shutdown import StopSignal, initialise, spin_until_stopped
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


class SmootherNode(LifecycleNode):
    """See the module.

    Args:
        parts_factory: loads prior and body (tests give their own).
        name: of the node.
        **node_arguments: for :class:`rclpy.node.Node`.
    """

    def __init__(
        self,
        parts_factory: Callable[[Mapping[str, Any]], SmootherParts] = make_parts,
        name: str = "smoother",
        **node_arguments: Any,
    ) -> None:
        super().__init__(name, **node_arguments)
        self._factory = parts_factory
        self._reporter = Reporter(self.get_logger())
        self._values: dict[str, Any] = {}
        self._parts: SmootherParts | None = None
        self._outputs: SmootherOutputs | None = None
        self._worker: SmootherWorker | None = None
        self._inputs: list[Any] = []
        self._status = SmootherStatus(self.get_fully_qualified_name())
        self._failure = ""
        declare_all(self, SMOOTHER_PARAMETERS)
        self.add_on_set_parameters_callback(
            refusal_callback(SMOOTHER_PARAMETERS, lambda: bool(self._values))
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
        """End the threads, wipe what is shown, give everything back; may be called twice."""
        self._halt()
        if self._outputs is not None:
            self._outputs.clear()
        self._free()

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, load prior and body, make the publishers."""
        started_s = time.monotonic()
        try:
            values = read_all(self, SMOOTHER_PARAMETERS)
            self._parts = self._factory(values)
        except Exception as error:  # whatever a user's file holds, the node lives to say so
            self._failure = f"{type(error).__name__}: {error}"
            self.get_logger().error(
                f"cannot configure: {self._failure}. The node stays unconfigured; correct this "
                "and configure it again"
            )
            return TransitionCallbackReturn.FAILURE
        self._failure = ""
        self._values = values
        self._outputs = SmootherOutputs(self, values, self._age_of)
        self.get_logger().info(f"configured in {time.monotonic() - started_s:.1f} s")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the threads and subscribe."""
        if self._parts is None or self._outputs is None:
            return TransitionCallbackReturn.FAILURE
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
        gc.collect()
        gc.freeze()  # what is loaded by now lives as long as the node
        self._worker.start()
        subscribe = self.create_subscription
        self._inputs = [
            subscribe(HumanStates, HUMANS_TOPIC, self._worker.queue.put, results_qos()),
            subscribe(CameraInfo, "camera_info", camera.offer, camera_info_qos()),
        ]
        self.get_logger().info(f"active, waiting for people on {self._inputs[0].topic_name}")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the threads, unsubscribe, tell subscribers that there is nobody."""
        self._halt()
        if self._outputs is not None:
            self._outputs.clear()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free prior and publishers."""
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
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._worker is not None and not self._worker.stop():
            self.get_logger().error("a thread did not end within 10 s; its work is abandoned")
        self._worker = None
        if self._parts is not None:
            self._parts.smoother.reset()

    def _free(self) -> None:
        if self._outputs is not None:
            self._outputs.close()
        self._outputs = self._parts = None
        self._values = {}
        gc.unfreeze()
        gc.collect()

    def _age_of(self, stamp_s: float) -> float:
        return float(self.get_clock().now().nanoseconds * 1e-9 - stamp_s)

    def _each_second(self) -> None:
        worker, outputs = self._worker, self._outputs
        if outputs is not None:
            outputs.contact_threshold = self.get_parameter("contact_threshold").value
            outputs.trajectory_s = self.get_parameter("markers.trajectory").value
        facts = {}
        if self._values:
            facts = {
                "weights": self._values["weights_path"] or "packaged",
                "body": self._values["body_path"] or "packaged",
                "lag_frames": str(self._values["window.lag"]),
                "hop_frames": str(self._values["window.hop"]),
                "threads": str(self._values["threads"]),
            }
        self._diagnostics.publish(
            self._status.message(
                self.get_clock().now().to_msg(),
                worker,
                self._reporter.counters,
                facts,
                self._failure,
            )
        )


def main(args: list[str] | None = None) -> None:
    """Run the node until SIGINT or SIGTERM."""
    with StopSignal() as stop:
        initialise(args)
        try:
            node = SmootherNode()
        except ParameterException as error:
            rclpy.logging.get_logger("smoother").error(f"cannot start: {error}")
            rclpy.try_shutdown()
            raise SystemExit(2) from error
        bridge = LogBridge(node.get_logger())
        bridge.install()
        # The messages, too, give way to the tracker; the solver's threads give way to them.
        give_way(node.get_parameter("niceness").value)
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
