"""All transitions of a window at once: what the prior says of frames t - 1 to t + 2.

Direct transcription: the states are variables and a transition is a residual between what the
decoder makes of one state and the next one, so nothing is rolled out and all frames are
evaluated together (Rempe et al., "HuMoR", ICCV 2021, sections 3 and 4, gives the model). Each is
looked at in the canonical frame of its first state, whose heading moves with the root.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.geometry import matrix_to_axis_angle
from humor_ros.humor.config import RAW_SIZE
from humor_ros.humor.frames import heading_rotation
from humor_ros.humor.mlp_jacobian import mlp_jacobian
from humor_ros.humor.motion import angular_velocity, velocity
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.rotations import rodrigues
from humor_ros.humor.state import FRAME_RATE, NUM_CONTACTS, NUM_JOINTS
from humor_ros.humor.window_body import NUM_MOVES, SolverPoints
from humor_ros.humor.window_values import WindowMotion

__all__ = [
    "TANGENT",
    "NetworkSlopes",
    "TransitionStates",
    "Transitions",
    "network_slopes",
    "transition_states",
    "transitions",
]

#: A state's changes: place, velocity, turn, turning, pose, joints, joint velocities.
TANGENT = 3 + 3 + 3 + 3 + 63 + 66 + 66
_HALF_RATE = 0.5 * FRAME_RATE
_BODY = NUM_JOINTS - 1
_TRANS, _TRANS_VEL, _ROOT, _ROOT_VEL = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12)
_POSE, _JOINTS, _JOINTS_VEL = slice(12, 75), slice(75, 141), slice(141, 207)


@dataclass(frozen=True, eq=False)
class TransitionStates:
    """N = T - 2 pairs of neighbouring states in the canonical frame of each pair's first.

    Attributes:
        rows: (N, 339) first states as the networks read them.
        following: (N, 339) second states; velocities of the last one are not known.
        heading: (N, 3, 3) world to canonical.
        heading_slope: (N, 3) change of the heading by a turn of the root.
    """

    rows: Tensor
    following: Tensor
    heading: Tensor
    heading_slope: Tensor


def transition_states(
    motion: WindowMotion, points: SolverPoints, rest_root: Tensor
) -> TransitionStates:
    """Bring neighbouring frames to the networks' form.

    Args:
        motion: T >= 3 frames.
        points: of that motion.
        rest_root: (3,) root joint at rest.
    """
    joints, root = points.joints, motion.root
    speeds = velocity(joints[None])[0]
    spins = angular_velocity(motion.rotations[None, :, 0])[0]
    turn = heading_rotation(motion.rotations[1:-1, 0])
    floor = motion.ground_height(root[1:-1])
    origin = torch.cat((root[1:-1, :2], floor[:, None]), dim=-1)
    offset = torch.cat((rest_root[:2], rest_root.new_zeros(1)))

    def row(frames: slice) -> Tensor:
        trans = _turned(turn, root[frames] - origin)
        trans = trans - torch.cat((rest_root.new_zeros(2), rest_root[2:]))
        local = (joints[frames] - origin[:, None]) @ turn.transpose(1, 2) + offset
        parts = (
            trans,
            _turned(turn, speeds[frames, 0]),
            (turn @ motion.rotations[frames, 0]).flatten(1),
            _turned(turn, spins[frames]),
            motion.rotations[frames, 1:].flatten(1),
            local.flatten(1),
            (speeds[frames] @ turn.transpose(1, 2)).flatten(1),
        )
        return torch.cat(parts, dim=-1)

    right = -motion.rotations[1:-1, 0, :, 0]
    flat = right[:, :2].square().sum(-1, keepdim=True).clamp(min=1e-6)
    slope = torch.cat((-right[:, 2:] * right[:, :2] / flat, torch.ones_like(flat)), dim=-1)
    return TransitionStates(row(slice(1, -1)), row(slice(2, None)), turn, slope)


@dataclass(frozen=True, eq=False)
class NetworkSlopes:
    """Derivatives of the networks at N rows, kept between iterations and windows.

    Attributes:
        decoder: (N, 207, 207) of the decoder's changes by the state's.
        latent: (N, 207, L) of the same by the transition.
        prior: (N, L, 207) of the prior's mean by the state's changes.
    """

    decoder: Tensor
    latent: Tensor
    prior: Tensor

    def cut(self, first: int, last: int) -> NetworkSlopes:
        """Rows first to last - 1."""
        return NetworkSlopes(
            self.decoder[first:last], self.latent[first:last], self.prior[first:last]
        )

    def joined(self, other: NetworkSlopes) -> NetworkSlopes:
        """These rows and then others."""
        return NetworkSlopes(
            torch.cat((self.decoder, other.decoder)),
            torch.cat((self.latent, other.latent)),
            torch.cat((self.prior, other.prior)),
        )


def network_slopes(network: HumorNetwork, rows: Tensor, z: Tensor) -> NetworkSlopes:
    """Differentiate decoder and prior.

    Args:
        network: the networks.
        rows: (N, 339) canonical states.
        z: (N, L) transitions.
    """
    rows, z = rows.to(_dtype(network)), z.to(_dtype(network))
    changes = slice(0, RAW_SIZE - NUM_CONTACTS)
    decoder = mlp_jacobian(network.decoder, rows, z, rows=changes)
    mean = slice(0, network.config.latent_size)
    prior = mlp_jacobian(network.prior_net, rows, rows=mean)
    return NetworkSlopes(
        _by_tangent(decoder.by_input, rows), decoder.by_skip, _by_tangent(prior.by_input, rows)
    )


def _by_tangent(by_input: Tensor, rows: Tensor) -> Tensor:
    """(N, R, 207) derivatives by a state's changes, of those (N, R, 339) by its row."""
    trans, root, spin, pose, points = by_input.split((6, 9, 3, 9 * _BODY, 132), dim=-1)
    matrices = torch.cat((rows[:, 6:15], rows[:, 18 : 18 + 9 * _BODY]), dim=-1)
    matrices = matrices.unflatten(-1, (NUM_JOINTS, 3, 3))
    by_matrix = torch.cat((root, pose), dim=-1).unflatten(-1, (NUM_JOINTS, 3, 3))
    # A left turn w changes R by [w]x R, so M = (dy/dR) R^T gives dy = w . (M32 - M23, ...).
    turned = by_matrix @ matrices[:, None].transpose(-1, -2)
    by_turn = torch.stack(
        (
            turned[..., 2, 1] - turned[..., 1, 2],
            turned[..., 0, 2] - turned[..., 2, 0],
            turned[..., 1, 0] - turned[..., 0, 1],
        ),
        dim=-1,
    )
    return torch.cat(
        (trans, by_turn[..., 0, :], spin, by_turn[..., 1:, :].flatten(-2), points), dim=-1
    )


