"""Key-points as the network wants them: normalised by a square box, centred, mirrored.

The published network takes 2D key-points relative to their box and the place of the box in the
image; the intrinsics never reach it. It assumes f = sqrt(W² + H²) and a central principal point,
so key-points of a calibrated camera go through ``PinholeCamera.to_virtual`` first.
"""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.body.skeleton import COCO17_FLIP, LEFT_HIP, RIGHT_HIP
from humor_ros.wham.config import N_KEYPOINTS

__all__ = [
    "MIN_CONFIDENCE",
    "centre_on_hips",
    "flip_bbox",
    "flip_keypoints",
    "initial_input",
    "keypoint_mask",
    "normalise_keypoints",
]

#: Key-points less confident are masked, as in the published demo and evaluation.
MIN_CONFIDENCE = 0.3


def normalise_keypoints(keypoints: Tensor, bbox: Tensor, res: Tensor) -> Tensor:
    """Make the network's input of key-points and their box.

    Args:
        keypoints: (P, T, 17, 2 or more) x, y in pixels; a confidence is left out.
        bbox: (P, T, 3) centre x, y in pixels, and side / 200.
        res: (P, 2) image width and height, pixels.

    Returns:
        (P, T, 37): key-points from the box's centre in half boxes (34), then the centre from
        the image's centre in half image lengths (2) and the side in image lengths (1); the
        image length is the larger of width and height.
    """
    side = bbox[..., 2:] * 200.0
    points = 2.0 * (keypoints[..., :2] - bbox[..., None, :2]) / side[..., None]
    longest = res.amax(dim=-1)[:, None, None]
    centre = (2.0 * bbox[..., :2] - res[:, None]) / longest
    return torch.cat((points.flatten(-2), centre, side / longest), dim=-1)


def keypoint_mask(confidence: Tensor, threshold: float = MIN_CONFIDENCE) -> Tensor:
    """True where a key-point (...) counts as not seen; NaN confidence does."""
    return ~(confidence >= threshold)


def flip_keypoints(keypoints: Tensor, width: float) -> Tensor:
    """Mirror key-points (..., 17, 2 or more) as if the image were mirrored; pixels."""
    flipped = keypoints[..., list(COCO17_FLIP), :]
    return torch.cat((width - flipped[..., :1], flipped[..., 1:]), dim=-1)


def flip_bbox(bbox: Tensor, width: float) -> Tensor:
    """Mirror boxes (..., 3) of centre and size in an image of this width; pixels."""
    return torch.cat((width - bbox[..., :1], bbox[..., 1:]), dim=-1)


def centre_on_hips(points: Tensor) -> Tensor:
    """Move 3D points so that the middle of their hips is the origin.

    Args:
        points: (..., 17, 3) COCO key-points, or (..., 31, 3) with the 14 common joints, which
            are centred on their own hips.

    Returns:
        The same shape.
    """
    coco, common = points[..., :N_KEYPOINTS, :], points[..., N_KEYPOINTS:, :]
    coco = coco - coco[..., [LEFT_HIP, RIGHT_HIP], :].mean(dim=-2, keepdim=True)
    if common.shape[-2]:
        common = common - common[..., [2, 3], :].mean(dim=-2, keepdim=True)
    return torch.cat((coco, common), dim=-2)


def initial_input(keypoints3d: Tensor, x: Tensor) -> Tensor:
    """Join what initialises the motion encoder.

    Args:
        keypoints3d: (P, 17, 3) of the first frame, camera axes, metres.
        x: (P, T, 37) network input, of which the first frame is used, unmasked.

    Returns:
        (P, 1, 88).
    """
    return torch.cat((centre_on_hips(keypoints3d).flatten(-2), x[:, 0]), dim=-1)[:, None]
