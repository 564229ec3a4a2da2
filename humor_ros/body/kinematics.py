"""Forward kinematics of SMPL's joint tree, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.types import Array

__all__ = ["global_rotations", "joint_ancestors", "local_rotations", "tree_levels"]


def tree_levels(
    parents: Sequence[int],
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Joints by depth below the root, each level with its parents' places in the one above.

    Args:
        parents: of each joint; that of the root, joint 0, is not read.
    """
    above: tuple[int, ...] = (0,)
    levels: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    while True:
        joints = tuple(j for j in range(1, len(parents)) if parents[j] in above)
        if not joints:
            return tuple(levels)
        levels.append((joints, tuple(above.index(parents[j]) for j in joints)))
        above = joints


def joint_ancestors(parents: Sequence[int]) -> Array:
    """(J, J): entry (i, j) is 1 where joint i is j or above it, so that i moves j.

    Args:
        parents: of each joint, none after its child; that of the root, joint 0, is not read.
    """
    matrix = np.eye(len(parents))
    for joint, parent in enumerate(parents[1:], start=1):
        matrix[:, joint] += matrix[:, parent]
    return matrix


_LEVELS = tree_levels(SMPL_PARENTS)
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
