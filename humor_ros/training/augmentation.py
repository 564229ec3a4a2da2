"""Variety from few clips: mirroring, headings, mixed arms, bent joints and body shapes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_MIRROR
from humor_ros.geometry.rotation import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    rotation_6d_to_matrix,
)
from humor_ros.training.mocap import MocapLibrary
from humor_ros.training.synthesis_config import DataConfig

__all__ = ["MotionBatch", "heading_matrix", "mirror_motion", "sample_betas", "sample_motion"]

#: Collars, shoulders, elbows, wrists and hands: what is exchanged between windows.
ARM_JOINTS = (13, 14, 16, 17, 18, 19, 20, 21, 22, 23)
#: Spine, neck, head and arms: what is bent by a constant offset.
PERTURBED_JOINTS = (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21)


#: Limbs that are exchanged between windows one by one.
LIMB_JOINTS = {
    "left arm": (13, 16, 18, 20, 22),
    "right arm": (14, 17, 19, 21, 23),
    "left leg": (1, 4, 7, 10),
    "right leg": (2, 5, 8, 11),
    "torso": (3, 6, 9, 12, 15),
}
#: Joints that turn in all directions, with how far they are turned beside the shoulders.
BALL_JOINT_GAIN = {1: 0.8, 2: 0.8, 3: 0.4, 6: 0.3, 9: 0.2, 12: 0.5, 15: 0.4, 16: 1.0, 17: 1.0}
HINGE_JOINTS = (4, 5, 18, 19)
#: Elbows and knees bend no further.
HINGE_LIMIT_RAD = 2.5


@dataclass(frozen=True)
class MotionBatch:
    """Augmented motion of B people over T frames, y-down world.

    Attributes:
        rotations: (B, T, 24, 3, 3) joint rotations, the root's in the world.
        root_position: (B, T, 3) pelvis joint as recorded (default body), metres.
        betas: (B, 10) shape.
        physical: (B,) false where the motion was changed so that feet and way do not agree.
    """

    rotations: Tensor
    root_position: Tensor
    betas: Tensor
    physical: Tensor


def mix_limbs(
    rotations: Tensor, probability: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Take each arm, each leg and the torso from another window with this probability.

    Args:
        rotations: (B, T, 24, 3, 3).
        probability: of each exchange.
        generator: source of all chance.

    Returns:
        The mixed windows, and (B,) whether both legs are still those of the root's way.
    """
    batch = len(rotations)
    own = torch.arange(batch)
    whole = torch.ones(batch, dtype=torch.bool)
    if probability <= 0:
        return rotations, whole
    mixed = rotations.clone()
    for name, joints in LIMB_JOINTS.items():
        mix = torch.rand(batch, generator=generator) < probability
        donor = torch.where(mix, torch.randint(batch, (batch,), generator=generator), own)
        mixed[:, :, list(joints)] = rotations[donor][:, :, list(joints)]
        if "leg" in name:
            whole &= ~mix
    return mixed, whole


def bend_limbs(
    rotations: Tensor, config: DataConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Turn ball joints by a constant offset and scale the bend of elbows and knees in some windows.

    Args:
        rotations: (B, T, 24, 3, 3).
        config: how often and how far.
        generator: source of all chance.

    Returns:
        The bent windows, and (B,) whether a window was left alone.
    """
    batch = len(rotations)
    bent = torch.rand(batch, generator=generator) < config.limb_bend_probability
    if config.limb_bend_probability <= 0:
        return rotations, ~bent
    rotations = rotations.clone()
    balls = list(BALL_JOINT_GAIN)
    gain = torch.tensor(list(BALL_JOINT_GAIN.values()))[:, None]
    size = config.limb_bend_rad * bent[:, None, None, None]
    offset = torch.randn(batch, 1, len(balls), 3, generator=generator) * gain * size
    rotations[:, :, balls] = rotations[:, :, balls] @ axis_angle_to_matrix(offset)
    factor = 1 + 0.35 * torch.randn(batch, 1, len(HINGE_JOINTS), 1, generator=generator)
    factor = torch.where(bent[:, None, None, None], factor.clamp(0.0, 1.6), 1.0)
    hinges = list(HINGE_JOINTS)
    bend = matrix_to_axis_angle(rotations[:, :, hinges])
    angle = bend.norm(dim=-1, keepdim=True)
    limit = (HINGE_LIMIT_RAD / angle.clamp_min(1e-6)).clamp_min(1.0)
    rotations[:, :, hinges] = axis_angle_to_matrix(bend * torch.minimum(factor, limit))
    return rotations, ~bent


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
    physical = torch.ones(batch, dtype=torch.bool)
    if augment:
        rotations, whole = mix_limbs(rotations, config.limb_mix_probability, generator)
        rotations, straight = bend_limbs(rotations, config, generator)
        physical = whole & straight
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
    if augment:
        tilted = torch.rand(batch, generator=generator) < config.tilt_probability
        tilt = torch.randn(batch, 3, generator=generator) * config.tilt_rad * tilted[:, None]
        tilt = tilt * torch.tensor([1.0, 0.0, 1.0])
        rotations[:, :, 0] = axis_angle_to_matrix(tilt)[:, None] @ rotations[:, :, 0]
        physical = physical & ~tilted
    rotations[:, :, 0] = heading[:, None] @ rotations[:, :, 0]
    root = (heading[:, None] @ root[..., None])[..., 0]
    return MotionBatch(rotations, root, betas, physical)
