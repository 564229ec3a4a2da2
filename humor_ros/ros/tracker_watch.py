"""Waits for a tracker in another process to be active."""

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
    """The tracker could not be configured, ended, or took too long."""


def wait_until_active(timeout_s: float, still_running: Callable[[], bool] = lambda: True) -> None:
    """Return when diagnostics say that the tracker is active; uses a context of its own.

    Args:
        timeout_s: longest wait, seconds.
        still_running: whether the tracker's process is alive.

    Raises:
        TrackerFailed: with the tracker's own reason where it gives one.
    """
    context = Context()
    initialise(None, context)
    node = rclpy.create_node("tracker_watch", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    state: dict[str, str] = {}

    def listen(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("human tracking"):
                state.update({item.key: item.value for item in status.values})

    node.create_subscription(DiagnosticArray, "/diagnostics", listen, output_qos())
    deadline_s = time.monotonic() + timeout_s
    try:
        while state.get("active") != "true":
            executor.spin_once(timeout_sec=0.1)
            if state.get("failure"):
                raise TrackerFailed(f"the tracker cannot be configured: {state['failure']}")
            if not still_running():
                raise TrackerFailed("the tracker has ended; see its log")
            if time.monotonic() > deadline_s:
                raise TrackerFailed(f"the tracker is not active after {timeout_s:g} s; see its log")
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()
