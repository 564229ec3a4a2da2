"""Settings of the inertial room, validated on construction."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

import numpy as np

from humor_ros.inertial.so3 import nearest_rotation
from humor_ros.types import Array

__all__ = ["InertialConfig", "validated_rotation"]

_POSITIVE = (
    "max_gap_s",
    "max_pose_gap_s",
    "max_pose_age_s",
    "clock_jump_s",
    "buffer_s",
    "gravity",
    "gravity_window_s",
    "gravity_time_constant_s",
    "heading_time_constant_s",
    "acceleration_tolerance",
    "rate_tolerance",
    "max_correction_rate",
    "max_angular_velocity",
    "max_linear_acceleration",
)


@dataclass(frozen=True, eq=False)
class InertialConfig:
    """Settings of :class:`~humor_ros.inertial.estimator.CameraMotionEstimator`.

    Attributes:
        rotation_camera_imu: (3, 3) IMU axes to optical camera axes. The identity means an
            IMU that already reports in optical axes; None means "not known yet": samples
            are counted and not used until ``set_extrinsics``.
        imu_time_offset_s: added to IMU stamps to bring them to the images' clock.
        gyroscope_bias: (3,) constant rate error in IMU axes, subtracted, rad/s.
        gyroscope_noise_density: rad/s/sqrt(Hz). The default is a consumer MEMS part.
        gyroscope_bias_stability: standard deviation of the bias that remains, rad/s.
        accelerometer_noise_density: m/s²/sqrt(Hz).
        acceleration_disturbance: slow acceleration of the camera that the accelerometer
            cannot tell from gravity, standard deviation, m/s².
        gravity: magnitude expected at rest, m/s².
        gravity_window_s: accelerometer samples up to this long before the first image
            give the first tilt.
        gravity_time_constant_s: how slowly the accelerometer corrects tilt after that.
        heading_time_constant_s: how slowly odometry corrects heading beside an IMU.
        acceleration_tolerance: fraction of ``gravity`` by which the norm may differ
            before the accelerometer's trust has fallen to 0.6 (it is 0 at three times).
        rate_tolerance: angular rate at which the accelerometer's trust is halved, rad/s.
        max_correction_rate: fastest turn of the shown world towards a corrected one,
            rad/s; corrections never jump, except in the first ``gravity_window_s``.
        max_gap_s: longest silence of the IMU that is bridged; the last rate is held for
            this long and the camera counts as static after it.
        max_pose_gap_s: longest distance between two camera poses to interpolate across.
        max_pose_age_s: how far beyond the newest camera pose one may extrapolate.
        clock_jump_s: stamps further than this from the newest are taken for a jump.
        buffer_s: seconds of samples kept while no image comes, and of camera poses.
        max_angular_velocity: larger rates are refused as invalid, rad/s.
        max_linear_acceleration: larger values are refused as invalid, m/s².
        level_std: tilt error (1 sigma) stated where the camera is assumed level, rad.
        lost_rate_std: turn rate (1 sigma) assumed of a camera whose IMU fell silent,
            rad/s.

    Raises:
        ValueError: naming the field that is out of range.
    """

    rotation_camera_imu: Array | None = field(default_factory=lambda: np.eye(3))
    imu_time_offset_s: float = 0.0
    gyroscope_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gyroscope_noise_density: float = 1.5e-4
    gyroscope_bias_stability: float = 3.5e-3
    accelerometer_noise_density: float = 2.0e-3
    acceleration_disturbance: float = 0.15
    gravity: float = 9.80665
    gravity_window_s: float = 0.5
    gravity_time_constant_s: float = 2.0
    heading_time_constant_s: float = 1.0
    acceleration_tolerance: float = 0.05
    rate_tolerance: float = 2.0
    max_correction_rate: float = 0.35
    max_gap_s: float = 0.1
    max_pose_gap_s: float = 0.5
    max_pose_age_s: float = 0.1
    clock_jump_s: float = 1.0
    buffer_s: float = 30.0
    max_angular_velocity: float = 100.0
    max_linear_acceleration: float = 1000.0
    level_std: float = 0.26
    lost_rate_std: float = 0.2

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, (int, float)) and not math.isfinite(value):
                raise ValueError(f"InertialConfig.{item.name} must be finite, got {value}")
            if item.name in _POSITIVE and value <= 0:
                raise ValueError(f"InertialConfig.{item.name} must be positive, got {value}")
            if item.name.endswith(("_density", "_stability", "_disturbance", "_std")) and value < 0:
                raise ValueError(f"InertialConfig.{item.name} must not be negative, got {value}")
        bias = np.asarray(self.gyroscope_bias, dtype=np.float64)
        if bias.shape != (3,) or not np.isfinite(bias).all():
            raise ValueError(
                f"InertialConfig.gyroscope_bias must be 3 finite numbers, got {self.gyroscope_bias}"
            )
        if self.rotation_camera_imu is not None:
            rotation = validated_rotation(self.rotation_camera_imu, "rotation_camera_imu")
            object.__setattr__(self, "rotation_camera_imu", rotation)


def validated_rotation(matrix: Array, name: str, tolerance: float = 1e-2) -> Array:
    """Check that a matrix is a rotation and return it exactly orthonormal.

    Args:
        matrix: (3, 3).
        name: of the argument, for the error.
        tolerance: largest deviation of any element from the nearest rotation.

    Returns:
        (3, 3) the nearest rotation.

    Raises:
        ValueError: if the shape is wrong, or the matrix is no (proper) rotation.
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.shape != (3, 3):
        raise ValueError(f"{name} must have shape (3, 3), got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinite values")
    rotation = nearest_rotation(values)
    if float(np.abs(rotation - values).max()) > tolerance:
        raise ValueError(
            f"{name} is not a rotation matrix (orthonormal, determinant +1): {values.tolist()}"
        )
    return rotation
