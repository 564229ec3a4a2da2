"""How many people the processor can smooth, by the times measured so far, and when to give up."""

from __future__ import annotations

from humor_ros.humor.online_config import OnlineConfig
from humor_ros.humor.online_person import largest_batch
from humor_ros.humor.state import FRAME_RATE
from humor_ros.humor.window import HopReport

__all__ = ["Pace"]

#: Share of the time that solving may take.
_BUSY_SHARE = 0.9
#: Share that it would have to take from which on fewer people are smoothed: otherwise all would
#: be told late, and nobody in time.
_OVERLOADED_SHARE = 1.2
#: Share of the limit that somebody must be behind for that.
_SURPLUS_SHARE = 0.5
#: How fast the measured time of a hop follows.
_TIME_SHARE = 0.2
#: Time of a warm hop as a share of that of a first window, until there has been one.
_WARM_SHARE = 0.4
#: A person who fell too far behind is not smoothed again before this time. Where that leaves
#: nobody, all pause for as long, and twice as long each time that it happens again, up to a limit:
#: a first window costs several hops, and whoever cannot follow it up has spent that for nothing.
_HOLD_S = 5.0
_LONGEST_PAUSE_S = 40.0


class Pace:
    """See the module.

    Args:
        config: how to cope with time.

    Attributes:
        hop_s: mean time of a warm hop, seconds; 0 before the first.
    """

    def __init__(self, config: OnlineConfig) -> None:
        self.hop_s = 0.0
        self._config = config
        self._timed = False  # whether that is of warm hops
        self._pauses = 0  # since somebody was last smoothed in time

    @property
    def capacity(self) -> int:
        """How many people may be smoothed; one is always tried."""
        return max(1, self._manageable(_BUSY_SHARE))

    @property
    def most_behind(self) -> float:
        """Frames behind from which on a person's images have all been told without it."""
        return self._config.max_lag_s * FRAME_RATE

    def bearable(self, behind: int) -> int:
        """How many of those who are smoothed may stay.

        Args:
            behind: most frames that one of them is behind.
        """
        if behind < _SURPLUS_SHARE * self.most_behind:
            return self._config.max_people  # images come slower than they might
        return self._manageable(_OVERLOADED_SHARE)

    def note(self, report: HopReport) -> None:
        """Learn from a hop."""
        if not report.cold:
            share = _TIME_SHARE if self._timed else 1.0
            self.hop_s += share * (report.seconds - self.hop_s)
            self._timed = True
        elif not self._timed:
            self.hop_s = _WARM_SHARE * report.seconds

    def kept_up(self) -> None:
        """Somebody is smoothed in time."""
        self._pauses = 0

    @property
    def hold_s(self) -> float:
        """How long a person who fell behind is not smoothed, seconds."""
        return _HOLD_S

    def pause_s(self) -> float:
        """How long nobody is smoothed, seconds; longer each time until somebody has kept up."""
        pause_s = min(_LONGEST_PAUSE_S, _HOLD_S * 2.0**self._pauses)
        self._pauses += 1
        return pause_s

    def _manageable(self, share: float) -> int:
        """How many people can be smoothed if that may take so large a share of the time."""
        if self.hop_s <= 0.0:
            return self._config.max_people
        most_s = largest_batch(self._config.window) / FRAME_RATE
        return min(self._config.max_people, int(share * most_s / self.hop_s))
