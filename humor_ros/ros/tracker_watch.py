"""Waits for a tracker or smoother in another process to be active."""

from __future__ import annotations

import time
from collections.abc import Callable

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor

from humor_ros.ros.qos import output_qos
from humor_ros.ros.shutdown import initialise

__all__ = ["TrackerFailed", "wait_until_active"]


class TrackerFailed(RuntimeError):
    """The node could not be configured, ended, or took too long."""


def wait_until_active(
    timeout_s: float,
    still_running: Callable[[], bool] = lambda: True,
    *,
    node_name: str = "tracker",
    status: str = "human tracking",
) -> None:
    """Return when diagnostics say that the tracker is active; uses a context of its own.

    Args:
        timeout_s: longest wait, seconds.
        still_running: whether the node's process is alive.
        node_name: for messages.
        status: how the name of its diagnostics ends.

    Raises:
        TrackerFailed: with the node's own reason where it gives one.
    """
    context = Context()
    initialise(None, context)
    node = rclpy.create_node("tracker_watch", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    state: dict[str, str] = {}

    def listen(message: DiagnosticArray) -> None:
        for told in message.status:
            if told.name.endswith(status):
                state.update({item.key: item.value for item in told.values})

    node.create_subscription(DiagnosticArray, "/diagnostics", listen, output_qos())
    deadline_s = time.monotonic() + timeout_s
    try:
        while state.get("active") != "true":
            executor.spin_once(timeout_sec=0.1)
            if state.get("failure"):
                raise TrackerFailed(f"the {node_name} cannot be configured: {state['failure']}")
            if not still_running():
                raise TrackerFailed(f"the {node_name} has ended; see its log")
            if time.monotonic() > deadline_s:
                raise TrackerFailed(
                    f"the {node_name} is not active after {timeout_s:g} s; see its log"
                )
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()
