"""Watches an IMU for faults, and keeps what they spoil from the filter.

Samples pass :meth:`ImuWatch.admit` before they are used; images and people are shown to it by
:meth:`ImuWatch.look`. Nothing is mended in silence: units and axes that are wrong are told with
what would mend them, and the sensor is not used meanwhile.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from humor_ros.field_checks import AT_LEAST_0, FINITE, check_fields
from humor_ros.inertial.background import BackgroundPoints
from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.gravity_checks import SwingCheck, UprightCheck
from humor_ros.inertial.imu_faults import HARMFUL_TO_RATES, ImuFault, ImuFaultKind
from humor_ros.inertial.sample_checks import GravityCheck, PlateauCheck, StuckCheck
from humor_ros.inertial.turn_check import RateHistory, TurnCheck
from humor_ros.types import Array, ImuSample

__all__ = ["WATCH_COUNTERS", "ImuWatch", "ImuWatchConfig"]

#: No gyroscope ends below 125 deg/s, no accelerometer below 2 g.
_LEAST_RATE_SCALE, _LEAST_FORCE_SCALE = 2.1, 1.9 * 9.80665
#: Share of a gyroscope's full scale by which a saturated rate may be off (1 sigma).
_BEYOND = 0.3
#: Accelerations averaged for "up" as people are compared with it, samples.
_UP_SHARE = 0.05
#: Longest time that one sample stands for, seconds.
_LONGEST_STEP_S = 0.1
#: Without noise a rate is exactly along gravity, and gravity nearly as long as it should be.
_EXACT, _EXACT_GRAVITY = 1e-6, 0.01

#: Every counter of :class:`ImuWatch` and what it counts.
WATCH_COUNTERS: dict[str, str] = {
    **{f"fault_{kind.value}": "times that this fault began" for kind in ImuFaultKind},
    "stuck_samples": "samples left out because a sensor gave the same values for ever",
    "saturated_samples": "samples with an axis at the end of its scale",
    "distrusted_samples": "samples left out because unit or axes are wrong",
}


@dataclass(frozen=True)
class ImuWatchConfig:
    """Settings of :class:`ImuWatch`.

    Attributes:
        enabled: whether faults are looked for at all.
        gyroscope_range: full scale, rad/s; 0 where it is not known.
        accelerometer_range: full scale, m/s²; 0 where it is not known.

    Raises:
        ValueError: naming the field that is out of range.
    """

    enabled: bool = True
    gyroscope_range: float = 0.0
    accelerometer_range: float = 0.0

    def __post_init__(self) -> None:
        for rule in (FINITE, AT_LEAST_0):
            check_fields(self, rule, "gyroscope_range", "accelerometer_range")


class ImuWatch:
    """See the module.

    Args:
        inertial: gravity, time offset and noise of the background's points.
        config: settings.

    Attributes:
        counters: running totals by the names of :data:`WATCH_COUNTERS`.
    """

    def __init__(self, inertial: InertialConfig, config: ImuWatchConfig | None = None) -> None:
        self._config = config or ImuWatchConfig()
        self._offset_s = inertial.imu_time_offset_s
        self._gyro_stuck, self._force_stuck = StuckCheck(), StuckCheck()
        self._gyro_end = PlateauCheck(self._config.gyroscope_range, _LEAST_RATE_SCALE)
        self._force_end = PlateauCheck(self._config.accelerometer_range, _LEAST_FORCE_SCALE)
        self._gravity = GravityCheck(inertial.gravity)
        self._gravity_m_s2 = inertial.gravity
        self._history = RateHistory()
        self._turns = TurnCheck(inertial.background_noise)
        self._swing, self._upright = SwingCheck(), UprightCheck()
        self._mounting: Array | None = None
        self._up: Array | None = None
        self._stamp_s = -math.inf
        self._saturated_s = self._saturated_rate = 0.0
        self._stuck: dict[ImuFaultKind, ImuFault] = {}
        self._faults: tuple[ImuFault, ...] = ()
        self.counters: Counter[str] = Counter(dict.fromkeys(WATCH_COUNTERS, 0))

    @property
    def faults(self) -> tuple[ImuFault, ...]:
        """What is wrong now; may be read from another thread."""
        return self._faults

    @property
    def rates_distrusted(self) -> bool:
        """Whether samples are kept from the filter; may be read from another thread."""
        return any(fault.kind in HARMFUL_TO_RATES for fault in self._faults)

    def forget(self) -> None:
        """The clock was set back: what was collected over time is void, verdicts stay."""
        self._history.clear()
        if self._turns.fault is None:
            self._turns.forget()
        if self._swing.fault is None:
            self._swing.forget()

    def admit(self, sample: ImuSample) -> ImuSample | None:
        """Look at a sample before it is used.

        Args:
            sample: as it came, in SI units as far as parameters say.

        Returns:
            what may be used of it: all, the rate alone, or None.
        """
        if not self._config.enabled:
            return sample
        stamp_s = float(sample.stamp_s) + self._offset_s
        rate = tuple(np.asarray(sample.angular_velocity, dtype=np.float64).tolist())
        force = None
        if sample.linear_acceleration is not None:
            force = tuple(np.asarray(sample.linear_acceleration, dtype=np.float64).tolist())
            if not math.isfinite(sum(force)):
                force = None
        if not math.isfinite(stamp_s + sum(rate)):
            return sample
        passed_s, self._stamp_s = stamp_s - self._stamp_s, stamp_s
        self._check_stuck(stamp_s, rate, force)
        ended = self._gyro_end.update(stamp_s, rate)
        if ended and 0.0 < passed_s < _LONGEST_STEP_S:
            self._saturated_s += passed_s
            self._saturated_rate = max(self._saturated_rate, *map(abs, rate))
        force_ended = False
        self._history.add(stamp_s, rate)
        if force is not None:
            force_ended = self._force_end.update(stamp_s, force)
            self._gravity.update(stamp_s, force)
            if ImuFaultKind.ACCELEROMETER_STUCK in self._stuck:
                self._swing.forget()
            else:
                self._swing.update(stamp_s, force, self._history)
            self._average_up(force)
        self.counters["saturated_samples"] += ended or force_ended
        self._collect()
        if ImuFaultKind.GYROSCOPE_STUCK in self._stuck:
            self.counters["stuck_samples"] += 1
            return None
        if self.rates_distrusted:
            self.counters["distrusted_samples"] += 1
            return None
        spoilt = force_ended or ImuFaultKind.ACCELEROMETER_STUCK in self._stuck
        if spoilt and sample.linear_acceleration is not None:
            self.counters["stuck_samples"] += not force_ended
            return replace(sample, linear_acceleration=None)
        return sample

    def take_saturated(self) -> tuple[float, float]:
        """Since the last call: seconds with a saturated gyroscope, and the rate's error, rad/s."""
        taken = self._saturated_s, _BEYOND * self._saturated_rate
        self._saturated_s = self._saturated_rate = 0.0
        return taken

    def look(
        self,
        points: BackgroundPoints | None,
        mounting: Array | None,
        people_up: Sequence[Array] = (),
    ) -> None:
        """Look at an image, after the samples up to it.

        Args:
            points: background of the image, where it was looked at.
            mounting: (3, 3) camera<-imu in use; None while it is unknown.
            people_up: (3,) unit vectors from pelvis to neck of the people seen, camera axes.
        """
        if not self._config.enabled or mounting is None:
            return
        self._note_mounting(mounting)
        if points is not None:
            self._turns.look(points, self._history, mounting)
        if self._up is not None and self._gravity.fault is None and len(people_up):
            length = float(np.linalg.norm(self._up))
            if length > 0.0:
                gravity_up = mounting @ self._up / length
                for up in people_up:
                    self._upright.update(up, gravity_up)
        self._collect()

    def _check_stuck(
        self, stamp_s: float, rate: tuple[float, ...], force: tuple[float, ...] | None
    ) -> None:
        gyro = self._gyro_stuck.update(stamp_s, rate)
        accel = force is not None and self._force_stuck.update(stamp_s, force)
        if not (gyro or accel or self._stuck):
            return
        both = gyro and accel
        told = {
            ImuFaultKind.GYROSCOPE_STUCK: gyro and not (both and self._exact(rate, force)),
            ImuFaultKind.ACCELEROMETER_STUCK: accel and not (both and self._exact(rate, force)),
        }
        self._stuck = {
            kind: ImuFault(kind, float(max(map(abs, rate)))) for kind in told if told[kind]
        }

    def _exact(self, rate: tuple[float, ...], force: tuple[float, ...] | None) -> bool:
        """Whether equal values for ever are possible: those of a simulated sensor without noise.

        At rest, and turning about the vertical, gravity stays where it is.
        """
        if force is None:
            return True
        length = float(np.linalg.norm(force))
        across = float(np.linalg.norm(np.cross(rate, force)))
        plausible = abs(length - self._gravity_m_s2) < _EXACT_GRAVITY * self._gravity_m_s2
        return plausible and across <= _EXACT * (float(np.linalg.norm(rate)) * length) + 1e-9

    def _average_up(self, force: tuple[float, ...]) -> None:
        value = np.array(force)
        self._up = value if self._up is None else self._up + _UP_SHARE * (value - self._up)

    def _note_mounting(self, mounting: Array) -> None:
        """Self-calibration turns the mounting slowly; a leap is another mounting."""
        before, self._mounting = self._mounting, mounting
        if before is not None and float(np.trace(before.T @ mounting)) < 2.9:
            self._turns.forget()
            self._upright.forget()

    def _collect(self) -> None:
        if self._swing.fault is not None and self._turns.agrees:
            self._turns.doubt()
        found: list[ImuFault | None] = [
            *self._stuck.values(),
            self._gyro_end.fault(ImuFaultKind.GYROSCOPE_SATURATED, self._stamp_s),
            self._force_end.fault(ImuFaultKind.ACCELEROMETER_SATURATED, self._stamp_s),
            self._gravity.fault,
            # What the camera sees is the better witness.
            self._turns.fault if self._turns.fault or self._turns.agrees else self._swing.fault,
            self._upright.fault,
        ]
        faults = tuple(fault for fault in found if fault is not None)
        if not faults and not self._faults:
            return
        known = {fault.kind for fault in self._faults}
        for fault in faults:
            if fault.kind not in known:
                self.counters[f"fault_{fault.kind.value}"] += 1
        self._faults = faults
