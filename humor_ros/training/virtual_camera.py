"""Virtual cameras around a person: static or moving, with an imperfect gyroscope.

A camera is the map p_camera = R (p_world - centre) + t with R from WHAM's y-down world to the
optical frame. Focal length sqrt(W² + H²) and the principal point at the centre, as WHAM assumes
(spec of WHAM, sections 2 and 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.geometry.rotation import axis_angle_to_matrix
from humor_ros.training.augmentation import heading_matrix
from humor_ros.training.synthesis_config import CameraConfig
from humor_ros.wham.camera_input import camera_angular_velocity

__all__ = ["CameraBatch", "place_cameras", "project"]

_FPS = 30.0
_NEAREST_M = 0.6


@dataclass(frozen=True)
class CameraBatch:
    """One moving camera for each of B people over T frames.

    Attributes:
        rotation_camera_world: (B, T, 3, 3).
        translation: (B, T, 3) of the person's mid-hip in the camera frame, metres.
        image_size: (B, 2) W, H in pixels.
        focal: (B,) pixels.
        angular_velocity: (B, T - 1, 6) WHAM's camera input between frames t and t + 1, with
            the gyroscope's errors.
        rotation_previous_current: (B, T - 1, 3, 3) the same as rotations.
    """

    rotation_camera_world: Tensor
    translation: Tensor
    image_size: Tensor
    focal: Tensor
    angular_velocity: Tensor
    rotation_previous_current: Tensor


def project(points: Tensor, focal: Tensor, image_size: Tensor) -> Tensor:
    """Pinhole projection with the principal point at the centre of the image.

    Args:
        points: (B, T, N, 3) camera frame, metres.
        focal: (B,) pixels.
        image_size: (B, 2) W, H pixels.

    Returns:
        (B, T, N, 2) pixels; depth is kept above 0.1 m.
    """
    plane = points[..., :2] / points[..., 2:].clamp_min(0.1)
    return plane * focal[:, None, None, None] + image_size[:, None, None] / 2


def _uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)


def _distances(config: CameraConfig, batch: int, generator: torch.Generator) -> Tensor:
    choice = torch.rand(batch, generator=generator)
    place = torch.rand(batch, generator=generator)

    def log_uniform(span: tuple[float, float]) -> Tensor:
        return span[0] * (span[1] / span[0]) ** place

    near, far = log_uniform(config.near_m), log_uniform(config.far_m)
    distance = torch.where(choice < config.near_share, near, log_uniform(config.middle_m))
    return torch.where(choice > 1 - config.far_share, far, distance)


def _rotations(
    config: CameraConfig, batch: int, frames: int, moving: Tensor, generator: torch.Generator
) -> Tensor:
    heading = _uniform(-torch.pi, torch.pi, (batch,), generator)
    heading = heading * (torch.rand(batch, generator=generator) < 0.5)
    pitch = config.pitch_mean_rad + config.pitch_std_rad * torch.randn(batch, generator=generator)
    roll = config.roll_std_rad * torch.randn(batch, generator=generator)
    zero = torch.zeros_like(pitch)
    tilt = axis_angle_to_matrix(torch.stack([pitch.clamp(-1.2, 1.2), zero, zero], -1))
    lean = axis_angle_to_matrix(torch.stack([zero, zero, roll], -1))
    start = lean @ tilt @ heading_matrix(heading)
    time = torch.linspace(0, 1, frames)[None, :, None]
    ramp = torch.randn(batch, 1, 3, generator=generator) * torch.tensor(config.ramp_std_rad)
    cycles = _uniform(0.5, 4.0, (batch, 1, 3), generator)
    phase = _uniform(0.0, 2 * torch.pi, (batch, 1, 3), generator)
    size = config.sway_std_rad * torch.randn(batch, 1, 3, generator=generator)
    tremor = config.tremor_std_rad * torch.randn(batch, frames, 3, generator=generator)
    turn = ramp * time + size * (2 * torch.pi * cycles * time + phase).sin() + tremor
    return axis_angle_to_matrix(turn * moving[:, None, None]) @ start[:, None]


def place_cameras(
    hips_world: Tensor, config: CameraConfig, generator: torch.Generator
) -> CameraBatch:
    """Place one camera for each person so that the person is mostly seen.

    Args:
        hips_world: (B, T, 3) way of the mid-hip in the world, metres.
        config: how to draw.
        generator: source of all chance.

    Returns:
        The cameras.
    """
    batch, frames, _ = hips_world.shape
    moving = (torch.rand(batch, generator=generator) < config.moving_share).float()
    rotation = _rotations(config, batch, frames, moving, generator)
    sizes = torch.tensor(config.image_sizes, dtype=torch.float32)
    image_size = sizes[torch.randint(len(sizes), (batch,), generator=generator)]
    focal = image_size.norm(dim=-1)
    distance = _distances(config, batch, generator)
    offset = torch.randn(batch, 2, generator=generator) * torch.tensor([0.16, 0.07])
    offset = offset.clamp(-0.4, 0.4) * image_size / focal[:, None]
    # A moving camera may follow: the person's own way is seen only in part.
    follow = torch.rand(batch, generator=generator) * moving
    way = (hips_world - hips_world.mean(1, keepdim=True)) * (1 - follow)[:, None, None]
    seen = (rotation @ way[..., None])[..., 0]
    time = torch.linspace(-0.5, 0.5, frames)[None, :, None]
    travel = config.travel_std_m * torch.randn(batch, 1, 3, generator=generator)
    travel = travel * torch.tensor([1.0, 0.4, 1.0]) * moving[:, None, None]
    seen = seen + travel * time
    half_width = (image_size / focal[:, None] / 2)[:, None]
    needed = (seen[..., :2].abs() / (0.7 * half_width)).amax(-1) - seen[..., 2]
    distance = torch.maximum(distance, needed.amax(1).clamp(max=12.0))
    distance = torch.maximum(distance, _NEAREST_M + 0.4 - seen[..., 2].amin(1))
    centre = torch.cat([offset * distance[:, None], distance[:, None]], -1)
    relative = rotation[:, :-1] @ rotation[:, 1:].mT
    bias = torch.randn(batch, 1, 3, generator=generator) * config.gyro_bias_rad_s
    noise = torch.randn(batch, frames - 1, 3, generator=generator) * config.gyro_noise_rad_s
    error = axis_angle_to_matrix((bias + noise) / _FPS)
    # Static cameras mostly come without any gyroscope: exact zeros.
    exact = (moving == 0) & (torch.rand(batch, generator=generator) < 0.7)
    error = torch.where(exact[:, None, None, None], torch.eye(3), error)
    return CameraBatch(
        rotation_camera_world=rotation,
        translation=seen + centre[:, None],
        image_size=image_size,
        focal=focal,
        angular_velocity=camera_angular_velocity(relative @ error),
        rotation_previous_current=relative @ error,
    )
