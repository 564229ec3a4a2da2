"""The field's scores of 3D human motion, as the published evaluations compute them.

Definitions: spec of WHAM, section 7. Positions are metres; results carry their unit in the name.
Functions take one sequence (T frames) and give one value a frame, so that means over several
sequences weigh frames alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.evaluation.alignment import similarity_align, similarity_transform

__all__ = [
    "SMPL_HIPS",
    "acceleration_error_ms2",
    "align_by_pelvis",
    "chunked_world_mpjpe_mm",
    "foot_sliding_mm",
    "jitter_10ms3",
    "mpjpe_mm",
    "pa_mpjpe_mm",
    "root_orientation_error_deg",
    "root_translation_error_percent",
]

_MM = 1000.0
_FPS = 30.0
#: Indices of the hips among SMPL's joints.
SMPL_HIPS = (1, 2)
_CHUNK_FRAMES = 100


def align_by_pelvis(
    joints: Tensor, points: Tensor | None = None, hips: tuple[int, int] = SMPL_HIPS
) -> Tensor:
    """Subtract the mean of two hip joints.

    Args:
        joints: (T, J, 3) that hold the hips.
        points: (T, N, 3) to move (a mesh); None moves the joints.
        hips: indices of the hips: (1, 2) of SMPL's 24, (2, 3) of the 14 LSP joints.

    Returns:
        (T, N, 3).
    """
    pelvis = joints[..., list(hips), :].mean(-2, keepdim=True)
    return (joints if points is None else points) - pelvis


def mpjpe_mm(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean distance of points that are already aligned: (T, N, 3) twice to (T,) millimetres.

    With vertices this is PVE.
    """
    return (prediction - target).norm(dim=-1).mean(-1) * _MM


def pa_mpjpe_mm(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean distance after a similarity alignment of each frame: (T, J, 3) to (T,) millimetres."""
    return mpjpe_mm(similarity_align(prediction, target), target)


def acceleration_error_ms2(prediction: Tensor, target: Tensor, fps: float = _FPS) -> Tensor:
    """Error of the second differences of pelvis-aligned joints: (T, J, 3) to (T - 2,) m/s²."""
    error = prediction - target
    return (error[2:] - 2 * error[1:-1] + error[:-2]).norm(dim=-1).mean(-1) * fps**2


def jitter_10ms3(joints: Tensor, fps: float = _FPS) -> Tensor:
    """Third difference of world joints: (T, J, 3) to (T - 3,) in 10 m/s³."""
    third = joints[3:] - 3 * joints[2:-1] + 3 * joints[1:-2] - joints[:-3]
    return third.norm(dim=-1).mean(-1) * fps**3 / 10


def chunked_world_mpjpe_mm(
    prediction: Tensor, target: Tensor, *, whole: bool, chunk_frames: int = _CHUNK_FRAMES
) -> Tensor:
    """World errors in chunks: W-MPJPE100, or WA-MPJPE100 where ``whole``.

    Each chunk is aligned by one similarity that is fitted to its first two frames, or to all
    of them.

    Args:
        prediction: (T, J, 3) world joints.
        target: (T, J, 3).
        whole: fit to the whole chunk.
        chunk_frames: length of the chunks; the last may be shorter.

    Returns:
        (T,) millimetres.
    """
    errors = []
    for start in range(0, len(target), chunk_frames):
        part, truth = (x[start : start + chunk_frames] for x in (prediction, target))
        fitted = len(part) if whole else min(2, len(part))
        scale, rotation, translation = similarity_transform(
            part[:fitted].reshape(-1, 3), truth[:fitted].reshape(-1, 3)
        )
        moved = scale * (part @ rotation.mT) + translation
        errors.append(mpjpe_mm(moved, truth))
    return torch.cat(errors)


def root_translation_error_percent(prediction: Tensor, target: Tensor) -> Tensor:
    """RTE: error after one rigid alignment, in per cent of the true path: (T, 3) to (T,)."""
    aligned = similarity_align(prediction, target, with_scale=False)
    path = (target[1:] - target[:-1]).norm(dim=-1).sum()
    return (aligned - target).norm(dim=-1) / path * 100


def foot_sliding_mm(prediction: Tensor, target: Tensor, rest_speed_m: float = 0.01) -> Tensor:
    """FS: predicted displacement of foot points a frame where the true ones rest.

    Args:
        prediction: (T, F, 3) foot points in the world, metres.
        target: (T, F, 3).
        rest_speed_m: true displacement a frame below which a point rests.

    Returns:
        (K,) millimetres, one for each resting point and frame.
    """
    moved = (prediction[1:] - prediction[:-1]).norm(dim=-1)
    resting = (target[1:] - target[:-1]).norm(dim=-1) < rest_speed_m
    return moved[resting] * _MM


def root_orientation_error_deg(prediction: Tensor, target: Tensor) -> Tensor:
    """Angle between root orientations after aligning the first frame: (T, 3, 3) to (T,)."""
    start = target[0] @ prediction[0].mT
    turn = (start @ prediction) @ target.mT
    cosine = (turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return torch.rad2deg(cosine.clamp(-1, 1).acos())
