"""HuMoR's motion state: where a body is, how it moves and which joints touch the ground.

One state describes one frame (Rempe et al., "HuMoR: 3D Human Motion Model for Robust Pose
Estimation", ICCV 2021, section 3). The frame is z-up with the floor at z = 0 and 30 frames a
second. The *canonical* frame of a state has the root above the origin and the body's right side
along x, so that it looks along y. The networks read and write states as rows of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "BONE_PARENTS",
    "CONTACT_JOINTS",
    "CONTACT_NAMES",
    "FEET_CONTACTS",
    "FRAME_RATE",
    "INPUT_SIZE",
    "NUM_CONTACTS",
    "NUM_JOINTS",
    "OUTPUT_SIZE",
    "MotionState",
]

FRAME_RATE = 30.0  #: frames a second that the networks were made for
NUM_JOINTS = 22  #: SMPL's joints without the hands
NUM_CONTACTS = 9

CONTACT_NAMES = (
    *("hips", "leftLeg", "rightLeg", "leftFoot", "rightFoot"),
    *("leftToeBase", "rightToeBase", "leftHand", "rightHand"),
)
#: SMPL joint of each contact.
CONTACT_JOINTS = (0, 4, 5, 7, 8, 10, 11, 20, 21)
#: Which of them are ankles and toes.
FEET_CONTACTS = (3, 4, 5, 6)
#: Where each joint's bone starts in the bone lengths; the collars hang from the neck (12).
BONE_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 12, 12, 13, 14, 16, 17, 18, 19)

#: Trailing axes of each part, in the order of the networks' rows.
_LAYOUT: dict[str, tuple[int, ...]] = {
    "trans": (3,),
    "trans_vel": (3,),
    "root_orient": (3, 3),
    "root_orient_vel": (3,),
    "pose_body": (NUM_JOINTS - 1, 3, 3),
    "joints": (NUM_JOINTS, 3),
    "joints_vel": (NUM_JOINTS, 3),
    "contacts": (NUM_CONTACTS,),
}


def _size(name: str) -> int:
    size = 1
    for axis in _LAYOUT[name]:
        size *= axis
    return size


INPUT_SIZE = sum(_size(name) for name in _LAYOUT if name != "contacts")  #: 339
OUTPUT_SIZE = INPUT_SIZE + NUM_CONTACTS  #: 348


@dataclass(frozen=True, eq=False)
class MotionState:
    """States with any leading axes, written (...) here; metres, seconds, radians.

    Attributes:
        trans: (..., 3) SMPL's translation.
        trans_vel: (..., 3) its velocity.
        root_orient: (..., 3, 3) rotation of the root, body to world (or canonical) frame.
        root_orient_vel: (..., 3) angular velocity of the root in that frame.
        pose_body: (..., 21, 3, 3) rotation of each joint relative to its parent.
        joints: (..., 22, 3) positions of SMPL's first 22 joints.
        joints_vel: (..., 22, 3) their velocities.
        contacts: (..., 9) logits in the order of ``CONTACT_NAMES``; None in a network's input.
    """

    trans: Tensor
    trans_vel: Tensor
    root_orient: Tensor
    root_orient_vel: Tensor
    pose_body: Tensor
    joints: Tensor
    joints_vel: Tensor
    contacts: Tensor | None = None

    @classmethod
    def from_vector(cls, vector: Tensor) -> MotionState:
        """Cut rows of numbers into states.

        Args:
            vector: (..., 339), or (..., 348) with contacts.

        Raises:
            ValueError: the last axis has another size.
        """
        size = vector.shape[-1]
        if size not in (INPUT_SIZE, OUTPUT_SIZE):
            raise ValueError(
                f"vector must have shape (..., {INPUT_SIZE}) or (..., {OUTPUT_SIZE}), got "
                f"{tuple(vector.shape)}"
            )
        names = [name for name in _LAYOUT if name != "contacts" or size == OUTPUT_SIZE]
        parts = vector.split([_size(name) for name in names], dim=-1)
        return cls(**{n: p.unflatten(-1, _LAYOUT[n]) for n, p in zip(names, parts, strict=True)})

    @classmethod
    def from_flat(cls, arrays: Mapping[str, Tensor]) -> MotionState:
        """Take the parts from tensors whose trailing axes are flattened, by name.

        Raises:
            ValueError: a part is missing or has a wrong size.
        """
        parts = {}
        for name in _LAYOUT:
            if name not in arrays:
                if name == "contacts":
                    continue
                raise ValueError(f"the state lacks {name}")
            if arrays[name].shape[-1] != _size(name):
                raise ValueError(
                    f"{name} must have shape (..., {_size(name)}), got {tuple(arrays[name].shape)}"
                )
            parts[name] = arrays[name].unflatten(-1, _LAYOUT[name])
        return cls(**parts)

    @classmethod
    def stack(cls, states: list[MotionState], dim: int) -> MotionState:
        """Join states along a new axis ``dim`` >= 0 among the leading ones."""
        first = states[0].parts()
        return cls(
            **{name: torch.stack([getattr(s, name) for s in states], dim=dim) for name in first}
        )

    @classmethod
    def cat(cls, states: list[MotionState]) -> MotionState:
        """Join states along their first axis; all or none have contacts."""
        first = states[0].parts()
        return cls(**{name: torch.cat([getattr(s, name) for s in states]) for name in first})

    def parts(self) -> dict[str, Tensor]:
        """The tensors by name, without contacts where there are none."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def flat(self) -> dict[str, Tensor]:
        """The tensors by name, trailing axes flattened as in the networks' rows."""
        return {
            name: value.flatten(start_dim=value.dim() - len(_LAYOUT[name]))
            for name, value in self.parts().items()
        }

    def vector(self) -> Tensor:
        """(..., 339), or (..., 348) with contacts: the networks' rows."""
        return torch.cat(list(self.flat().values()), dim=-1)

    def map(self, function: Callable[[Tensor], Any]) -> MotionState:
        """Apply ``function`` to every tensor; it must leave the trailing axes alone."""
        return MotionState(**{name: function(value) for name, value in self.parts().items()})

    def without_contacts(self) -> MotionState:
        """The part that a network reads."""
        return MotionState(**{n: v for n, v in self.parts().items() if n != "contacts"})
