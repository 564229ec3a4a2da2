"""One hop of one person's window: prepared, solved in a thread of its own, and taken back."""

from __future__ import annotations

from dataclasses import dataclass

from humor_ros.humor.online_person import OnlinePerson
from humor_ros.humor.window import HopReport, SlidingWindow, SmoothedFrames
from humor_ros.humor.window_values import WindowObservations

__all__ = ["Hop"]


@dataclass(eq=False)
class Hop:
    """New frames of one person on their way through the window.

    Attributes:
        person: whose.
        seen: the frames.
        last: whether nothing follows.
        window: to give them to.
        told: what :meth:`solve` has brought; None also where nothing is old enough.
        report: how it went; None after an error.
        error: what went wrong.
    """

    person: OnlinePerson
    seen: WindowObservations
    last: bool
    window: SlidingWindow
    told: SmoothedFrames | None = None
    report: HopReport | None = None
    error: str = ""

    def solve(self) -> None:
        """Advance the window; a failure is noted, not raised."""
        try:
            self.told = self.window.advance(self.seen, last=self.last)
            self.report = self.window.reports[-1]
        except (RuntimeError, ValueError, ArithmeticError, IndexError) as error:
            self.error = f"{type(error).__name__}: {error}"
        self.window.reports.clear()
