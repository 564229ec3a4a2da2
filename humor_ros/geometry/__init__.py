"""Rotations, fixed frame conventions and the pinhole camera."""

from __future__ import annotations

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.geometry.frames import ROTATION_FLU_OPTICAL, ROTATION_YUP_YDOWN
from humor_ros.geometry.rotation import (
    axis_angle_to_matrix,
    axis_angle_to_quaternion_xyzw,
    geodesic_distance,
    matrix_to_axis_angle,
    matrix_to_quaternion_xyzw,
    matrix_to_rotation_6d,
    project_to_rotation,
    quaternion_xyzw_to_axis_angle,
    quaternion_xyzw_to_matrix,
    rotation_6d_to_matrix,
)

__all__ = [
    "ROTATION_FLU_OPTICAL",
    "ROTATION_YUP_YDOWN",
    "PinholeCamera",
    "axis_angle_to_matrix",
    "axis_angle_to_quaternion_xyzw",
    "geodesic_distance",
    "matrix_to_axis_angle",
    "matrix_to_quaternion_xyzw",
    "matrix_to_rotation_6d",
    "project_to_rotation",
    "quaternion_xyzw_to_axis_angle",
    "quaternion_xyzw_to_matrix",
    "rotation_6d_to_matrix",
]