@dataclass(frozen=True, eq=False)
class Transitions:
    """What the networks say of N transitions.

    Attributes:
        defect: (N, 207) predicted minus actual second state.
        mean: (N, L) of the prior.
        deviation: (N, L) standard deviation of the prior.
        contacts: (N, 9) contact probability of the second states.
        jacobian: (N, 207, 276) of the defect by the moves of the four frames; None unless
            slopes were given, as ``prior`` (N, L, 276), that of the prior's mean.
    """

    defect: Tensor
    mean: Tensor
    deviation: Tensor
    contacts: Tensor
    jacobian: Tensor | None = None
    prior: Tensor | None = None


@torch.no_grad()
def transitions(
    network: HumorNetwork,
    states: TransitionStates,
    z: Tensor,
    points: SolverPoints | None = None,
    slopes: NetworkSlopes | None = None,
) -> Transitions:
    """Evaluate the networks at all transitions.

    Args:
        network: the networks.
        states: of the window.
        z: (N, L).
        points: with derivatives; needed with ``slopes``.
        slopes: of the networks, possibly of an earlier iteration.
    """
    rows = states.rows.to(_dtype(network))
    raw = network.decode_raw(z.to(rows.dtype), rows).to(states.rows.dtype)
    gaussian = network.prior(rows)
    changes, logits = raw[:, :-NUM_CONTACTS], raw[:, -NUM_CONTACTS:]
    defect = _defect(states, changes)
    result = Transitions(
        defect=defect,
        mean=gaussian.mean.to(defect.dtype),
        deviation=gaussian.variance.sqrt().to(defect.dtype),
        contacts=torch.sigmoid(logits),
    )
    if slopes is None or points is None or points.jacobian is None:
        return result
    first = _tangent(states, points.jacobian, slot=1)
    second = _tangent(states, points.jacobian, slot=2)
    jacobian = torch.baddbmm(first - second, slopes.decoder, first)
    return Transitions(
        result.defect,
        result.mean,
        result.deviation,
        result.contacts,
        jacobian,
        slopes.prior @ first,
    )


