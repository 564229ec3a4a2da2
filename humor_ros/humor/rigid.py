"""Bodies whose bones keep their lengths: joints that follow from rotations.

HuMoR's decoder writes rotations and joints side by side and nothing ties them, so that bones of a
long roll-out stretch. HuMoR-Qual feeds the joints of the posed body back instead (Rempe et al.,
"HuMoR", ICCV 2021, supplement). The same is done here without a body model: bones at rest are read
from one state whose joints and rotations agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.body.kinematics import tree_levels
from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.humor.packed import PackedState
from humor_ros.humor.state import NUM_JOINTS

__all__ = ["RigidBones"]

_PARENTS = SMPL_PARENTS[:NUM_JOINTS]
_LEVELS = tree_levels(SMPL_PARENTS[:NUM_JOINTS])
#: Joints level by level without the root, and where each joint then stands (root first).
_ORDER = tuple(joint for joints, _ in _LEVELS for joint in joints)
_PLACE = tuple((0, *_ORDER).index(joint) for joint in range(NUM_JOINTS))


@dataclass(frozen=True, eq=False)
class RigidBones:
    """Bones of bodies (...) at rest.

    Attributes:
        bones: (..., 21, 3) from each joint's parent to it, in the parent's frame, level by level
            of the joint tree.
        root: (..., 3) root joint minus translation; bodies turn about the root joint, so it is
            the same in every pose and frame.
    """

    bones: Tensor
    root: Tensor

    @classmethod
    def of(cls, state: PackedState) -> RigidBones:
        """Read the bones off states whose joints are those of their rotations.

        Args:
            state: (...) in their canonical frames.
        """
        turns = _global(state.rotations)
        joints = state.joints
        parents = [_PARENTS[joint] for joint in _ORDER]
        spans = joints[..., _ORDER, :] - joints[..., parents, :]
        above = turns[..., [_PLACE[parent] for parent in parents], :, :]
        bones = (above.transpose(-1, -2) @ spans[..., None])[..., 0]
        return cls(bones, joints[..., 0, :] - state.trans)

    def posed(self, state: PackedState) -> PackedState:
        """States with the joints of their own rotations and translations in place of theirs."""
        place = (state.trans + self.root)[..., None, :]
        above, start, places = state.rotations[..., :1, :, :], 0, [place]
        for joints, parents in _LEVELS:
            stop = start + len(joints)
            turn = above[..., parents, :, :]
            place = place[..., parents, :] + (turn @ self.bones[..., start:stop, :, None])[..., 0]
            places.append(place)
            above = turn @ state.rotations[..., joints, :, :]
            start = stop
        return state.with_joints(torch.cat(places, dim=-2)[..., _PLACE, :])


def _global(rotations: Tensor) -> Tensor:
    """(..., 22, 3, 3) of each joint relative to the frame, level by level."""
    above = rotations[..., :1, :, :]
    levels = [above]
    for joints, parents in _LEVELS:
        above = above[..., parents, :, :] @ rotations[..., joints, :, :]
        levels.append(above)
    return torch.cat(levels, dim=-3)
