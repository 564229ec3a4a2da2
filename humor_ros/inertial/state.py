"""What the inertial part knows of its sensors, for diagnostics and for people."""

from __future__ import annotations

from dataclasses import dataclass

from humor_ros.inertial.self_calibration import Calibration
from humor_ros.types import Array

__all__ = ["InertialState"]


@dataclass(frozen=True, eq=False)
class InertialState:
    """State as of the last image.

    Attributes:
        gyroscope_bias: (3,) configured and found together, IMU axes, rad/s.
        gyroscope_bias_std: (3,) rad/s.
        accelerometer_bias: (3,) IMU axes, m/s².
        acceleration_std: size of the camera's own acceleration, m/s².
        at_rest: whether the IMU stands still.
        seeing: whether the background corrects the attitude.
        time_offset_s: in use, to be added to IMU stamps.
        rotation_camera_imu: (3, 3) in use; None while unknown.
        calibration: what was found; None before there was a solution.
    """

    gyroscope_bias: Array
    gyroscope_bias_std: Array
    accelerometer_bias: Array
    acceleration_std: float
    at_rest: bool
    seeing: bool
    time_offset_s: float
    rotation_camera_imu: Array | None
    calibration: Calibration | None
