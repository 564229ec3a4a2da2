"""The simulated 2D detector of the published training (spec of WHAM, section 6)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from humor_ros.training.keypoint_noise import propagate_mask
from humor_ros.training.published_config import PublishedNoiseConfig

__all__ = ["box_around", "noisy_points", "shaken_boxes", "smooth_boxes", "unseen_joints"]


def noisy_points(
    points: Tensor, config: PublishedNoiseConfig, generator: torch.Generator
) -> Tensor:
    """Move 3D key-points as a detector would err: a bias for the clip, white noise, rare peaks.

    Args:
        points: (B, T, 17, 3) metres.
        config: sizes.
        generator: source of all chance.

    Returns:
        (B, T, 17, 3) metres.
    """
    batch, frames, joints, _ = points.shape
    bias = config.bias_m * torch.randn(batch, 1, joints, 3, generator=generator)
    jitter = config.jitter_m * torch.randn(points.shape, generator=generator)
    peak = config.peak_m * torch.randn(batch, 1, 1, 3, generator=generator)
    hit = torch.rand(batch, frames, joints, 1, generator=generator) < config.peak_probability
    return points + bias + jitter + peak * hit


def unseen_joints(
    batch: int, frames: int, config: PublishedNoiseConfig, generator: torch.Generator
) -> Tensor:
    """Draw what the detector does not see: (B, T, 17) bool; passed down the limbs."""
    chance = torch.rand(batch, frames, 17, generator=generator)
    return propagate_mask(chance < config.mask_probability)


def box_around(pixels: Tensor, padding: float) -> Tensor:
    """Square box around key-points (..., N, 2): (..., 3) centre in pixels and side / 200."""
    low, high = pixels.amin(-2), pixels.amax(-2)
    side = padding * (high - low).amax(-1, keepdim=True)
    return torch.cat(((low + high) / 2, side / 200.0), -1)


def shaken_boxes(bbox: Tensor, config: PublishedNoiseConfig, generator: torch.Generator) -> Tensor:
    """Scale and shift the boxes of each clip (B, T, 3) by what stays the same over the clip."""
    batch = len(bbox)
    low, high = config.box_scale_range
    scale = low + (high - low) * torch.rand(batch, 1, 1, generator=generator)
    shift = config.box_shift * (2 * torch.rand(batch, 1, 2, generator=generator) - 1)
    side = bbox[..., 2:] * scale
    return torch.cat((bbox[..., :2] + shift * side * 200.0, side), -1)


def smooth_boxes(bbox: Tensor, kernel: int) -> Tensor:
    """Running median over frames, zeros before and after the clip, as published.

    Args:
        bbox: (B, T, 3).
        kernel: odd number of frames.
    """
    reach = kernel // 2
    padded = functional.pad(bbox, (0, 0, reach, reach))
    return padded.unfold(1, kernel, 1).median(-1).values
