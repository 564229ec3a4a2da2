"""Whether the stamps of a sensor run with the time at which its messages arrive.

A message cannot arrive before it was stamped: stamps that suddenly come from further ahead than
any before them are a clock that was set forward, stamps that go back are one that was set back.
Messages that arrive late and many at once are bursts; their stamps are right.
"""

from __future__ import annotations

import math

__all__ = ["ClockPair", "StampWatch"]

#: A jump of the clock, seconds; smaller ones are left to the calibration of the offset.
_JUMP_S = 0.5
#: So many messages in a row make it believed.
_BELIEVED_IMU, _BELIEVED_IMAGES = 5, 2
#: Messages that arrive in this share of the time that they span (and some time for the reader),
#: and that span more than this, are a burst.
_AT_ONCE, _AT_ONCE_S, _BURST_S = 0.4, 0.005, 0.12
#: Jumps that differ by this share are one: both sensors were late to tell it.
_SAME_JUMP = 0.05
#: Stamps of both sensors this near to each other for so long share a clock, whatever was thought.
_TOGETHER_S, _HEALED_S = 0.3, 2.0


class StampWatch:
    """Follows the stamps of one sensor.

    Args:
        believed: messages in a row that make a jump.

    Attributes:
        jumped_s: sum of all jumps so far, seconds.
        jumps: how many.
        bursts: times that many messages came late at once.
        newest_s: stamp of the newest message.
    """

    def __init__(self, believed: int) -> None:
        self._believed = believed
        self._ahead_s = self._last_ahead_s = -math.inf
        self._suspects: list[tuple[float, float]] = []
        self._burst_from: tuple[float, float] | None = None
        self._in_burst = False
        self.jumped_s = 0.0
        self.jumps = 0
        self.bursts = 0
        self.newest_s = -math.inf

    def note(self, stamp_s: float, arrival_s: float) -> None:
        """Look at one message.

        Args:
            stamp_s: its stamp, seconds.
            arrival_s: a monotonic clock as it arrived, seconds.
        """
        if not math.isfinite(stamp_s):
            return
        ahead_s = stamp_s - arrival_s
        first = self._ahead_s == -math.inf
        forward = not first and ahead_s > self._ahead_s + _JUMP_S
        backward = not first and stamp_s < self.newest_s - _JUMP_S
        if forward or backward:
            self._suspect(stamp_s, arrival_s)
            return
        self._suspects.clear()
        self._ahead_s = max(self._ahead_s, ahead_s)
        self._last_ahead_s = ahead_s
        self._note_burst(stamp_s, arrival_s)
        self.newest_s = max(self.newest_s, stamp_s)

    def _suspect(self, stamp_s: float, arrival_s: float) -> None:
        """Hold a stamp against the clock until enough that follow each other say the same."""
        if self._suspects:
            last_stamp_s, last_arrival_s = self._suspects[-1]
            if not 0.0 <= stamp_s - last_stamp_s <= arrival_s - last_arrival_s + _JUMP_S:
                self._suspects.clear()
        self._suspects.append((stamp_s, arrival_s))
        if len(self._suspects) < self._believed:
            return
        aheads = [stamp - arrival for stamp, arrival in self._suspects]
        self.jumped_s += aheads[0] - self._last_ahead_s
        self.jumps += 1
        self._ahead_s, self._last_ahead_s = max(aheads), aheads[-1]
        self.newest_s = stamp_s
        self._suspects.clear()
        self._burst_from = None

    def _note_burst(self, stamp_s: float, arrival_s: float) -> None:
        start = self._burst_from
        if start is None or arrival_s - start[1] > _AT_ONCE * (stamp_s - start[0]) + _AT_ONCE_S:
            self._burst_from, self._in_burst = (stamp_s, arrival_s), False
        elif not self._in_burst and stamp_s - start[0] > _BURST_S:
            self._in_burst = True
            self.bursts += 1


class ClockPair:
    """Whether IMU and images still share the clock that they had.

    Attributes:
        imu: stamps of the IMU.
        images: stamps of the images.
    """

    def __init__(self) -> None:
        self.imu = StampWatch(_BELIEVED_IMU)
        self.images = StampWatch(_BELIEVED_IMAGES)
        self._together_since_s: float | None = None

    @property
    def apart_s(self) -> float:
        """How far the IMU's clock has jumped beside that of the images, seconds; 0 if together."""
        jumps_s = abs(self.imu.jumped_s), abs(self.images.jumped_s)
        apart_s = self.imu.jumped_s - self.images.jumped_s
        return apart_s if abs(apart_s) > max(_JUMP_S, _SAME_JUMP * min(jumps_s)) else 0.0

    def note_image(self, stamp_s: float, arrival_s: float) -> None:
        """Look at one image.

        Args:
            stamp_s: its stamp, seconds.
            arrival_s: a monotonic clock as it arrived, seconds.
        """
        self.images.note(stamp_s, arrival_s)
        if self.apart_s == 0.0 or abs(self.imu.newest_s - stamp_s) > _TOGETHER_S:
            self._together_since_s = None
        elif self._together_since_s is None:
            self._together_since_s = arrival_s
        elif arrival_s - self._together_since_s > _HEALED_S:
            self.imu.jumped_s = self.images.jumped_s
