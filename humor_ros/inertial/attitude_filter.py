"""Error-state Kalman filter on the rotation group: attitude, sensor biases and acceleration.

The nominal attitude is what the gyroscope adds up in a reference frame, times the rotation
``world`` from that frame to the upright world; the filter keeps the error of their product, in
world axes, beside the biases (Solà, "Quaternion kinematics for the error-state Kalman filter",
2017, with the global error). The camera's own acceleration is a state of its own with a memory
(Gauss-Markov) and a size that follows what is measured: so swaying, walking and driving lower
the trust in the accelerometer by as much as they should, and standing still raises it. Visual
rotation since an earlier image is a measurement against a clone of the attitude at that image
(Roumeliotis and Burdick 2002).
"""

from __future__ import annotations

import math

import numpy as np

from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.so3 import exp_so3, log_so3, orthonormalised, skew
from humor_ros.types import Array

__all__ = ["AttitudeFilter"]

#: Places of the states: attitude error (world axes), gyroscope bias and accelerometer bias (IMU
#: axes), acceleration (world axes), attitude error of the cloned image.
_ATT, _GYRO, _ACC, _MOTION, _CLONE = (slice(3 * k, 3 * k + 3) for k in range(5))
_SIZE = 15
_UP = np.array([0.0, 0.0, 1.0])
#: Variance of an attitude of which nothing is known, rad².
_UNKNOWN = math.pi**2 / 3.0
#: Limits of the acceleration's standard deviation, m/s², and the time over which it is learnt.
_LEAST_MOTION, _MOST_MOTION = 0.02, 30.0
_MOTION_MEMORY_S = 1.5
#: A tilt that is less certain than this is measured anew and not corrected, rad.
_TILT_LOST = 0.15
#: What the first heading errs beside what follows from the tilt (second order), rad.
_FIRST_HEADING = math.radians(0.5)
#: It is believed to grow this many times faster than to shrink.
_RISE = 3.0
#: Squared Mahalanobis length beyond which the accelerometer is believed less (3 axes, 99 %).
_GATE = 11.3


