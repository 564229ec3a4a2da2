"""Geometry of WHAM's world trajectory: foot motion, contact-aware reset, roll-out, camera.

Formulas of Shin et al., "WHAM" (CVPR 2024), sections 3.3 and 3.4. One oddity of the published
network is kept because its weights were trained with it: the roll-out turns the velocity by the
*previous* root orientation, the reset by the *current* one.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "CONTACT_THRESHOLD",
    "FRAME_RATE",
    "first_frames",
    "flip_y_up",
    "foot_steps",
    "full_image_translation",
    "held_velocity",
    "project",
    "roll_out",
    "sum_up",
    "turn",
    "weak_translation",
]

#: Frames a second that the published networks were trained at.
FRAME_RATE = 30.0
#: Contact above which a foot counts as standing (published value).
CONTACT_THRESHOLD = 0.5
_WEAK_FOCAL = 5000.0
_WEAK_SIDE = 224.0


def turn(rotation: Tensor, vector: Tensor) -> Tensor:
    """Rotate vectors (..., 3) by matrices (..., 3, 3)."""
    return (rotation * vector[..., None, :]).sum(-1)


def first_frames(is_new: Tensor, n_frames: int) -> Tensor:
    """Mark the frames that nobody came before: (P,) bool to (P, T) bool."""
    first = torch.zeros(n_frames, dtype=torch.bool, device=is_new.device)
    first[0] = True
    return is_new[:, None] & first


def foot_steps(feet: Tensor, feet_before: Tensor) -> Tensor:
    """Displacement of mid-hip centred feet since the previous frame.

    Args:
        feet: (P, T, K, 3) feet in world axes.
        feet_before: (P, K, 3) feet at the frame before the first.

    Returns:
        (P, T, K, 3) metres a frame.
    """
    return feet - torch.cat((feet_before[:, None], feet[:, :-1]), dim=1)


def held_velocity(
    rotation: Tensor, velocity: Tensor, steps: Tensor, contacts: Tensor, no_step: Tensor
) -> Tensor:
    """Remove from the root velocity the mean slip of the feet in contact.

    Args:
        rotation: (P, T, 3, 3) root orientation in the world at the current frame.
        velocity: (P, T, 3) root-frame velocity, metres a frame.
        steps: (P, T, 4, 3) displacement of the feet relative to mid-hip, world axes.
        contacts: (P, T, 4) in contact where above 0.5.
        no_step: (P, T) bool, frames whose velocity stays (a person's first).

    Returns:
        (P, T, 3) velocity in the root frame, metres a frame.
    """
    world = turn(rotation, velocity)
    standing = (contacts > CONTACT_THRESHOLD) & ~no_step[..., None]
    slip = (steps + world[..., None, :]) * standing[..., None]
    mean = slip.sum(-2) / ((slip != 0).sum(-2) + 1e-4)
    return turn(rotation.transpose(-1, -2), world - mean)


def sum_up(displacement: Tensor, start: Tensor) -> Tensor:
    """Sum displacements (P, T, 3) up from ``start`` (P, 3), in the precision of ``start``."""
    return start[:, None] + displacement.to(start.dtype).cumsum(dim=1)


def roll_out(rotation_previous: Tensor, velocity: Tensor, start: Tensor) -> Tensor:
    """Sum the velocity, turned by the previous orientation, up from ``start``.

    Args:
        rotation_previous: (P, T, 3, 3) root orientation one frame earlier.
        velocity: (P, T, 3) root-frame velocity, metres a frame.
        start: (P, 3) float64 position before the first frame.

    Returns:
        (P, T, 3) float64 positions.
    """
    return sum_up(turn(rotation_previous, velocity), start)


def flip_y_up(orientation: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
    """Turn a world with y down into one with y up: half a turn about x.

    Args:
        orientation: (..., 3, 3) rotations into the y-down world.
        translation: (..., 3) positions in it.

    Returns:
        The same in the y-up world.
    """
    sign = orientation.new_tensor([1.0, -1.0, -1.0])
    return orientation * sign[:, None], translation * sign.to(translation)


def full_image_translation(
    cam: Tensor, bbox: Tensor, res: Tensor, cam_intrinsics: Tensor
) -> Tensor:
    """Place mid-hip in the camera from the weak-perspective camera of the box.

    The published conversion: the image centre stands for the principal point.

    Args:
        cam: (P, T, 3) scale, x, y.
        bbox: (P, T, 3) centre x, y in pixels, and side / 200.
        res: (P, 2) width and height, pixels.
        cam_intrinsics: (P, 1 or T, 3, 3); only the focal length is used.

    Returns:
        (P, T, 3) metres.
    """
    size = cam[..., 0] * bbox[..., 2] * 200.0
    centre = bbox[..., :2] - res[:, None] / 2.0
    xy = cam[..., 1:] + 2.0 * centre / size[..., None]
    depth = 2.0 * cam_intrinsics[..., 0, 0] / size
    return torch.cat((xy, depth[..., None]), dim=-1)


def weak_translation(cam: Tensor) -> Tensor:
    """Place mid-hip before the 224-pixel crop's own camera of focal length 5000.

    Args:
        cam: (..., 3) scale, x, y.

    Returns:
        (..., 3) metres.
    """
    depth = 2.0 * _WEAK_FOCAL / (_WEAK_SIDE * cam[..., 0] + 1e-9)
    return torch.stack((cam[..., 1], cam[..., 2], depth), dim=-1)


def project(points: Tensor, translation: Tensor, cam_intrinsics: Tensor | None = None) -> Tensor:
    """Project centred points.

    Args:
        points: (P, T, N, 3) mid-hip centred, camera axes.
        translation: (P, T, 3) of mid-hip.
        cam_intrinsics: (P, 1 or T, 3, 3); None means the crop's own camera, with the result
            in half crops from its centre.

    Returns:
        (P, T, N, 2) pixels, or half crops.
    """
    placed = points + translation[..., None, :]
    placed = placed / placed[..., 2:]
    if cam_intrinsics is None:
        return placed[..., :2] * (_WEAK_FOCAL / (_WEAK_SIDE / 2.0))
    return torch.einsum("ptij,ptnj->ptni", cam_intrinsics.expand(*placed.shape[:2], 3, 3), placed)[
        ..., :2
    ]
