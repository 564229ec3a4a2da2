"""A state as two blocks, all its vectors and all its rotations, for stepping through time.

The roll-out is serial and its tensors are small, so its cost is the number of operations. One
product turns all vectors, one addition moves all points; what a step does not need is done for
all steps at once afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from humor_ros.humor.frames import heading_rotation
from humor_ros.humor.rotations import rodrigues
from humor_ros.humor.state import NUM_JOINTS, MotionState

__all__ = ["PackedState", "pivot_of"]

_TRANS, _TRANS_VEL, _ROOT_VEL = 0, 1, 2
_JOINTS = slice(3, 3 + NUM_JOINTS)
_JOINTS_VEL = slice(3 + NUM_JOINTS, 3 + 2 * NUM_JOINTS)
_VECTORS = 3 + 2 * NUM_JOINTS


@dataclass(frozen=True, eq=False)
class PackedState:
    """States (...) in two blocks.

    Attributes:
        vectors: (..., 47, 3) translation, its velocity, angular velocity, joints, their velocities.
        rotations: (..., 22, 3, 3) root and body joints.
    """

    vectors: Tensor
    rotations: Tensor

    @classmethod
    def pack(cls, state: MotionState) -> PackedState:
        """Pack states, without contacts."""
        single = (state.trans, state.trans_vel, state.root_orient_vel)
        vectors = (torch.stack(single, dim=-2), state.joints, state.joints_vel)
        rotations = (state.root_orient[..., None, :, :], state.pose_body)
        return cls(torch.cat(vectors, dim=-2), torch.cat(rotations, dim=-3))

    def unpack(self, contacts: Tensor | None = None) -> MotionState:
        """The same states by name, with contact logits (..., 9)."""
        return MotionState(
            trans=self.vectors[..., _TRANS, :],
            trans_vel=self.vectors[..., _TRANS_VEL, :],
            root_orient=self.rotations[..., 0, :, :],
            root_orient_vel=self.vectors[..., _ROOT_VEL, :],
            pose_body=self.rotations[..., 1:, :, :],
            joints=self.vectors[..., _JOINTS, :],
            joints_vel=self.vectors[..., _JOINTS_VEL, :],
            contacts=contacts,
        )

    @property
    def trans(self) -> Tensor:
        """(..., 3) translation."""
        return self.vectors[..., _TRANS, :]

    @property
    def joints(self) -> Tensor:
        """(..., 22, 3) joints."""
        return self.vectors[..., _JOINTS, :]

    def with_joints(self, joints: Tensor) -> PackedState:
        """The same states with other joints (..., 22, 3)."""
        before, after = self.vectors[..., : _JOINTS.start, :], self.vectors[..., _JOINTS.stop :, :]
        return PackedState(torch.cat((before, joints, after), dim=-2), self.rotations)

    def row(self) -> Tensor:
        """(..., 339) what the networks read."""
        return self.unpack().vector()

    def changed(self, raw: Tensor) -> PackedState:
        """Apply the decoder's changes (..., 216)."""
        single, root, root_vel, pose, points, _ = raw.split((6, 3, 3, 63, 132, 9), dim=-1)
        change = torch.cat((single, root_vel, points), dim=-1).unflatten(-1, (_VECTORS, 3))
        turns = rodrigues(torch.cat((root, pose), dim=-1).unflatten(-1, (NUM_JOINTS, 3)))
        return PackedState(self.vectors + change, turns @ self.rotations)

    def heading(self) -> Tensor:
        """(..., 3, 3) see :func:`humor_ros.humor.frames.heading_rotation`."""
        return heading_rotation(self.rotations[..., 0, :, :])

    def canonical(self, heading: Tensor, pivot: Tensor) -> PackedState:
        """Step into the state's own frame.

        Args:
            heading: (..., 3, 3) the state's.
            pivot: (..., 47, 3) of :func:`pivot_of`.
        """
        away = self.vectors[..., _TRANS : _TRANS + 1, :] * _masks(self.vectors)[1]
        vectors = (self.vectors - away - pivot) @ heading.transpose(-1, -2) + pivot
        root = heading[..., None, :, :] @ self.rotations[..., :1, :, :]
        return PackedState(vectors, torch.cat((root, self.rotations[..., 1:, :, :]), dim=-3))

    def outside(self, turn: Tensor, place: Tensor, pivot: Tensor) -> PackedState:
        """Bring states back to an outer frame.

        Args:
            turn: (..., 3, 3) outer to local.
            place: (..., 3) where the local origin stands, z being zero.
            pivot: (..., 47, 3) of :func:`pivot_of`.
        """
        moved = place[..., None, :] * _masks(self.vectors)[0]
        vectors = (self.vectors - pivot) @ turn + pivot + moved
        root = turn.transpose(-1, -2)[..., None, :, :] @ self.rotations[..., :1, :, :]
        return PackedState(vectors, torch.cat((root, self.rotations[..., 1:, :, :]), dim=-3))


def pivot_of(offset: Tensor) -> Tensor:
    """(..., 47, 3) what vectors turn about: for joints the root offset (..., 3), otherwise zero."""
    pivot = offset.new_zeros(*offset.shape[:-1], _VECTORS, 3)
    pivot[..., _JOINTS, :] = offset[..., None, :]
    return pivot


def _masks(like: Tensor) -> tuple[Tensor, Tensor]:
    return _mask_constants(like.dtype, like.device)


@cache
def _mask_constants(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """(47, 1) one for places and zero for velocities; (47, 3) the same without heights."""
    with torch.inference_mode(False):
        places = torch.zeros(_VECTORS, 1, dtype=dtype, device=device)
        places[_TRANS] = 1.0
        places[_JOINTS] = 1.0
        return places, places * torch.tensor([1.0, 1.0, 0.0], dtype=dtype, device=device)
