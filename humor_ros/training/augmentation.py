"""Variety from few clips: mirroring, headings, mixed arms, bent joints and body shapes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_MIRROR
from humor_ros.geometry.rotation import axis_angle_to_matrix, rotation_6d_to_matrix
from humor_ros.training.config import DataConfig
from humor_ros.training.mocap import MocapLibrary

__all__ = ["MotionBatch", "heading_matrix", "mirror_motion", "sample_betas", "sample_motion"]

#: Collars, shoulders, elbows, wrists and hands: what is exchanged between windows.
ARM_JOINTS = (13, 14, 16, 17, 18, 19, 20, 21, 22, 23)
#: Spine, neck, head and arms: what is bent by a constant offset.
PERTURBED_JOINTS = (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21)


@dataclass(frozen=True)
class MotionBatch:
    """Augmented motion of B people over T frames, y-down world.

    Attributes:
        rotations: (B, T, 24, 3, 3) joint rotations, the root's in the world.
        root_position: (B, T, 3) pelvis joint as recorded (default body), metres.
        betas: (B, 10) shape.
    """

    rotations: Tensor
    root_position: Tensor
    betas: Tensor


def heading_matrix(angle: Tensor) -> Tensor:
    """Rotation about the vertical (y) axis, (...,) radians to (..., 3, 3)."""
    cosine, sine = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    rows = (cosine, zero, sine, zero, one, zero, -sine, zero, cosine)
    return torch.stack(rows, -1).reshape(*angle.shape, 3, 3)


def mirror_motion(rotations: Tensor, root_position: Tensor) -> tuple[Tensor, Tensor]:
    """Exchange left and right: reflect in the plane x = 0.

    Args:
        rotations: (..., 24, 3, 3).
        root_position: (..., 3) metres.

    Returns:
        Both of the mirrored person.
    """
    sign = rotations.new_tensor([-1.0, 1.0, 1.0])
    mirrored = rotations[..., list(SMPL_MIRROR), :, :] * (sign[:, None] * sign[None, :])
    return mirrored, root_position * sign


def sample_betas(config: DataConfig, batch: int, generator: torch.Generator) -> Tensor:
    """(B, 10) shape coefficients, clipped normal."""
    betas = torch.randn(batch, 10, generator=generator) * config.betas_std
    betas[:, 0] += config.betas_mean_first
    return betas.clamp(-config.betas_limit, config.betas_limit)


def sample_motion(
    library: MocapLibrary,
    clip_weights: Tensor,
    config: DataConfig,
    batch: int,
    generator: torch.Generator,
    *,
    augment: bool = True,
) -> MotionBatch:
    """Draw B windows of ``window_frames + 1`` frames and augment them.

    Args:
        library: clips of one split.
        clip_weights: (C,) chance of each clip.
        config: how to draw.
        batch: B.
        generator: source of all chance.
        augment: False keeps speed, sides and joints as recorded.

    Returns:
        The windows; frame 0 is the frame of the initialisation.
    """
    frames = config.window_frames + 1
    clip = torch.multinomial(clip_weights, batch, replacement=True, generator=generator)
    position = torch.rand(batch, generator=generator)
    speed = torch.ones(batch)
    if augment:
        low, high = config.speed_range
        speed = low + (high - low) * torch.rand(batch, generator=generator)
    window = library.windows(clip, position, frames, speed)
    rotations = rotation_6d_to_matrix(window.rotations_6d)
    root = window.root_position
    heading = heading_matrix(torch.rand(batch, generator=generator) * (2 * torch.pi))
    betas = sample_betas(config, batch, generator)
    if augment:
        mix = torch.rand(batch, generator=generator) < config.arm_mix_probability
        donor = torch.where(mix, torch.arange(batch).roll(1), torch.arange(batch))
        arms = list(ARM_JOINTS)
        rotations[:, :, arms] = rotations[donor][:, :, arms]
        bent = list(PERTURBED_JOINTS)
        offset = torch.randn(batch, 1, len(bent), 3, generator=generator)
        offset = axis_angle_to_matrix(offset * config.joint_perturbation_rad)
        rotations[:, :, bent] = rotations[:, :, bent] @ offset
        mirrored, mirrored_root = mirror_motion(rotations, root)
        flip = torch.rand(batch, generator=generator) < config.mirror_probability
        rotations = torch.where(flip[:, None, None, None, None], mirrored, rotations)
        root = torch.where(flip[:, None, None], mirrored_root, root)
        same = torch.rand(batch, generator=generator) < config.duplicate_first_probability
    else:
        same = torch.ones(batch, dtype=torch.bool)
    rotations[:, 0] = torch.where(same[:, None, None, None], rotations[:, 1], rotations[:, 0])
    root = root.clone()
    root[:, 0] = torch.where(same[:, None], root[:, 1], root[:, 0])
    rotations[:, :, 0] = heading[:, None] @ rotations[:, :, 0]
    root = (heading[:, None] @ root[..., None])[..., 0]
    return MotionBatch(rotations, root, betas)