class AttitudeFilter:
    """Attitude of the world over the reference frame, and the sensors' biases.

    Args:
        config: noise densities and first standard deviations.

    Attributes:
        world: (3, 3) reference frame to upright world.
        gyroscope_bias: (3,) rad/s, IMU axes, beside the one that is configured.
        accelerometer_bias: (3,) m/s², IMU axes.
        tilt_lost: the camera turned unseen so far that its tilt must be measured anew.
    """

    def __init__(self, config: InertialConfig) -> None:
        self._config = config
        self.world: Array = np.eye(3)
        self.gyroscope_bias: Array = np.zeros(3)
        self.accelerometer_bias: Array = np.zeros(3)
        self.tilt_lost = False
        self._motion: Array = np.zeros(3)
        self._motion_variance = config.acceleration_disturbance**2
        self._clone: Array | None = None
        self._p: Array = np.zeros((_SIZE, _SIZE))
        self._set_block(_ATT, config.level_std**2)
        self._p[2, 2] = 0.0
        self._set_block(_GYRO, config.gyroscope_bias_stability**2)
        self._set_block(_ACC, config.accelerometer_bias_stability**2)
        self._set_block(_MOTION, self._motion_variance)

    @property
    def covariance(self) -> Array:
        """(3, 3) of the attitude error in world axes, rad²."""
        return self._p[_ATT, _ATT].copy()

    @property
    def gyroscope_bias_std(self) -> Array:
        """(3,) rad/s, IMU axes."""
        return np.sqrt(np.diag(self._p)[_GYRO])

    @property
    def tilt_std(self) -> float:
        """Of the direction of "up", both axes together, rad."""
        return math.sqrt(float(self._p[0, 0] + self._p[1, 1]))

    @property
    def acceleration_std(self) -> float:
        """Size of the camera's own acceleration as it is thought now, m/s²."""
        return math.sqrt(self._motion_variance)

    def forget_tilt(self) -> None:
        """Nothing is known of the tilt any more (the mounting has changed)."""
        self._unlink(_ATT)
        self._set_block(_ATT, self._config.level_std**2)
        self._clone = None

    def doubt(self, interval_s: float, rate_std: float) -> None:
        """The camera turned unseen.

        Args:
            interval_s: for how long, seconds.
            rate_std: turn rate to be expected, rad/s.
        """
        std = np.sqrt(np.diag(self._p)[_ATT])
        drift = rate_std * interval_s
        self._p[np.arange(3), np.arange(3)] += drift * (drift + 2.0 * std)
        self._bound()
        self.tilt_lost = self.tilt_lost or self.tilt_std > _TILT_LOST

    def doubt_heading(self, variance: float) -> None:
        """The heading is off by more than was thought.

        Args:
            variance: at least that of the heading, rad².
        """
        self._p[2, 2] = max(float(self._p[2, 2]), min(variance, _UNKNOWN))

    def start_tilt(
        self,
        force: Array,
        rotation_reference_imu: Array,
        averaged_s: float,
        spread: float,
        level_axis: Array | None = None,
    ) -> None:
        """Tilt is measured for the first time; ``world`` is upright by this force already.

        Args:
            force: (3,) specific force in the reference frame, m/s².
            rotation_reference_imu: (3, 3).
            averaged_s: seconds of samples behind it.
            spread: of each axis in them, m/s².
            level_axis: (3,) whose heading is zero by definition, world axes: an error of tilt is
                one of heading too, and goes with it. None where the heading is known otherwise.
        """
        self.tilt_lost = False
        heading = self._p[2, 2]
        self._unlink(_ATT)
        self._set_block(_ATT, _UNKNOWN)
        self._p[2, 2] = heading
        if level_axis is not None:
            along = level_axis[:2] / max(float(level_axis[:2] @ level_axis[:2]), 1e-6)
            slope = level_axis[2] * along
            self._p[2, :2] = self._p[:2, 2] = _UNKNOWN * slope
            self._p[2, 2] += _UNKNOWN * float(slope @ slope) + _FIRST_HEADING**2
        # A short look cannot tell swaying from gravity.
        brief = self._config.acceleration_disturbance**2 * (1.0 + 0.2 / max(averaged_s, 0.02))
        self._motion_variance = min(max(self._motion_variance, spread**2), _MOST_MOTION**2)
        self._set_block(_MOTION, max(brief, spread**2))
        world_force = self.world @ force
        upright = world_force / np.linalg.norm(world_force) * self._config.gravity
        self._correct_by_force(upright, self.world @ rotation_reference_imu, averaged_s, True)

    def propagate(
        self, interval_s: float, rotation_reference_imu: Array, turned: float, mounting_std: float
    ) -> None:
        """Let time pass with the gyroscope running.

        Args:
            interval_s: seconds.
            rotation_reference_imu: (3, 3) in the middle of the interval.
            turned: angle turned meanwhile, rad; it counts for the gyroscope's scale.
            mounting_std: of the mounting in use, each axis, rad.
        """
        config = self._config
        dt = interval_s
        transition = np.eye(_SIZE)
        transition[_ATT, _GYRO] = -dt * (self.world @ rotation_reference_imu)
        kept = math.exp(-dt / config.acceleration_correlation_s)
        transition[_MOTION, _MOTION] = kept * np.eye(3)
        self._motion = kept * self._motion
        noise = np.zeros(_SIZE)
        scale = (config.gyroscope_scale_std**2 + mounting_std**2) * turned**2
        noise[_ATT] = config.gyroscope_noise_density**2 * dt + scale
        noise[_GYRO] = config.gyroscope_random_walk**2 * dt
        noise[_ACC] = config.accelerometer_random_walk**2 * dt
        noise[_MOTION] = self._motion_variance * (1.0 - kept * kept)
        self._p = transition @ self._p @ transition.T
        self._p[np.diag_indices(_SIZE)] += noise
        self._bound()

    def correct_tilt(self, force: Array, rotation_reference_imu: Array, interval_s: float) -> None:
        """Correct by the accelerometer.

        Args:
            force: (3,) mean specific force since the last image in the reference frame, m/s².
            rotation_reference_imu: (3, 3).
            interval_s: time averaged, seconds.
        """
        self._correct_by_force(
            self.world @ force, self.world @ rotation_reference_imu, interval_s, False
        )

    def correct_at_rest(self, rate: Array, std: float) -> None:
        """The camera stands still: neither turning nor accelerating.

        Args:
            rate: (3,) mean rate measured, the bias known so far taken off, IMU axes, rad/s.
            std: of the true rate and the measurement, rad/s.
        """
        design = np.zeros((6, _SIZE))
        design[:3, _GYRO] = design[3:, _MOTION] = np.eye(3)
        noise = np.diag([std * std] * 3 + [_LEAST_MOTION**2] * 3)
        self._motion_variance = min(self._motion_variance, 4.0 * _LEAST_MOTION**2)
        self._update(design, np.concatenate([rate, -self._motion]), noise)

    def clone(self, reference: Array) -> None:
        """Remember the attitude now, for later measurements of the turn since.

        Args:
            reference: (3, 3) camera to reference frame.
        """
        self._clone = self.world @ reference
        self._p[_CLONE] = self._p[_ATT]
        self._p[:, _CLONE] = self._p[:, _ATT]
        self._p[_CLONE, _CLONE] = self._p[_ATT, _ATT]

    def turn_mounting(self, turn: Array, spin: Array) -> None:
        """The mounting was corrected.

        Args:
            turn: (3, 3) camera axes known now to those known before.
            spin: (3, 3) turn of the world that keeps the heading shown.
        """
        self.world = orthonormalised(spin @ self.world)
        if self._clone is not None:
            self._clone = spin @ self._clone @ turn

    def turn_innovation(
        self, reference: Array, turned: Array, covariance: Array
    ) -> tuple[Array, float] | None:
        """How a measured turn since the clone disagrees with the filter.

        Args:
            reference: (3, 3) camera to reference frame now.
            turned: (3, 3) measured, camera now to camera at the clone.
            covariance: (3, 3) of its error, axes of the camera at the clone, rad².

        Returns:
            (3,) innovation in world axes, rad, and its squared Mahalanobis length; None without
            a clone.
        """
        if self._clone is None:
            return None
        error = log_so3(self._clone @ turned @ (self.world @ reference).T)
        noise = self._clone @ covariance @ self._clone.T
        p = self._p
        spread = p[_ATT, _ATT] + p[_CLONE, _CLONE] - p[_ATT, _CLONE] - p[_CLONE, _ATT] + noise
        return error, float(error @ np.linalg.solve(spread, error))

    def correct_turn(self, error: Array, covariance: Array) -> None:
        """Correct by an innovation of :meth:`turn_innovation`.

        Args:
            error: (3,) innovation, world axes, rad.
            covariance: (3, 3) of the measurement, axes of the camera at the clone, rad².
        """
        if self._clone is None:
            raise ValueError("correct_turn needs a clone: call clone at the earlier image")
        design = np.zeros((3, _SIZE))
        design[:, _ATT], design[:, _CLONE] = np.eye(3), -np.eye(3)
        self._update(design, error, self._clone @ covariance @ self._clone.T)

    def correct_heading(self, error: float, std: float) -> None:
        """Correct by a heading from elsewhere.

        Args:
            error: heading measured minus heading thought, rad.
            std: of the measurement, rad.
        """
        design = np.zeros((1, _SIZE))
        design[0, 2] = 1.0
        self._update(design, np.array([error]), np.array([[std * std]]))

    def set_attitude(self, variance: float) -> None:
        """Tilt and heading were just given by odometry or TF.

        Args:
            variance: of each axis, rad².
        """
        self._unlink(_ATT)
        self._set_block(_ATT, variance)
        self._clone = None

    def _correct_by_force(
        self, force: Array, rotation_world_imu: Array, interval_s: float, first: bool
    ) -> None:
        """Residual = g [up]x phi + R dba + da; the yaw column is exactly zero."""
        config = self._config
        away = force - rotation_world_imu @ self.accelerometer_bias - config.gravity * _UP
        if not first:
            self._learn_motion(away, interval_s)
        design = np.zeros((3, _SIZE))
        design[:, _ATT] = config.gravity * skew(_UP)
        design[:, _ACC] = rotation_world_imu
        design[:, _MOTION] = np.eye(3)
        variance = config.accelerometer_noise_density**2 / max(interval_s, 1e-3) + 1e-6
        residual = away - self._motion
        if not first:
            # A wrong length cannot be a wrong tilt: it is acceleration not yet accounted for.
            length = math.sqrt(float(force @ force)) - config.gravity
            variance += max(0.0, length * length - self._motion_variance)
            spread = design @ self._p @ design.T + variance * np.eye(3)
            distance = float(residual @ np.linalg.solve(spread, residual))
            if distance > _GATE:
                variance += float(residual @ residual) * distance / _GATE**2
        self._update(design, residual, variance * np.eye(3))

    def _learn_motion(self, away: Array, interval_s: float) -> None:
        """Follow the size of the camera's own acceleration by what tilt does not explain."""
        config, p = self._config, self._p
        tilt = config.gravity**2 * (p[0, 0] + p[1, 1])
        explained = tilt + p[6, 6] + p[7, 7] + p[8, 8]
        share = min(1.0, interval_s / _MOTION_MEMORY_S)
        seen = max(0.0, float(away @ away) - explained) / 3.0
        if seen > self._motion_variance:
            share = min(1.0, _RISE * share)
        variance = self._motion_variance + share * (seen - self._motion_variance)
        self._motion_variance = min(max(variance, _LEAST_MOTION**2), _MOST_MOTION**2)

    def _update(self, design: Array, residual: Array, noise: Array) -> None:
        """Kalman update in Joseph's form, and the nominal states with it."""
        p = self._p
        gain = np.linalg.solve(design @ p @ design.T + noise, design @ p).T
        kept = np.eye(_SIZE) - gain @ design
        p = kept @ p @ kept.T + gain @ noise @ gain.T
        self._p = 0.5 * (p + p.T)
        step = gain @ residual
        self.world = orthonormalised(exp_so3(step[_ATT]) @ self.world)
        self.gyroscope_bias = self.gyroscope_bias + step[_GYRO]
        self.accelerometer_bias = self.accelerometer_bias + step[_ACC]
        self._motion = self._motion + step[_MOTION]
        if self._clone is not None:
            self._clone = orthonormalised(exp_so3(step[_CLONE]) @ self._clone)

    def _bound(self) -> None:
        """Keep the attitude's variance below that of an unknown one, and the rest consistent."""
        variance = np.diag(self._p)[_ATT]
        if float(variance.max()) <= _UNKNOWN:
            return
        shrink = np.ones(_SIZE)
        shrink[_ATT] = np.sqrt(np.minimum(1.0, _UNKNOWN / np.maximum(variance, 1e-12)))
        self._p = shrink[:, None] * self._p * shrink

    def _set_block(self, block: slice, variance: float) -> None:
        self._p[block, block] = variance * np.eye(3)

    def _unlink(self, block: slice) -> None:
        self._p[block] = 0.0
        self._p[:, block] = 0.0
