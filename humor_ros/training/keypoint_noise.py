"""What a 2D detector does to true key-points: errors, swaps, unseen joints, loose boxes.

Real detectors err with a bias that depends on the person and the view and stays for many frames,
with heavy tails, and with left and right exchanged; independent Gaussian noise is not like them.
Sizes are in units of half the side of the person's tight box, so that they scale with the person.
"""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.body.skeleton import COCO17_FLIP
from humor_ros.training.synthesis_config import NoiseConfig

__all__ = [
    "autoregressive_noise",
    "joint_visibility",
    "keypoint_errors",
    "propagate_mask",
    "smoothed_boxes",
    "swap_sides",
]

#: Relative error of the 17 COCO joints: the face is small and rigid, wrists and hips are hard.
JOINT_GAIN = (0.7, 0.6, 0.6, 0.7, 0.7, 0.9, 0.9, 1.1, 1.1, 1.4, 1.4, 1.1, 1.1, 1.1, 1.1, 1.2, 1.2)
LEGS = (11, 12, 13, 14, 15, 16)
ARMS = (5, 6, 7, 8, 9, 10)
LIMBS = ((13, 15), (14, 16), (15,), (16,), (7, 9), (8, 10), (9,), (10,), (0, 1, 2, 3, 4))
#: child <- parent: an unseen joint hides what hangs on it (spec of WHAM, section 6).
MASK_TREE = (
    (7, 5),
    (8, 6),
    (9, 7),
    (10, 8),
    (13, 11),
    (14, 12),
    (15, 13),
    (16, 14),
    (1, 0),
    (2, 0),
    (3, 1),
    (4, 2),
)


def _chance(probability: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator) < probability


def _spans(batch: int, frames: int, longest: int, generator: torch.Generator) -> Tensor:
    """(B, T) true inside one random span of 1 to ``longest`` frames."""
    length = torch.randint(1, longest + 1, (batch, 1), generator=generator)
    start = torch.randint(0, frames, (batch, 1), generator=generator)
    time = torch.arange(frames)[None]
    return (time >= start) & (time < start + length)


def autoregressive_noise(
    batch: int, frames: int, width: int, correlation_frames: Tensor, generator: torch.Generator
) -> Tensor:
    """Stationary first-order autoregression with unit variance.

    Args:
        batch, frames, width: shape of the result.
        correlation_frames: (B,) time after which the correlation is 1/e.
        generator: source of all chance.

    Returns:
        (B, T, width).
    """
    white = torch.randn(batch, frames, width, generator=generator)
    keep = torch.exp(-1.0 / correlation_frames)[:, None]
    fresh = (1 - keep**2).sqrt()
    values = [white[:, 0]]
    for frame in range(1, frames):
        values.append(keep * values[-1] + fresh * white[:, frame])
    return torch.stack(values, 1)


def keypoint_errors(
    depth_behind_hips: Tensor, config: NoiseConfig, generator: torch.Generator
) -> Tensor:
    """Errors of 17 key-points over time.

    Args:
        depth_behind_hips: (B, T, 17) depth of each joint minus that of the mid-hip, metres.
        config: sizes.
        generator: source of all chance.

    Returns:
        (B, T, 17, 2) in half sides of the tight box.
    """
    batch, frames, joints = depth_behind_hips.shape
    gain = torch.tensor(JOINT_GAIN)[:, None]
    low, high = config.strength_range
    strength = low * (high / low) ** torch.rand(batch, 1, 1, 1, generator=generator)
    first, last = config.drift_frames
    time = first + (last - first) * torch.rand(batch, generator=generator)
    bias = config.bias_std * torch.randn(batch, 1, joints, 2, generator=generator)
    drift = autoregressive_noise(batch, frames, joints * 2 + 2, time, generator)
    common = config.common_std * drift[..., None, -2:]
    wander = config.drift_std * drift[..., :-2].reshape(batch, frames, joints, 2)
    jitter = config.jitter_std * torch.randn(batch, frames, joints, 2, generator=generator)
    error = (bias + wander + jitter) * gain + common
    hidden = 1 + config.far_side_gain * (depth_behind_hips / 0.3).clamp(0, 1)
    error = error * hidden[..., None] * strength
    error[:, :, 11:13] += config.hip_bias_std * torch.randn(batch, 1, 2, 2, generator=generator)
    shape = (batch, frames, joints)
    error = error + _peaks(
        shape, config.peak_probability, config.peak_std, config.peak_frames, generator
    )
    return error + _peaks(
        shape, config.gross_probability, config.gross_std, config.peak_frames, generator
    )


def _peaks(
    shape: tuple[int, int, int],
    probability: float,
    std: float,
    longest: int,
    generator: torch.Generator,
) -> Tensor:
    """Errors (B, T, J, 2) that start at random and stay for 1 to ``longest`` frames."""
    frames = shape[1]
    starts = _chance(probability, shape, generator)
    size = std * torch.randn(*shape, 2, generator=generator)
    length = torch.randint(1, longest + 1, shape, generator=generator)
    total = torch.zeros(*shape, 2)
    for lag in range(min(longest, frames)):
        active = (starts & (length > lag))[..., None] * size
        total[:, lag:] += active[:, : frames - lag]
    return total


