"""Settings of the inertial room, validated on construction."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from humor_ros.field_checks import AT_LEAST_0, FINITE, POSITIVE, check_fields
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
    "heading_time_constant_s",
    "max_correction_rate",
    "max_angular_velocity",
    "acceleration_correlation_s",
    "background_noise",
    "mounting_prior_std",
    "time_offset_prior_std_s",
    "max_linear_acceleration",
    "max_pose_speed",
    "max_pose_rate",
)
#: Ends of the names of numbers that are 0 or more.
_NOT_NEGATIVE = ("_density", "_stability", "_disturbance", "_std", "_std_s", "_walk")


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
        gyroscope_random_walk: of the bias, rad/s²/sqrt(Hz).
        gyroscope_bias_stability: standard deviation of the bias at the start beside
            ``gyroscope_bias``, rad/s.
        gyroscope_scale_std: relative error of the gyroscope's scale and axes.
        accelerometer_noise_density: m/s²/sqrt(Hz).
        accelerometer_random_walk: of the bias, m/s³/sqrt(Hz).
        accelerometer_bias_stability: standard deviation of the bias of each axis, m/s².
        acceleration_disturbance: acceleration of the camera that the accelerometer cannot
            tell from gravity, standard deviation at the start (learnt from then on), m/s².
        acceleration_correlation_s: memory of that acceleration, seconds.
        gravity: magnitude expected at rest, m/s².
        gravity_window_s: accelerometer samples up to this long before the first image
            give the first tilt.
        heading_time_constant_s: how slowly odometry corrects heading beside an IMU.
        max_correction_rate: fastest turn of the shown world towards a corrected one,
            rad/s; corrections never jump, except in the first ``gravity_window_s``.
        max_gap_s: longest silence of the IMU that is bridged; the last rate is held for
            this long and the camera counts as static after it.
        max_pose_gap_s: longest distance between two camera poses to interpolate across.
        max_pose_age_s: how far beyond the newest camera pose one may extrapolate.
        max_pose_speed, max_pose_rate: a camera whose poses move (m/s) or turn (rad/s) faster than
            this did not move: TF jumped (REP-105).
        clock_jump_s: stamps further than this from the newest are taken for a jump.
        buffer_s: seconds of samples kept while no image comes, and of camera poses.
        max_angular_velocity: larger rates are refused as invalid, rad/s.
        max_linear_acceleration: larger values are refused as invalid, m/s².
        background_noise: of a background point in one image and axis, on the image plane
            z = 1 (0.5 pixel at a focal length of 850).
        mounting_std: of the rotation camera<-imu that is told, each axis, rad; part of the
            covariance until the mounting is found.
        time_offset_std_s: of the time offset that is told, seconds.
        mounting_prior_std: how far the mounting may be off at all, rad.
        time_offset_prior_std_s: how far the offset may be off at all, seconds.
        self_calibration: whether mounting and offset found are applied.
        magnetic_heading_std: error of a heading by an undisturbed magnetometer, rad.
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
    gyroscope_random_walk: float = 3.0e-5
    gyroscope_bias_stability: float = 8.7e-3
    gyroscope_scale_std: float = 5.0e-3
    accelerometer_noise_density: float = 2.0e-3
    accelerometer_random_walk: float = 3.0e-4
    accelerometer_bias_stability: float = 0.05
    acceleration_disturbance: float = 0.15
    acceleration_correlation_s: float = 0.3
    gravity: float = 9.80665
    gravity_window_s: float = 0.5
    heading_time_constant_s: float = 1.0
    max_correction_rate: float = 0.35
    max_gap_s: float = 0.1
    max_pose_gap_s: float = 0.5
    max_pose_age_s: float = 0.1
    max_pose_speed: float = 5.0
    max_pose_rate: float = 8.0
    clock_jump_s: float = 1.0
    buffer_s: float = 30.0
    max_angular_velocity: float = 100.0
    max_linear_acceleration: float = 1000.0
    background_noise: float = 6.0e-4
    mounting_std: float = 0.0175
    time_offset_std_s: float = 0.005
    mounting_prior_std: float = 0.17
    time_offset_prior_std_s: float = 0.05
    self_calibration: bool = True
    magnetic_heading_std: float = 0.09
    level_std: float = 0.26
    lost_rate_std: float = 0.2

    def __post_init__(self) -> None:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        numbers = [name for name, value in values.items() if isinstance(value, (int, float))]
        check_fields(self, FINITE, *numbers)
        check_fields(self, POSITIVE, *_POSITIVE)
        check_fields(self, AT_LEAST_0, *(n for n in numbers if n.endswith(_NOT_NEGATIVE)))
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
