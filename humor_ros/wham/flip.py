"""Averaging with the mirrored image: the published test-time option of two passes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from humor_ros.body.skeleton import FOOT_POINT_MIRROR, SMPL_MIRROR
from humor_ros.geometry.rotation import matrix_to_rotation_6d, rotation_6d_to_matrix
from humor_ros.wham.values import MotionPrediction

__all__ = ["mean_rotation", "merge_flipped", "mirror_pose"]


def mirror_pose(rotations: Tensor) -> Tensor:
    """Mirror a pose left to right: swap the sides and reflect each rotation in x.

    Args:
        rotations: (..., 24, 3, 3) local rotations, root first.

    Returns:
        The same shape.
    """
    sign = rotations.new_tensor([-1.0, 1.0, 1.0])
    return rotations[..., list(SMPL_MIRROR), :, :] * sign[:, None] * sign


def mean_rotation(first: Tensor, second: Tensor) -> Tensor:
    """Chordal mean of rotations (..., 3, 3), without a sign fix, as published."""
    left, _, right = torch.linalg.svd((first + second) / 2.0)
    return left @ right


def merge_flipped(normal: MotionPrediction, flipped: MotionPrediction) -> MotionPrediction:
    """Average a prediction with that of the mirrored images.

    Pose and shape are averaged after mirroring back, contacts after swapping the feet; camera,
    key-points, context and trajectory are those of the normal pass. Give the result to
    :meth:`WhamNetwork.resolve` in place of the normal one.

    Args:
        normal: of the images as they are.
        flipped: of the mirrored images, same people and frames.
    """
    mirrored = mirror_pose(rotation_6d_to_matrix(flipped.pose))
    rotations = mean_rotation(rotation_6d_to_matrix(normal.pose), mirrored)
    contacts = flipped.contacts[..., list(FOOT_POINT_MIRROR)]
    return replace(
        normal,
        pose=matrix_to_rotation_6d(rotations),
        betas=(normal.betas + flipped.betas) / 2.0,
        contacts=(normal.contacts + contacts) / 2.0,
    )
