"""What the camera itself adds to the IMU: corrections of the attitude, and the calibration."""

from __future__ import annotations

import math

import numpy as np

from humor_ros.inertial.background import BackgroundPoints
from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.interval import InertialInterval
from humor_ros.inertial.reference import ReferenceAttitude
from humor_ros.inertial.self_calibration import (
    Calibration,
    SelfCalibrator,
    mounting_step,
    offset_step,
)
from humor_ros.inertial.so3 import log_so3
from humor_ros.inertial.visual_reference import GATE, SeenTurn, VisualReference
from humor_ros.inertial.world import WorldAlignment
from humor_ros.types import Array, ImuSample

__all__ = ["VisualAid"]

#: Turns seen against one image (twenty or so) share its errors: each counts this many times less.
_SHARED_ERRORS = 25.0
#: Error that no number of points takes away (calibration of the lens), rad.
_FLOOR = math.radians(0.04)


class VisualAid:
    """Takes background points; corrects the world and finds offset and mounting.

    Args:
        config: settings.
        counters: running totals.
        reference: attitude by the gyroscope, whose mounting is corrected.

    Attributes:
        points: of the image to come, or None.
        offset_s: time offset applied beside the configured one, seconds.
        reference: the image against which turns are measured.
    """

    def __init__(
        self, config: InertialConfig, counters: dict[str, int], reference: ReferenceAttitude
    ) -> None:
        self._config = config
        self._attitude = reference
        self._calibrator: SelfCalibrator | None = None
        self._seen: SeenTurn | None = None
        self._looked = False
        self._offset_known = self._mounting_known = False
        self.points: BackgroundPoints | None = None
        self.offset_s = 0.0
        self.reference = VisualReference(config, counters)

    @property
    def calibration(self) -> Calibration | None:
        """The newest solution, None before there was one."""
        return None if self._calibrator is None else self._calibrator.result

    @property
    def mounting_std(self) -> float:
        """Of the mounting in use, each axis, rad; zero where no IMU uses it."""
        found, mount = self.calibration, self._attitude.rotation_camera_imu
        if not self._attitude.imu.samples or mount is None:
            return 0.0
        if found is None:
            return self._config.mounting_std
        apart = float(np.linalg.norm(log_so3(mount @ found.rotation_camera_imu.T)))
        std = float(np.sqrt(np.square(found.rotation_std).mean()))
        if self._mounting_known:
            return math.hypot(std, apart / math.sqrt(3.0))
        # Not believed yet, but a hint that what was told is worse than stated.
        hint = max(0.0, apart - 2.0 * std) / math.sqrt(3.0)
        return max(self._config.mounting_std, hint)

    def add_imu(self, sample: ImuSample) -> None:
        """Keep a sample for the calibration."""
        mount = self._attitude.rotation_camera_imu
        if mount is None or not self._attitude.imu.samples:
            return
        if self._calibrator is None:
            self._calibrator = SelfCalibrator(self._config, mount)
        newest = self._attitude.imu.samples[-1]
        if newest.stamp_s == float(sample.stamp_s) + self._config.imu_time_offset_s:
            self._calibrator.add_imu(newest.stamp_s, newest.rate)

    def forget(self) -> None:
        """A new world: reference image and collected turns are void, the calibration is not."""
        self.points = None
        self.reference.forget()
        if self._calibrator is not None:
            self._calibrator.forget()

    def forget_calibration(self) -> None:
        """The IMU was mounted anew."""
        self._calibrator = None
        self.offset_s = 0.0
        self._offset_known = self._mounting_known = False

    def calibrate(self, stamp_s: float, interval_s: float, world: WorldAlignment) -> None:
        """Solve now and then, and bring what is found in slowly.

        Args:
            stamp_s: of the image, seconds.
            interval_s: since the image before, seconds.
            world: whose tilt changes with the mounting.
        """
        mount = self._attitude.rotation_camera_imu
        if self._calibrator is None or mount is None:
            return
        found = self._calibrator.solve(stamp_s)
        if found is None or not self._config.self_calibration:
            return
        if found.confident_offset:
            self._offset_known = True
        if found.confident_rotation:
            self._mounting_known = True
        step = min(interval_s, 0.1)
        if self._offset_known:
            self.offset_s = offset_step(found.time_offset_s, self.offset_s, step)
        if self._mounting_known:
            turn = mounting_step(found.rotation_camera_imu, mount, step)
            world.turn_mounting(self._attitude.rotation, turn)
            self._attitude.turn_mounting(turn)
            self.reference.turn_mounting(turn)

    def stand_in(self, stamp_s: float) -> bool:
        """Turn the attitude as the camera sees it, where no IMU tells.

        Args:
            stamp_s: of the image, seconds.

        Returns:
            whether it was seen.
        """
        self._look(stamp_s, rough=True)
        if self._seen is None:
            return False
        self._attitude.rotation = self._seen.reference
        return True

    def correct(
        self, stamp_s: float, world: WorldAlignment, inertial: InertialInterval, gyro: bool
    ) -> None:
        """Correct the world by the turn seen, and keep this image as reference where due.

        Args:
            stamp_s: of the image, seconds.
            world: to correct.
            inertial: what the IMU said since the image before.
            gyro: whether the IMU told the turn of this interval.
        """
        points = self.points
        if points is None or points.stamp_s != stamp_s:
            return
        self._look(stamp_s, rough=not gyro)
        mount = self._attitude.rotation_camera_imu
        rate = np.zeros(3) if mount is None else mount @ inertial.rate
        seen = self._seen
        if seen is not None:
            estimate = seen.estimate
            if gyro and self._calibrator is not None:
                self._calibrator.add_turn(
                    seen.then_s, stamp_s, estimate.rotation, estimate.covariance
                )
            covariance = self._honest(estimate.covariance, estimate.rotation, rate, seen.rate_then)
            believed = world.see_turn(self._attitude.rotation, estimate.rotation, covariance, GATE)
            if believed is not None:
                self.reference.judge(believed)
        if self.reference.needs_reference:
            self.reference.keep(points, self._attitude.rotation, rate)
            world.filter.clone(self._attitude.rotation)
        self._looked, self._seen, self.points = False, None, None

    def _look(self, stamp_s: float, *, rough: bool) -> None:
        """Fit the turn once an image."""
        points = self.points
        if self._looked or points is None or points.stamp_s != stamp_s:
            return
        self._looked = True
        self._seen = self.reference.look(points, self._attitude.rotation, rough=rough)

    def _honest(self, covariance: Array, turned: Array, rate: Array, rate_then: Array) -> Array:
        """Covariance of a turn against the gyroscope's, for errors of mounting and offset too."""
        vector = log_so3(turned)
        across = float(vector @ vector) * np.eye(3) - np.outer(vector, vector)
        swept = turned @ rate - rate_then
        found = self.calibration
        offset_std = self._config.time_offset_std_s
        if found is not None:
            apart = abs(found.time_offset_s - self.offset_s)
            least = found.time_offset_std_s if self._offset_known else offset_std
            offset_std = max(least, min(apart, self._config.time_offset_prior_std_s))
        return (
            _SHARED_ERRORS * covariance
            + _FLOOR**2 * np.eye(3)
            + self.mounting_std**2 * across
            + offset_std**2 * np.outer(swept, swept)
        )
