"""A simulated 2D detector for evaluation, with errors as measured, as published, or none.

The sizes are fixed here, apart from what is trained with, so that results of differently trained
weights compare.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from humor_ros.geometry import PinholeCamera
from humor_ros.training.keypoint_noise import joint_visibility, keypoint_errors, swap_sides
from humor_ros.training.synthesis_config import NoiseConfig
from humor_ros.types import Array

__all__ = ["MEASURED_NOISE", "NOISE_KINDS", "detect_keypoints", "noise_config"]

NOISE_KINDS = ("movenet", "training", "gaussian", "none")

#: MoveNet Thunder through the tracker, as ``humor-ros evaluate keypoints`` measured it on real
#: video: bias, wandering, white noise and short gross errors. One unoccluded person was seen;
#: the shares of hidden limbs, of bursts and of swaps are assumptions beyond that measurement.
MEASURED_NOISE = NoiseConfig(
    strength_range=(0.7, 1.4),
    bias_std=0.010,
    drift_std=0.010,
    drift_frames=(1.5, 4.0),
    jitter_std=0.004,
    common_std=0.003,
    hip_bias_std=0.007,
    peak_probability=0.047,
    peak_std=0.047,
    peak_frames=5,
    far_side_gain=0.0,
    swap_probability=0.02,
    swap_frames=5,
    mask_probability=0.003,
    burst_probability=0.02,
    burst_frames=10,
    limb_mask_probability=0.05,
    lower_body_probability=0.0,
)
#: White noise alone, of the size of the measured errors together; 3 % of the key-points unseen
#: as in the published training.
_GAUSSIAN = NoiseConfig(
    strength_range=(1.0, 1.0),
    bias_std=0.0,
    drift_std=0.0,
    jitter_std=0.018,
    common_std=0.0,
    hip_bias_std=0.0,
    peak_probability=0.0,
    far_side_gain=0.0,
    swap_probability=0.0,
    mask_probability=0.03,
    burst_probability=0.0,
    limb_mask_probability=0.0,
    lower_body_probability=0.0,
)
#: The noise model's shares are of windows of this many frames.
_WINDOW = 81
#: A person is followed only once seen: the first frames of a track hide nothing.
_CONFIRMED = 3
_NEAREST_M = 0.2
#: Confidence of what is seen, and errors (half boxes) from which on it falls; a doubtful
#: key-point of the measured detector is wrong by three times the usual.
_CONFIDENT = (0.85, 0.08)
_LEAST_SEEN = 0.35
_DOUBTFUL = 0.06


def noise_config(kind: str) -> NoiseConfig | None:
    """Errors by name; None for a perfect detector.

    Raises:
        ValueError: the name is unknown.
    """
    kinds = {
        "movenet": MEASURED_NOISE,
        "training": NoiseConfig(),
        "gaussian": _GAUSSIAN,
        "none": None,
    }
    if kind not in kinds:
        raise ValueError(f"noise: {kind!r} is not one of {', '.join(NOISE_KINDS)}")
    return kinds[kind]


def detect_keypoints(
    coco17_camera: Array,
    camera: PinholeCamera,
    noise: NoiseConfig | None,
    generator: torch.Generator,
) -> Array:
    """What the detector says of one person.

    Args:
        coco17_camera: (T, 17, 3) true key-points, optical axes, metres.
        camera: intrinsics.
        noise: errors; None for none.
        generator: source of all chance.

    Returns:
        (T, 17, 3) pixels and confidence; 0 where unseen: outside, behind, or missed.
    """
    frames = len(coco17_camera)
    front = np.maximum(coco17_camera[..., 2:], _NEAREST_M)
    safe = np.concatenate([coco17_camera[..., :2], front], axis=-1)
    pixels = camera.project(safe.reshape(-1, 3)).reshape(frames, 17, 2)
    seen = coco17_camera[..., 2] > _NEAREST_M
    confidence = np.full((frames, 17), _CONFIDENT[0])
    if noise is not None:
        extent = (pixels.max(axis=1) - pixels.min(axis=1)).max(axis=-1)
        half = np.minimum(extent / 2.0, max(camera.width, camera.height))
        depth = coco17_camera[..., 2] - coco17_camera[:, 11:13, 2].mean(axis=1, keepdims=True)
        behind = torch.as_tensor(depth, dtype=torch.float32)[None]
        error = keypoint_errors(behind, noise, generator)[0].double().numpy()
        hidden = _by_windows(frames, noise, generator)
        hidden[:_CONFIRMED] = False
        pixels = _swapped(pixels + half[:, None, None] * error, noise, generator)
        confidence = _confidence(np.linalg.norm(error, axis=-1), generator)
        seen &= ~hidden
    size = np.array([camera.width, camera.height])
    seen &= ((pixels >= 0.0) & (pixels <= size - 1)).all(axis=-1)
    return np.concatenate([pixels, np.where(seen, confidence, 0.0)[..., None]], axis=-1)


def _by_windows(frames: int, noise: NoiseConfig, generator: torch.Generator) -> NDArray[np.bool_]:
    """(T, 17) hidden key-points, drawn anew for each window."""
    count = -(-frames // _WINDOW)
    hidden = joint_visibility(count, _WINDOW, noise, generator)
    return np.asarray(hidden.reshape(-1, 17)[:frames].numpy(), dtype=np.bool_)


def _swapped(pixels: Array, noise: NoiseConfig, generator: torch.Generator) -> Array:
    """Key-points (T, 17, 2) with left and right exchanged in some windows."""
    parts = []
    for start in range(0, len(pixels), _WINDOW):
        part = torch.as_tensor(pixels[start : start + _WINDOW])[None]
        parts.append(swap_sides(part, noise, generator)[0].numpy())
    return np.concatenate(parts)


def _confidence(error: Array, generator: torch.Generator) -> Array:
    """(T, 17) confidence of seen key-points: lower where the error is gross, as measured."""
    shape = error.shape
    mean, std = _CONFIDENT
    usual = mean + std * torch.randn(shape, generator=generator).double().numpy()
    doubt = 0.4 + 0.6 * torch.rand(shape, generator=generator).double().numpy()
    return np.clip(np.where(error > _DOUBTFUL, usual * doubt, usual), _LEAST_SEEN, 1.0)
