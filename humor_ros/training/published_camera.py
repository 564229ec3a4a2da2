"""The virtual cameras of the published training (spec of WHAM, section 6).

A camera is the map p_camera = R p_world + t from the y-down world, in which the person starts at
the origin, to the optical frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.geometry.rotation import (
    axis_angle_to_matrix,
    matrix_to_rotation_6d,
    rotation_6d_to_matrix,
)
from humor_ros.training.augmentation import heading_matrix
from humor_ros.training.published_config import PublishedCameraConfig

__all__ = ["PublishedCameras", "published_cameras"]

#: The person's place may lie so far beside the axis, in depths: 1.2 of the half diagonal's tangent.
_LARGEST_TANGENT = 1.2 * 0.5**0.5
_NEAREST_M, _PUSHED_TO_M = 0.5, 1.0


@dataclass(frozen=True)
class PublishedCameras:
    """Cameras of B clips over T frames.

    Attributes:
        rotation_camera_world: (B, T, 3, 3).
        position: (B, T, 3) place of the person (mid-hip) in the camera, metres.
    """

    rotation_camera_world: Tensor
    position: Tensor


def published_cameras(
    hips: Tensor, config: PublishedCameraConfig, generator: torch.Generator
) -> PublishedCameras:
    """Draw a camera for each clip.

    Args:
        hips: (B, T, 3) way of the mid-hip in the world from the origin on, metres.
        config: how to draw.
        generator: source of all chance.

    Returns:
        The cameras; a person who would come too near or go out of sight is pushed back.
    """
    batch, frames, _ = hips.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator)

    zero = torch.zeros(batch)
    yaw = torch.rand(batch, generator=generator) * (2 * torch.pi)
    pitch = config.pitch_mean_rad + config.pitch_std_rad * normal()
    roll = config.roll_std_rad * normal()
    first = (
        axis_angle_to_matrix(torch.stack((zero, zero, roll), -1))
        @ axis_angle_to_matrix(torch.stack((pitch, zero, zero), -1))
        @ heading_matrix(yaw)
    )
    near, far = config.depth_m
    depth = near + (far - near) * torch.rand(batch, generator=generator)
    half_width = config.image_size[0] * depth / (2 * config.focal)
    side = config.offset_std * normal(2) * half_width[:, None]
    start = torch.cat((side, depth[:, None]), -1)
    turn = axis_angle_to_matrix(normal(3) * torch.tensor(config.turn_std_rad))
    travel = config.travel_std_m * normal(3)
    moving = torch.rand(batch, generator=generator) < config.moving_share
    jitter = config.time_jitter * (2 * torch.rand(batch, frames, generator=generator) - 1)
    time = (torch.arange(frames) + jitter) / max(frames - 1, 1)
    time = time.clamp(0.0, 1.0) * moving[:, None]
    ends = matrix_to_rotation_6d(first), matrix_to_rotation_6d(first @ turn)
    rotation = rotation_6d_to_matrix(
        torch.lerp(ends[0][:, None], ends[1][:, None], time[..., None])
    )
    translation = start[:, None] + travel[:, None] * time[..., None]
    position = (rotation @ hips[..., None])[..., 0] + translation
    return PublishedCameras(rotation, position + _push(position))


def _push(position: Tensor) -> Tensor:
    """(B, 1, 3) way along the camera's axis that keeps the person in sight throughout."""
    depth = position[..., 2]
    nearest = depth.amin(1)
    push = torch.where(nearest < _NEAREST_M, _PUSHED_TO_M - nearest, 0.0)
    needed = position[..., :2].abs().amax(-1) / _LARGEST_TANGENT
    push = push + (needed - depth - push[:, None]).amax(1).clamp_min(0.0)
    return torch.nn.functional.pad(push[:, None], (2, 0))[:, None]
