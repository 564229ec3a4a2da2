"""One IMU from a gyroscope and an accelerometer that are sampled at times of their own.

Accelerations are interpolated linearly to the gyroscope's stamps, as the linear_interpolation of
RealSense's unite_imu_method does. Rates that are newer than every acceleration are not held back
for it: they pass without one, and the acceleration counts for the rates that follow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from humor_ros.types import Array, ImuSample

__all__ = ["GyroAccelMerger"]

#: Accelerations further apart than this are not interpolated across, seconds.
_LONGEST_S = 0.1
#: A step back of more than this is another clock, seconds.
_CLOCK_S = 0.5
_KEPT = 64


class GyroAccelMerger:
    """Brings both together; feed it in any portions, accelerations before the rates they precede.

    Attributes:
        bare: rates that passed without an acceleration.
    """

    def __init__(self) -> None:
        self._stamps: deque[float] = deque(maxlen=_KEPT)
        self._forces: deque[Array] = deque(maxlen=_KEPT)
        self.bare = 0

    def add_accelerations(self, stamps_s: Sequence[float], forces: Sequence[Array]) -> None:
        """Take accelerations in.

        Args:
            stamps_s: (N) seconds.
            forces: (N) of (3,) m/s², axes of the gyroscope.
        """
        for stamp_s, force in zip(stamps_s, forces, strict=True):
            if self._stamps and stamp_s <= self._stamps[-1]:
                if stamp_s > self._stamps[-1] - _CLOCK_S:
                    continue
                self.forget()
            self._stamps.append(stamp_s)
            self._forces.append(force)

    def samples(self, stamps_s: Sequence[float], rates: Sequence[Array]) -> list[ImuSample]:
        """Samples at the gyroscope's stamps.

        Args:
            stamps_s: (N) seconds.
            rates: (N) of (3,) rad/s.
        """
        if not len(self._stamps):
            self.bare += len(stamps_s)
            return [ImuSample(stamp_s, rate) for stamp_s, rate in zip(stamps_s, rates, strict=True)]
        known, forces = np.array(self._stamps), np.array(self._forces)
        merged = []
        for stamp_s, rate in zip(stamps_s, rates, strict=True):
            force = _interpolated(known, forces, stamp_s)
            self.bare += force is None
            merged.append(ImuSample(stamp_s, rate, force))
        return merged

    def forget(self) -> None:
        """Drop accelerations of another time."""
        self._stamps.clear()
        self._forces.clear()


def _interpolated(stamps: Array, forces: Array, stamp_s: float) -> Array | None:
    """(3,) at an instant between two accelerations; None outside, and across a gap."""
    after = int(np.searchsorted(stamps, stamp_s))
    if after == len(stamps):
        return None
    if stamps[after] == stamp_s:
        exact: Array = forces[after]
        return exact
    if after == 0 or stamps[after] - stamps[after - 1] > _LONGEST_S:
        return None
    share = (stamp_s - stamps[after - 1]) / (stamps[after] - stamps[after - 1])
    between: Array = (1.0 - share) * forces[after - 1] + share * forces[after]
    return between
