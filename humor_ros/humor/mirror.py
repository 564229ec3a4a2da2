"""Left and right exchanged: every motion's mirror image is a motion."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_MIRROR
from humor_ros.humor.state import INPUT_SIZE, NUM_JOINTS, MotionState

__all__ = ["MIRRORED_CONTACTS", "REFLECTION", "mirrored_rows", "mirrored_state"]

#: In the plane x = 0.
REFLECTION = (-1.0, 1.0, 1.0)
#: Which contact takes each one's place: knees, ankles, toes and hands stand side by side.
MIRRORED_CONTACTS = (0, 2, 1, 4, 3, 6, 5, 8, 7)


def mirrored_rows(rows: Tensor) -> Tensor:
    """Mirror rows (..., 339) in the plane x = 0; canonical states stay canonical."""
    order, sign = _constants()
    return rows[..., order] * sign.to(rows.dtype)


def mirrored_state(state: MotionState) -> MotionState:
    """Mirror states in the plane x = 0, contacts too where they have them."""
    plain = MotionState.from_vector(mirrored_rows(state.without_contacts().vector()))
    if state.contacts is None:
        return plain
    return MotionState(**plain.parts(), contacts=state.contacts[..., list(MIRRORED_CONTACTS)])


@cache
def _constants() -> tuple[Tensor, Tensor]:
    """A signed permutation of rows (339)."""
    with torch.inference_mode(False):
        joints = torch.tensor(SMPL_MIRROR[:NUM_JOINTS])
        point = torch.tensor(REFLECTION)
        turn = point[:, None] * point  # R' = M R M
        spin = torch.tensor([1.0, -1.0, -1.0])  # an axial vector
        numbers = MotionState.from_vector(torch.arange(INPUT_SIZE))
        order = MotionState(
            trans=numbers.trans,
            trans_vel=numbers.trans_vel,
            root_orient=numbers.root_orient,
            root_orient_vel=numbers.root_orient_vel,
            pose_body=numbers.pose_body[joints[1:] - 1],
            joints=numbers.joints[joints],
            joints_vel=numbers.joints_vel[joints],
        ).vector()
        sign = MotionState(
            trans=point,
            trans_vel=point,
            root_orient=turn,
            root_orient_vel=spin,
            pose_body=turn.expand(NUM_JOINTS - 1, 3, 3),
            joints=point.expand(NUM_JOINTS, 3),
            joints_vel=point.expand(NUM_JOINTS, 3),
        ).vector()
        return order, sign
