"""Capsules around a moving body, for planners: ends in the world and radii of the body's skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from humor_ros.body import SMPL_JOINT_NAMES, SMPL_PARENTS, BodyModel, capsules, joint_offsets
from humor_ros.body.kinematics import global_rotations
from humor_ros.types import Array

__all__ = ["BodyCapsules", "PosedCapsules"]

#: Share of a part's skin that its capsule holds: nearly all, as planners need it.
PLANNING_SHARE = 0.95
#: A shape that has changed by less keeps its capsules (a hundredth of the spread of people).
_SAME_SHAPE = 0.05


@dataclass(frozen=True, eq=False)
class PosedCapsules:
    """Capsules of K poses.

    Attributes:
        joints: (K, 24, 3) SMPL's joints, metres.
        starts: (K, C, 3) centre of one end; ``ends`` (K, C, 3) of the other.
    """

    joints: Array
    starts: Array
    ends: Array


class BodyCapsules:
    """Capsules of one person's shape.

    Args:
        body: the tracker's.
        betas: (10,) shape.
        share: of each part's skin that its capsule holds, in (0, 1].

    Attributes:
        names: SMPL joint that each capsule moves with.
        radii: (C,) metres.
    """

    def __init__(self, body: BodyModel, betas: Array, share: float = PLANNING_SHARE) -> None:
        found = capsules(body.arrays, betas, quantile=share)
        self.names = tuple(capsule.joint for capsule in found)
        self.radii: Array = np.array([capsule.radius for capsule in found])
        self._betas = np.array(betas, np.float64)
        self._joints: NDArray[np.int64] = np.array([SMPL_JOINT_NAMES.index(n) for n in self.names])
        self._starts = np.stack([capsule.start for capsule in found])
        self._ends = np.stack([capsule.end for capsule in found])
        self._offsets = joint_offsets(body.arrays, betas)

    def fits(self, betas: Array) -> bool:
        """Whether a shape is still this one's."""
        return bool(np.abs(np.asarray(betas) - self._betas).max() < _SAME_SHAPE)

    def placed(self, rotations: Array, root: Array) -> PosedCapsules:
        """Put the body in K poses.

        Args:
            rotations: (K, 24, 3, 3) of each joint relative to its parent, root in the world.
            root: (K, 3) root joint, metres.
        """
        turns = global_rotations(torch.as_tensor(rotations)).numpy()
        joints = np.empty((len(root), len(SMPL_PARENTS), 3))
        joints[:, 0] = root
        for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
            joints[:, joint] = joints[:, parent] + turns[:, parent] @ self._offsets[joint]
        held, turned = joints[:, self._joints], turns[:, self._joints]
        return PosedCapsules(
            joints,
            held + (turned @ self._starts[:, :, None])[..., 0],
            held + (turned @ self._ends[:, :, None])[..., 0],
        )
