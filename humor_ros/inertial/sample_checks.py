"""Faults that single samples of an IMU show: stuck, saturated, or not in m/s²."""

from __future__ import annotations

import math

import numpy as np

from humor_ros.inertial.imu_faults import ImuFault, ImuFaultKind
from humor_ros.types import Array

__all__ = ["GravityCheck", "PlateauCheck", "StuckCheck"]

#: Equal samples that no sensor with noise gives; drivers repeat an accelerometer's value up to
#: eight times (400 Hz from 62.5 Hz).
_STUCK_SAMPLES, _STUCK_S = 20, 0.25
#: Equal values in a row at the end of the scale, and what share of a known scale is its end.
_PLATEAU, _END = 3, 0.995
#: A saturation is told for this long after its last sample, seconds.
_TOLD_S = 2.0
#: Accelerations are judged over this long; two agreeing judgements count. Seconds.
_JUDGED_S = 1.0
#: Bands of |a| over gravity: right, in g (1 / 9.81 = 0.102), and without gravity at rest.
_RIGHT, _IN_G, _NOTHING = (0.75, 1.3), (0.08, 0.13), 0.05


class StuckCheck:
    """Whether one sensor has given the very same three values for a while."""

    def __init__(self) -> None:
        self._last: tuple[float, ...] | None = None
        self._since_s = 0.0
        self._stamp_s = -math.inf
        self._count = 0

    @property
    def values(self) -> tuple[float, ...] | None:
        """The newest values."""
        return self._last

    def update(self, stamp_s: float, values: tuple[float, ...]) -> bool:
        """Look at one more sample; samples of one stamp are one.

        Args:
            stamp_s: seconds.
            values: of the sensor.
        """
        if values != self._last or stamp_s < self._since_s:
            self._last, self._since_s, self._count = values, stamp_s, 1
        elif stamp_s > self._stamp_s:
            self._count += 1
        self._stamp_s = stamp_s
        return self._count >= _STUCK_SAMPLES and stamp_s - self._since_s >= _STUCK_S


class PlateauCheck:
    """Whether one sensor is at the end of its scale.

    Args:
        full_scale: of each axis in the sensor's unit; 0 where it is not known.
        least: no scale ends below this.
    """

    def __init__(self, full_scale: float, least: float) -> None:
        self._full_scale = full_scale
        self._least = least
        self._equal = [0, 0, 0]
        self._last: tuple[float, ...] = (0.0, 0.0, 0.0)
        self._until_s = -math.inf
        self._value = 0.0

    def update(self, stamp_s: float, values: tuple[float, ...]) -> bool:
        """Look at one more sample.

        Args:
            stamp_s: seconds.
            values: (3) of the sensor.
        """
        last, self._last = self._last, values
        limit = _END * self._full_scale if self._full_scale > 0.0 else self._least
        if max(values) < limit and min(values) > -limit:
            self._equal = [0, 0, 0]
            return False
        for axis in range(3):
            at_end = abs(values[axis]) >= limit
            if self._full_scale > 0.0:
                self._equal[axis] = _PLATEAU if at_end else 0
            else:
                self._equal[axis] = (
                    self._equal[axis] + 1 if at_end and values[axis] == last[axis] else int(at_end)
                )
        saturated = max(self._equal) >= _PLATEAU
        if saturated:
            self._until_s = stamp_s + _TOLD_S
            self._value = max(map(abs, values))
        return saturated

    def fault(self, kind: ImuFaultKind, stamp_s: float) -> ImuFault | None:
        """The fault as of now; told for a while after the last saturated sample.

        Args:
            kind: gyroscope or accelerometer.
            stamp_s: now, seconds.
        """
        recent = 0.0 <= self._until_s - stamp_s <= _TOLD_S
        return ImuFault(kind, self._value) if recent else None


class GravityCheck:
    """Whether accelerations are as long as gravity on the whole.

    Args:
        gravity: m/s².

    Attributes:
        fault: what is wrong, None where nothing is known to be.
    """

    def __init__(self, gravity: float) -> None:
        self._gravity = gravity
        self._values: list[tuple[float, ...]] = []
        self._start_s = math.inf
        self._verdict: ImuFaultKind | None = None
        self.fault: ImuFault | None = None

    def update(self, stamp_s: float, values: tuple[float, ...]) -> None:
        """Take one acceleration.

        Args:
            stamp_s: seconds.
            values: (3) specific force, IMU axes, in whatever unit.
        """
        if not self._start_s <= stamp_s <= self._start_s + 2.0 * _JUDGED_S:
            self._values, self._start_s = [], stamp_s
        self._values.append(values)
        if stamp_s - self._start_s < _JUDGED_S or len(self._values) < 10:
            return
        verdict, ratio = self._judge(np.array(self._values))
        if verdict is None:
            self.fault = None
        elif verdict is self._verdict:
            self.fault = ImuFault(verdict, ratio)
        self._verdict, self._values, self._start_s = verdict, [], math.inf

    def _judge(self, values: Array) -> tuple[ImuFaultKind | None, float]:
        lengths = np.sqrt(np.square(values).sum(1))
        middle = float(np.median(lengths))
        ratio = middle / self._gravity
        if _RIGHT[0] <= ratio <= _RIGHT[1]:
            return None, ratio
        mean = float(np.linalg.norm(values.mean(0)))
        steady = float(np.ptp(np.percentile(lengths, (25, 75)))) < 0.2 * middle
        if _IN_G[0] <= ratio <= _IN_G[1] and mean > 0.7 * middle and steady:
            return ImuFaultKind.ACCELERATION_IN_G, ratio
        if ratio < _NOTHING or (ratio < 0.5 and mean < 0.5 * middle):
            return ImuFaultKind.ACCELERATION_WITHOUT_GRAVITY, ratio
        # A camera that is shaken hard is not a wrong scale.
        if steady:
            return ImuFaultKind.ACCELERATION_SCALE, ratio
        return None, ratio