def swap_sides(keypoints: Tensor, config: NoiseConfig, generator: torch.Generator) -> Tensor:
    """Exchange left and right of legs, arms or everything for a while in some windows.

    Args:
        keypoints: (B, T, 17, 2).
        config: how often and how long.
        generator: source of all chance.

    Returns:
        (B, T, 17, 2).
    """
    batch, frames = keypoints.shape[:2]
    chosen = _chance(config.swap_probability, (batch, 1), generator)
    active = chosen & _spans(batch, frames, config.swap_frames, generator)
    kind = torch.randint(0, 3, (batch,), generator=generator)
    joints = torch.zeros(3, 17, dtype=torch.bool)
    joints[0, list(LEGS)] = True
    joints[1, list(ARMS)] = True
    joints[2] = True
    where = active[:, :, None] & joints[kind][:, None]
    return torch.where(where[..., None], keypoints[:, :, list(COCO17_FLIP)], keypoints)


def propagate_mask(mask: Tensor) -> Tensor:
    """Hide what hangs on a hidden joint: (..., 17) bool, True means unseen."""
    mask = mask.clone()
    mask[..., 0] |= mask[..., 5] & mask[..., 6]
    for child, parent in MASK_TREE:
        mask[..., child] |= mask[..., parent]
    return mask


def joint_visibility(
    batch: int, frames: int, config: NoiseConfig, generator: torch.Generator
) -> Tensor:
    """Draw which joints the detector does not see: (B, T, 17) bool, True means unseen."""
    mask = propagate_mask(_chance(config.mask_probability, (batch, frames, 17), generator))
    whole = _chance(config.burst_probability, (batch, 1), generator)
    whole = whole & _spans(batch, frames, config.burst_frames, generator)
    mask |= whole[..., None]
    limbs = torch.zeros(len(LIMBS), 17, dtype=torch.bool)
    for row, joints in enumerate(LIMBS):
        limbs[row, list(joints)] = True
    limb = limbs[torch.randint(len(LIMBS), (batch,), generator=generator)]
    gone = _chance(config.limb_mask_probability, (batch, 1), generator)
    gone = gone & _spans(batch, frames, frames, generator)
    mask |= gone[..., None] & limb[:, None]
    legs = torch.zeros(17, dtype=torch.bool)
    legs[13:17] = True
    with_hips = legs.clone()
    with_hips[11:13] = True
    hips_too = _chance(0.5, (batch, 1), generator)
    lower = torch.where(hips_too, with_hips, legs)
    hidden = _chance(config.lower_body_probability, (batch, 1), generator)
    return mask | (hidden & lower)[:, None]


def smoothed_boxes(
    keypoints: Tensor, mask: Tensor, scale: Tensor, shift: Tensor, smoothing: Tensor
) -> Tensor:
    """Square boxes around the seen key-points, held where nothing is seen, smoothed causally.

    Args:
        keypoints: (B, T, 17, 2) pixels.
        mask: (B, T, 17) True where unseen.
        scale: (B,) side over 1.2 times the tight side.
        shift: (B, 2) in sides.
        smoothing: (B,) in [0, 1), weight of the previous box.

    Returns:
        (B, T, 3) centre x, y in pixels and side / 200, as WHAM counts.
    """
    far = torch.finfo(keypoints.dtype).max
    hidden = mask[..., None]
    low = keypoints.masked_fill(hidden, far).amin(-2)
    high = keypoints.masked_fill(hidden, -far).amax(-2)
    # With fewer than 3 joints in view the extent says nothing of the person.
    usable = (~mask).sum(-1) >= 3
    first = keypoints[:, 0]
    centre_all = (first.amin(-2) + first.amax(-2)) / 2
    side_all = (first.amax(-2) - first.amin(-2)).amax(-1, keepdim=True)
    previous = torch.cat([centre_all, side_all], -1)
    keep = smoothing[:, None]
    boxes = []
    started = torch.zeros(len(keypoints), 1, dtype=torch.bool)
    for frame in range(keypoints.shape[1]):
        seen = usable[:, frame, None]
        side = (high[:, frame] - low[:, frame]).amax(-1, keepdim=True)
        raw = torch.cat([(low[:, frame] + high[:, frame]) / 2, side], -1)
        blended = torch.where(started, keep * previous + (1 - keep) * raw, raw)
        previous = torch.where(seen, blended, previous)
        started = started | seen
        boxes.append(previous)
    box = torch.stack(boxes, 1)
    side = (box[..., 2:] * 1.2 * scale[:, None, None]).clamp_min(4.0)
    return torch.cat([box[..., :2] + shift[:, None] * side, side / 200], -1)
