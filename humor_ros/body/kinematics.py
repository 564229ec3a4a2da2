"""Forward kinematics of SMPL's joint tree, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_PARENTS

__all__ = ["global_rotations", "local_rotations"]


def _levels() -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Joints by depth, each level with the places of its parents within the level above."""
    depth = [0] * len(SMPL_PARENTS)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        depth[joint] = depth[parent] + 1
    above: tuple[int, ...] = (0,)
    levels = []
    for level in range(1, max(depth) + 1):
        joints = tuple(joint for joint, value in enumerate(depth) if value == level)
        levels.append((joints, tuple(above.index(SMPL_PARENTS[joint]) for joint in joints)))
        above = joints
    return tuple(levels)


_LEVELS = _levels()
_ORDER = (0, *(joint for joints, _ in _LEVELS for joint in joints))
#: Where each joint stands when the levels are laid end to end.
_PLACE = tuple(_ORDER.index(joint) for joint in range(len(SMPL_PARENTS)))


def global_rotations(rotations: Tensor) -> Tensor:
    """Compose each joint's rotation with those of its ancestors.

    Args:
        rotations: (..., 24, 3, 3) of each joint relative to its parent; the root's relative to
            the world (or camera).

    Returns:
        (..., 24, 3, 3) of each joint relative to the world (or camera).
    """
    above = rotations[..., :1, :, :]
    levels = [above]
    for joints, parents in _LEVELS:
        own = rotations[..., joints, :, :]
        above = above[..., parents, :, :] @ own
        levels.append(above)
    return torch.cat(levels, dim=-3)[..., _PLACE, :, :]


def local_rotations(rotations: Tensor) -> Tensor:
    """Undo :func:`global_rotations`.

    Args:
        rotations: (..., 24, 3, 3) of each joint relative to the world.

    Returns:
        (..., 24, 3, 3) of each joint relative to its parent; the root's is unchanged.
    """
    parents = rotations[..., SMPL_PARENTS[1:], :, :].transpose(-1, -2)
    return torch.cat((rotations[..., :1, :, :], parents @ rotations[..., 1:, :, :]), dim=-3)
