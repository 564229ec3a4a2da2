"""Attitude of the camera as ``sensor_msgs/Imu``, for RViz and for filters of others."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Quaternion, Vector3
from sensor_msgs.msg import Imu
from std_msgs.msg import Header

from humor_ros.inertial.so3 import log_so3
from humor_ros.ros.rotation_door import quaternion_xyzw_from_matrix
from humor_ros.types import CameraMotion, CameraMotionMode

__all__ = ["camera_imu_message"]

#: REP-145: a covariance that begins with this says that nothing was measured.
_NOT_MEASURED = -1.0


def camera_imu_message(motion: CameraMotion, header: Header) -> Imu:
    """The camera's attitude and turn rate at an image.

    Args:
        motion: of the camera up to this image.
        header: of the image, with the camera's optical frame.

    Returns:
        ``orientation`` turns the optical frame into the gravity-true world, with the covariance
        of a small turn about the world's axes, rad²; ``angular_velocity`` is the mean since the
        image before, optical axes, marked as not measured where the camera only counts as still;
        accelerations are not given.
    """
    message = Imu(header=header)
    x, y, z, w = quaternion_xyzw_from_matrix(motion.rotation_world_camera).tolist()
    message.orientation = Quaternion(x=x, y=y, z=z, w=w)
    message.orientation_covariance = np.ascontiguousarray(motion.rotation_covariance).reshape(9)
    turning = np.zeros(9)
    turning[0] = _NOT_MEASURED
    if motion.interval_s > 0.0 and motion.mode is not CameraMotionMode.STATIC:
        rate = log_so3(motion.rotation_previous_current) / motion.interval_s
        message.angular_velocity = Vector3(x=rate[0], y=rate[1], z=rate[2])
        turning[0] = 0.0  # all zero: measured, covariance unknown
    message.angular_velocity_covariance = turning
    message.linear_acceleration_covariance = np.array([_NOT_MEASURED, *[0.0] * 8])
    return message