def _defect(states: TransitionStates, changes: Tensor) -> Tensor:
    rows, after = states.rows, states.following
    size = (3, 3, 9, 3, 9 * _BODY, 66, 66)
    old, new = rows.split(size, dim=-1), after.split(size, dim=-1)
    change = changes.split((3, 3, 3, 3, 3 * _BODY, 66, 66), dim=-1)
    turns = rodrigues(torch.cat((change[2], change[4]), dim=-1).unflatten(-1, (NUM_JOINTS, 3)))
    before = torch.cat((old[2], old[4]), dim=-1).unflatten(-1, (NUM_JOINTS, 3, 3))
    found = torch.cat((new[2], new[4]), dim=-1).unflatten(-1, (NUM_JOINTS, 3, 3))
    error = matrix_to_axis_angle(turns @ before @ found.transpose(-1, -2))
    plain = {i: old[i] + change[i] - new[i] for i in (0, 1, 3, 5, 6)}
    return torch.cat(
        (plain[0], plain[1], error[:, 0], plain[3], error[:, 1:].flatten(1), plain[5], plain[6]),
        dim=-1,
    )


def _tangent(states: TransitionStates, jacobian: Tensor, slot: int) -> Tensor:
    """Changes (N, 207) of the state at a frame by the moves of frames t - 1 to t + 2.

    Args:
        states: of the window.
        jacobian: (T, >= 22, 3, 69) of the points.
        slot: 1 for the state at t, 2 for that at t + 1; both seen from the frame of t.
    """
    kind = torch.float32
    count = len(states.rows)
    turn, slope = states.heading.to(kind), states.heading_slope.to(kind)
    row = (states.rows if slot == 1 else states.following).to(kind)
    offset = states.rows[:, 18 + 9 * _BODY : 21 + 9 * _BODY].to(kind).clone()  # the root joint
    offset[:, 2] = 0.0
    by_point = jacobian[:, :NUM_JOINTS].to(kind)
    last = by_point[-1:]
    frames = (by_point[:-2], by_point[1:-1], by_point[2:], torch.cat((by_point[3:], last)))
    out = torch.zeros(count, TANGENT, 4, NUM_MOVES, dtype=kind)
    eye = torch.eye(3, dtype=kind)
    place = turn @ torch.diag(eye.new_tensor([1.0, 1.0, 0.0]))
    turned = turn[:, None]
    # The state's own frame.
    out[:, _TRANS, slot, :3] += turn
    out[:, _ROOT, slot, 3:6] += turn
    out[:, _POSE, slot, 6:] += torch.eye(3 * _BODY, dtype=kind)
    out[:, _JOINTS, slot] += (turned @ frames[slot]).flatten(1, 2)
    # Velocities: the frames about it.
    for other, sign in ((slot - 1, -_HALF_RATE), (slot + 1, _HALF_RATE)):
        moved = (turned @ frames[other]).flatten(1, 2) * sign
        out[:, _JOINTS_VEL, other] += moved
        out[:, _TRANS_VEL, other] += moved[:, :3]
        out[:, _ROOT_VEL, other, 3:6] += sign * turn
    # The frame it is seen from: its origin and its heading.
    out[:, _TRANS, 1, :3] -= place
    out[:, _JOINTS, 1, :3] -= place.repeat(1, NUM_JOINTS, 1)
    heading = out.new_zeros(count, TANGENT)
    plain = row.clone()
    plain[:, 18 + 9 * _BODY : 18 + 9 * _BODY + 66] -= offset.repeat(1, NUM_JOINTS)
    vectors = torch.cat((plain[:, :6], plain[:, 15:18], plain[:, 18 + 9 * _BODY :]), dim=-1)
    vectors = vectors.unflatten(-1, (-1, 3))
    about = torch.stack(
        (vectors[..., 1], -vectors[..., 0], torch.zeros_like(vectors[..., 0])), dim=-1
    ).flatten(1)
    heading[:, :6], heading[:, _ROOT_VEL] = about[:, :6], about[:, 6:9]
    heading[:, 75:] = about[:, 9:]
    heading[:, 8] = -1.0
    out[:, :, 1, 3:6] += heading[..., None] * slope[:, None]
    return out.flatten(2)


def _turned(turn: Tensor, vectors: Tensor) -> Tensor:
    return (turn @ vectors[..., None])[..., 0]


def _dtype(network: HumorNetwork) -> torch.dtype:
    return next(network.parameters()).dtype
