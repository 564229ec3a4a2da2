"""What the package's lifecycle nodes share: parameters, transitions, diagnostics and the program.

Parameters are declared on construction, read (and models loaded) by configure; activate subscribes
and starts the threads; deactivate ends them and empties the outputs; clean-up frees the models. A
transition that fails says why and leaves the node where it was.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from humor_ros.ros.log_bridge import LogBridge
from humor_ros.ros.parameter_spec import ParameterSpec, declare_all, read_all, refusal_callback
from humor_ros.ros.qos import output_qos
from humor_ros.ros.reports import Reporter
from humor_ros.ros.shutdown import StopSignal, initialise, spin_until_stopped

__all__ = ["ManagedNode", "NodeOutputs", "run_node"]


class NodeOutputs(Protocol):
    """The publishers of a node, as far as its lifecycle concerns them."""

    def clear(self) -> None:
        """Tell subscribers that there is nobody."""

    def close(self) -> None:
        """Give every publisher back."""


class ManagedNode(LifecycleNode):
    """A node whose parts a subclass makes, starts and ends.

    Args:
        name: of the node.
        specs: its parameters; ``autostart`` is among them.
        **node_arguments: for :class:`rclpy.node.Node`.
    """

    def __init__(self, name: str, specs: tuple[ParameterSpec, ...], **node_arguments: Any) -> None:
        super().__init__(name, **node_arguments)
        self._specs = specs
        self._reporter = Reporter(self.get_logger())
        self._values: dict[str, Any] = {}
        self._outputs: Any = None  # the subclass's NodeOutputs while configured
        self._failure = ""
        declare_all(self, specs)
        self.add_on_set_parameters_callback(refusal_callback(specs, lambda: bool(self._values)))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", output_qos())
        self._timer = self.create_timer(1.0, self._each_second)

    # What a subclass gives

    def _load(self, values: Mapping[str, Any]) -> None:
        """Load the models that the parameters name; whatever it raises is told as the reason."""
        raise NotImplementedError

    def _make_outputs(self, values: Mapping[str, Any]) -> NodeOutputs:
        """Make the publishers."""
        raise NotImplementedError

    def _begin(self) -> str:
        """Start the threads and subscribe; returns what is waited for."""
        raise NotImplementedError

    def _halt(self) -> None:
        """Unsubscribe and end the threads; harmless when nothing runs."""
        raise NotImplementedError

    def _unload(self) -> None:
        """Free the models; harmless when there are none."""
        raise NotImplementedError

    def _refresh(self) -> None:
        """Hand parameters that may change at any time on; called once a second."""
        raise NotImplementedError

    def _report(self) -> DiagnosticArray:
        """The diagnostics of this second."""
        raise NotImplementedError

    def enter_program(self) -> None:
        """What the node's own program does before it starts the node."""

    # For programs and tests

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
        """Read the parameters, load the models, make the publishers."""
        started_s = time.monotonic()
        try:
            values = read_all(self, self._specs)
            self._load(values)
        except Exception as error:  # whatever a user's file holds, the node lives to say so
            self._failure = f"{type(error).__name__}: {error}"
            self.get_logger().error(
                f"cannot configure: {self._failure}. The node stays unconfigured; correct this "
                "and configure it again"
            )
            return TransitionCallbackReturn.FAILURE
        self._failure = ""
        self._values = values
        self._outputs = self._make_outputs(values)
        self.get_logger().info(f"configured in {time.monotonic() - started_s:.1f} s")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the threads and subscribe."""
        if self._outputs is None:
            return TransitionCallbackReturn.FAILURE
        # What is loaded by now lives as long as the node; the collector need not walk it.
        gc.collect()
        gc.freeze()
        awaited = self._begin()
        self._refresh()
        self.get_logger().info(f"active, waiting for {awaited}")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the threads, unsubscribe, tell subscribers that there is nobody."""
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

    def _free(self) -> None:
        if self._outputs is not None:
            self._outputs.close()
        self._outputs = None
        self._unload()
        self._values = {}
        gc.unfreeze()
        gc.collect()

    def _age_of(self, stamp_s: float) -> float:
        """Seconds since a stamp, by the node's clock."""
        return float(self.get_clock().now().nanoseconds * 1e-9 - stamp_s)

    def _each_second(self) -> None:
        self._refresh()
        self._diagnostics.publish(self._report())


def run_node(make: Callable[[], ManagedNode], name: str, args: list[str] | None = None) -> None:
    """Run a node until SIGINT or SIGTERM: the program of its process.

    Args:
        make: makes the node, once rclpy is there.
        name: of the node, for messages before there is one.
        args: of the command line; those of the process when None.
    """
    with StopSignal() as stop:
        initialise(args)
        try:
            node = make()
        except ParameterException as error:
            rclpy.logging.get_logger(name).error(f"cannot start: {error}")
            rclpy.try_shutdown()
            raise SystemExit(2) from error
        bridge = LogBridge(node.get_logger())
        bridge.install()
        node.enter_program()
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
