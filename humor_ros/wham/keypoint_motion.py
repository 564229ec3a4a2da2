"""How key-points moved since the previous frame, with the camera's own rotation taken out.

A rotating camera moves every key-point, a walking person only some. With the camera's rotation
from the IMU the first is known exactly, whatever the depth: a pixel seen then would now lie where
the turned ray meets the image. What is left is motion of the person and translation of the camera.
Not part of the published WHAM, which tells the network of the rotation alone (section 3.3).
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["keypoint_motion", "turned_pixels"]

#: Half boxes a second. A stride is slower; a detector's gross errors would drown it otherwise.
_LIMIT = 3.0
_FRAME_RATE = 30.0
_NEAREST = 0.1


def turned_pixels(
    pixels: Tensor, rotation_previous_current: Tensor, focal: Tensor, res: Tensor
) -> Tensor:
    """Where pixels of the previous frame would lie if only the camera had turned.

    Args:
        pixels: (..., J, 2) of a pinhole camera with a central principal point.
        rotation_previous_current: (..., 3, 3) R_{k-1} R_k^T, maps camera axes now to camera
            axes then.
        focal: (...,) pixels.
        res: (..., 2) image width and height, pixels.

    Returns:
        (..., J, 2) pixels.
    """
    plane = (pixels - res[..., None, :] / 2) / focal[..., None, None]
    rays = torch.cat((plane, torch.ones_like(plane[..., :1])), dim=-1)
    rays = rays @ rotation_previous_current  # R^T applied to row vectors
    turned = rays[..., :2] / rays[..., 2:].clamp_min(_NEAREST)
    return turned * focal[..., None, None] + res[..., None, :] / 2


def keypoint_motion(
    pixels: Tensor,
    previous: Tensor,
    seen: Tensor,
    rotation_previous_current: Tensor,
    focal: Tensor,
    res: Tensor,
    bbox: Tensor,
) -> Tensor:
    """Velocity of key-points in half boxes a second, at the network's 30 frames a second.

    Args:
        pixels, previous: (..., J, 2) now and then, virtual camera.
        seen: (..., J) bool, seen at both frames.
        rotation_previous_current, focal, res: as in :func:`turned_pixels`.
        bbox: (..., 3) box now: centre, side / 200.

    Returns:
        (..., J, 2), at most 3 each way, 0 where a joint was not seen at both frames.
    """
    before = turned_pixels(previous, rotation_previous_current, focal, res)
    moved = (pixels - before) * _FRAME_RATE / (100.0 * bbox[..., None, 2:])
    return torch.where(seen[..., None], moved.clamp(-_LIMIT, _LIMIT), torch.zeros_like(moved))
