"""Disturbed states, so that a network learns to come back to what bodies do."""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.humor.packed import PackedState
from humor_ros.humor.rigid import RigidBones
from humor_ros.humor.state import MotionState

__all__ = ["CHANGES", "disturbed", "mirrored_changes", "resized", "sizes"]

#: Numbers that change from a state to the next: the decoder's without contacts.
CHANGES = 207
_TRANS, _TRANS_VEL, _ROOT, _ROOT_VEL = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12)
_POSE, _JOINTS, _JOINTS_VEL = slice(12, 75), slice(75, 141), slice(141, 207)
#: Deviations at full level: metres, m/s, rad, rad/s.
_HEIGHT_M, _SPEED_M_S, _TILT_RAD, _SPIN_RAD_S, _POSE_RAD = 0.03, 0.15, 0.06, 0.3, 0.08
#: Levels are drawn evenly in their logarithm down to this.
_LEAST = 0.03


@torch.no_grad()
def disturbed(rows: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Disturb some states: height, tilt, pose and velocities; bones keep their lengths.

    Heading and place stay, so that canonical states stay canonical.

    Args:
        rows: (N, 339) canonical states whose joints are those of their rotations.
        share: of the states that are disturbed.
        generator: of the random numbers.

    Returns:
        (N, 339) rows, and (N, 207) by what they were changed, in the order of the decoder.
    """
    count = len(rows)
    level = _LEAST ** torch.rand(count, 1, generator=generator)
    level = level * (torch.rand(count, 1, generator=generator) < share)
    noise = torch.randn(count, CHANGES, generator=generator) * level
    raw = torch.zeros(count, CHANGES + 9)
    raw[:, 2] = _HEIGHT_M * noise[:, 2]
    raw[:, _TRANS_VEL] = _SPEED_M_S * noise[:, _TRANS_VEL]
    raw[:, 6:8] = _TILT_RAD * noise[:, 6:8]
    raw[:, _ROOT_VEL] = _SPIN_RAD_S * noise[:, _ROOT_VEL]
    raw[:, _POSE] = _POSE_RAD * noise[:, _POSE]
    raw[:, _JOINTS_VEL] = _SPEED_M_S * noise[:, _JOINTS_VEL] + raw[:, _TRANS_VEL].repeat(1, 22)
    before = PackedState.pack(MotionState.from_vector(rows))
    after = RigidBones.of(before).posed(before.changed(raw))
    raw[:, _JOINTS] = (after.joints - before.joints).flatten(1)
    chosen = level > 0
    return torch.where(chosen, after.row(), rows), torch.where(chosen, raw[:, :CHANGES], 0.0)


def sizes(count: int, deviation: float, generator: torch.Generator) -> Tensor:
    """(count, 1) factors about 1 by which bodies and their steps are enlarged."""
    return (deviation * torch.randn(count, 1, generator=generator)).exp()


def resized(rows: Tensor, factor: Tensor) -> Tensor:
    """Enlarge bodies: places and their velocities; turns stay.

    Args:
        rows: (N, ..., 339) states, or (N, ..., 207) changes of states.
        factor: (N, 1) of each.
    """
    turns = slice(6, 75)
    if rows.shape[-1] != CHANGES:
        turns = slice(6, 207)
    shaped = factor.reshape(-1, *[1] * (rows.dim() - 1)).expand(*rows.shape[:-1], 1)
    return torch.cat(
        (
            rows[..., : turns.start] * shaped,
            rows[..., turns],
            rows[..., turns.stop :] * shaped,
        ),
        dim=-1,
    )


def mirrored_changes(point_order: Tensor) -> tuple[Tensor, Tensor]:
    """Mirroring in the plane x = 0 of changes (207) as a permutation and signs.

    Args:
        point_order: (22) which joint takes each joint's place.
    """
    numbers = torch.arange(CHANGES)
    joints = (point_order[:, None] * 3 + torch.arange(3)).flatten()
    body = ((point_order[1:, None] - 1) * 3 + torch.arange(3)).flatten()
    order = torch.cat(
        (numbers[:12], numbers[_POSE][body], numbers[_JOINTS][joints], numbers[_JOINTS_VEL][joints])
    )
    point, axial = torch.tensor([-1.0, 1.0, 1.0]), torch.tensor([1.0, -1.0, -1.0])
    sign = torch.cat((point, point, axial, axial, axial.repeat(21), point.repeat(44)))
    return order, sign
