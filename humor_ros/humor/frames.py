"""Canonical frames: turning a state so that its body looks along y above the origin.

SMPL turns about its root joint, which stands at the translation plus an offset that depends on the
shape alone and does not turn. So joints turn about the vertical through the root joint, and the
root joint stands beside the translation by the same ``root_offset`` in every frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from humor_ros.humor.rotations import rodrigues
from humor_ros.humor.state import MotionState

__all__ = [
    "LocalFrame",
    "heading_rotation",
    "in_local_frame",
    "local_frame",
    "root_offset",
    "to_world",
]

_EPSILON = 1e-6


def heading_rotation(root_orient: Tensor) -> Tensor:
    """Turn about z that brings the body's right side to the x axis, in its published form.

    SMPL's x axis points to the body's left. The guards against division by zero turn a body of
    heading h by sqrt(h^2 + 2e-6) rather than h; both directions of every change of frame use the
    same turn, so nothing is lost.

    Args:
        root_orient: (..., 3, 3) rotation of the root.

    Returns:
        (..., 3, 3) rotation, world to aligned.
    """
    right = -root_orient[..., 0]
    x, y = right[..., 0], right[..., 1]
    length = torch.linalg.vector_norm(right[..., :2], dim=-1)
    angle = torch.acos(torch.clamp(x / (length + _EPSILON), -1.0, 1.0))
    # The axis is (right without its z) x e_x = (0, 0, -y).
    signed = -y / (y.abs() + _EPSILON) * angle
    zero = torch.zeros_like(signed)
    return rodrigues(torch.stack((zero, zero, signed), dim=-1))


@dataclass(frozen=True, eq=False)
class LocalFrame:
    """A canonical frame within another one.

    Attributes:
        rotation: (..., 3, 3) from the outer to the local frame, about z.
        shift: (..., 3) added to outer points before they are turned; its z is zero.
    """

    rotation: Tensor
    shift: Tensor

    @classmethod
    def identity(cls, trans: Tensor) -> LocalFrame:
        """The outer frame itself, for states with translations (..., 3)."""
        eye = torch.eye(3, dtype=trans.dtype, device=trans.device)
        return cls(eye.expand(*trans.shape[:-1], 3, 3), torch.zeros_like(trans))


def local_frame(state: MotionState) -> LocalFrame:
    """The canonical frame of a state within the frame that the state is given in."""
    shift = torch.cat((-state.trans[..., :2], torch.zeros_like(state.trans[..., 2:])), dim=-1)
    return LocalFrame(heading_rotation(state.root_orient), shift)


def root_offset(state: MotionState, frame: LocalFrame) -> Tensor:
    """(..., 3) place of the root joint in the ground plane, shifted to a local frame but unturned.

    Args:
        state: in the outer frame.
        frame: local frame; the identity for a state that is canonical already.
    """
    root = state.joints[..., 0, :] + frame.shift
    return torch.cat((root[..., :2], torch.zeros_like(root[..., 2:])), dim=-1)


def in_local_frame(state: MotionState, frame: LocalFrame, offset: Tensor) -> MotionState:
    """Bring a state to a local frame.

    Args:
        state: in the outer frame.
        frame: (...) local frame.
        offset: (..., 3) root offset (see the module).

    Returns:
        The state in the local frame; contacts are unchanged.
    """
    turn = frame.rotation
    points = turn[..., None, :, :]
    moved = state.joints + (frame.shift - offset)[..., None, :]
    return replace(
        state,
        trans=_apply(turn, state.trans + frame.shift),
        trans_vel=_apply(turn, state.trans_vel),
        root_orient=turn @ state.root_orient,
        root_orient_vel=_apply(turn, state.root_orient_vel),
        joints=_apply(points, moved) + offset[..., None, :],
        joints_vel=_apply(points, state.joints_vel),
    )


def to_world(state: MotionState, frame: LocalFrame, offset: Tensor) -> MotionState:
    """Undo :func:`in_local_frame`."""
    turn = frame.rotation.transpose(-1, -2)
    points = turn[..., None, :, :]
    back = (offset - frame.shift)[..., None, :]
    return replace(
        state,
        trans=_apply(turn, state.trans) - frame.shift,
        trans_vel=_apply(turn, state.trans_vel),
        root_orient=turn @ state.root_orient,
        root_orient_vel=_apply(turn, state.root_orient_vel),
        joints=_apply(points, state.joints - offset[..., None, :]) + back,
        joints_vel=_apply(points, state.joints_vel),
    )


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]
