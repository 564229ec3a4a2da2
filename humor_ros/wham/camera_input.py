"""Camera rotation in the network's form: six numbers, zero for a camera at rest."""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.geometry.rotation import (
    matrix_to_rotation_6d,
    quaternion_xyzw_to_matrix,
    rotation_6d_to_matrix,
)

__all__ = ["camera_angular_velocity", "camera_turn", "published_demo_angular_velocity"]

_REST = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def camera_angular_velocity(rotation_previous_current: Tensor, frame_rate: float = 30.0) -> Tensor:
    """Turn the camera's rotation since the previous frame into the network's input.

    For small angles this is ``[0, -wz, wy, wz, 0, -wx]`` with the angular velocity w in camera
    axes, rad/s.

    Args:
        rotation_previous_current: (..., 3, 3) R_{k-1} R_k^T with R world-to-camera: it maps
            camera axes now to camera axes at the previous frame, ``Exp(w dt)`` for a gyro.
        frame_rate: frames a second.

    Returns:
        (..., 6).
    """
    rest = rotation_previous_current.new_tensor(_REST)
    return (matrix_to_rotation_6d(rotation_previous_current) - rest) * frame_rate


def camera_turn(angular_velocity: Tensor, frame_rate: float = 30.0) -> Tensor:
    """Undo :func:`camera_angular_velocity`: (..., 6) to (..., 3, 3)."""
    return rotation_6d_to_matrix(angular_velocity / frame_rate + angular_velocity.new_tensor(_REST))


def published_demo_angular_velocity(quaternion_xyzw: Tensor, frame_rate: float) -> Tensor:
    """Angular velocity as the published demo derives it from a SLAM trajectory.

    It is one frame ahead (frame k gets the rotation to k + 1, the last frame a copy of the
    first), unlike training and evaluation; for comparison with published results only.

    Args:
        quaternion_xyzw: (T, 4) camera-to-world rotations.
        frame_rate: frames a second.

    Returns:
        (T, 6).
    """
    rotation_world_camera = quaternion_xyzw_to_matrix(quaternion_xyzw)
    ahead = rotation_world_camera[:-1].transpose(-1, -2) @ rotation_world_camera[1:]
    velocity = camera_angular_velocity(ahead, frame_rate)
    return torch.cat((velocity, velocity[:1]))
