"""Ends a program in order on SIGINT or SIGTERM, however often they come.

rclpy's own handlers shut the context down at once; then nothing can be published or logged any
more, and markers of people would stay in RViz. Here a signal only raises a flag.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import Executor
from rclpy.signals import SignalHandlerOptions

__all__ = ["StopSignal", "initialise", "spin_until_stopped"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WAKE_S = 0.25


class StopSignal:
    """A flag that SIGINT and SIGTERM raise; a context manager for the main thread.

    Attributes:
        raised: whether a signal has come.
    """

    def __init__(self) -> None:
        self.raised = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignal:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._raise)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.raised = True


def initialise(args: list[str] | None, context: Context | None = None) -> None:
    """``rclpy.init`` without its signal handlers; of the default context when None."""
    rclpy.init(args=args, context=context, signal_handler_options=SignalHandlerOptions.NO)


def spin_until_stopped(executor: Executor, stop: StopSignal) -> None:
    """Spin until a signal comes or the context ends."""
    while rclpy.ok() and not stop.raised:
        executor.spin_once(timeout_sec=_WAKE_S)
