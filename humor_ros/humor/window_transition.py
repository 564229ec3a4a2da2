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
    "SPEEDS",
    "TANGENT",
    "NetworkSlopes",
    "TransitionJacobian",
    "TransitionStates",
    "Transitions",
    "network_slopes",
    "sparse_slopes",
    "transition_jacobian",
    "transition_states",
    "transitions",
]

#: A state's changes: place, velocity, turn, turning, pose, joints, joint velocities.
TANGENT = 3 + 3 + 3 + 3 + 63 + 66 + 66
_HALF_RATE = 0.5 * FRAME_RATE
_BODY = NUM_JOINTS - 1
_TRANS, _TRANS_VEL, _ROOT, _ROOT_VEL = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12)
_POSE, _JOINTS, _JOINTS_VEL = slice(12, 75), slice(75, 141), slice(141, 207)
#: Those of a state's changes that depend on the frame after it.
SPEEDS = (*range(3, 6), *range(9, 12), *range(141, 207))


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

    def since(self, first: int) -> TransitionStates:
        """Those from one on."""
        return TransitionStates(
            self.rows[first:],
            self.following[first:],
            self.heading[first:],
            self.heading_slope[first:],
        )


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
    """Derivatives of the networks at N rows, in the canonical frame of each.

    Attributes:
        decoder: (N, 207, 207) of the decoder's changes by the state's.
        latent: (N, 207, L) of the same by the transition.
        prior: (N, L, 207) of the prior's mean by the state's changes.
    """

    decoder: Tensor
    latent: Tensor
    prior: Tensor


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


def sparse_slopes(network: HumorNetwork, rows: Tensor, z: Tensor, stride: int) -> NetworkSlopes:
    """Differentiate at every so many transitions; those beside them share the derivatives.

    Canonical states change little from one frame to the next, and this takes most of the time of
    a first window. Residuals are exact, so that steps alone are inexact (chord method).

    Args:
        network: the networks.
        rows: (N, 339) canonical states.
        z: (N, L) transitions.
        stride: neighbours that share, 1 for none.
    """
    count = len(rows)
    if stride == 1 or not count:
        return network_slopes(network, rows, z)
    chosen = (torch.arange(0, count, stride) + stride // 2).clamp(max=count - 1)
    few = network_slopes(network, rows[chosen], z[chosen])
    owner = torch.arange(count) // stride
    return NetworkSlopes(few.decoder[owner], few.latent[owner], few.prior[owner])


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
        defect: (N, 207) predicted minus actual second state, along the axes of the world.
        mean: (N, L) of the prior.
        deviation: (N, L) standard deviation of the prior.
        contacts: (N, 9) contact probability of the second states.
        changes: (N, 207) the decoder's changes, along the axes of the world.
    """

    defect: Tensor
    mean: Tensor
    deviation: Tensor
    contacts: Tensor
    changes: Tensor


def transitions(network: HumorNetwork, states: TransitionStates, z: Tensor) -> Transitions:
    """Evaluate the networks at all transitions.

    Args:
        network: the networks.
        states: of the window.
        z: (N, L).
    """
    kind = states.rows.dtype
    rows = states.rows.to(_dtype(network))
    raw = network.decode_raw(z.to(rows.dtype), rows).to(kind)
    gaussian = network.prior(rows)
    changes, logits = raw[:, :-NUM_CONTACTS], raw[:, -NUM_CONTACTS:]
    return Transitions(
        defect=_along_world(states.heading, _defect(states, changes)),
        mean=gaussian.mean.to(kind),
        deviation=gaussian.variance.sqrt().to(kind),
        contacts=torch.sigmoid(logits),
        changes=_along_world(states.heading, changes),
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


@dataclass(frozen=True, eq=False)
class TransitionJacobian:
    """Derivatives of N transitions.

    Attributes:
        near: (N, 207 + L, 207) of the defect and of the prior's mean by the moves of frames
            t - 1, t and t + 1.
        last: (N, 72, 69) of the defect's velocities (``SPEEDS``) by the moves of frame t + 2; all
            else does not depend on it.
        latent: (N, 207, L) of the defect by the transitions.
    """

    near: Tensor
    last: Tensor
    latent: Tensor


def transition_jacobian(
    states: TransitionStates, jacobian: Tensor, slopes: NetworkSlopes, changes: Tensor
) -> TransitionJacobian:
    """Differentiate transitions by the moves of their frames.

    Along the axes of the world a state's own changes do not depend on the heading that it is
    looked at with; only what the networks make of it does.

    Args:
        states: N transitions of N + 2 frames.
        jacobian: (N + 2 or N + 3, >= 22, 3, 69) of the points; the last transition's velocities
            after the last frame are not known, and their derivatives of no use.
        slopes: of the networks.
        changes: (N, 207) of :class:`Transitions`.
    """
    kind = torch.float32
    count, size = len(states.rows), slopes.prior.shape[1]
    turn = states.heading.to(kind)
    moved = jacobian[:, :NUM_JOINTS].to(kind)
    if len(moved) < count + 3:
        moved = torch.cat((moved, moved[-1:]))
    raised = moved.clone()  # seen from the ground under the root
    raised[:, :, 0, 0] = 0.0
    raised[:, :, 1, 1] = 0.0
    moved, raised = moved.flatten(1, 2), raised.flatten(1, 2)
    before, own, after, late = (moved[i : i + count] for i in range(4))
    decoder = _rows_along_world(turn, slopes.decoder.to(kind))
    net = _columns_along_world(turn, torch.cat((decoder, slopes.prior.to(kind)), dim=1))
    # The root's place and velocity are those of the first joint.
    by_joints, by_speeds = net[..., _JOINTS].clone(), net[..., _JOINTS_VEL].clone()
    by_joints[..., :3] += net[..., _TRANS]
    by_speeds[..., :3] += net[..., _TRANS_VEL]
    near = torch.empty(count, TANGENT + size, 3, NUM_MOVES, dtype=kind)
    speed = by_speeds * _HALF_RATE
    spin = net[..., _ROOT_VEL] * _HALF_RATE
    near[:, :, 0] = -(speed @ before)
    near[:, :, 0, 3:6] -= spin
    near[:, :, 1] = by_joints @ raised[1 : count + 1]
    near[:, :, 1, 3:6] += net[..., _ROOT]
    near[:, :, 1, 6:] += net[..., _POSE]
    near[:, :, 2] = speed @ after
    near[:, :, 2, 3:6] += spin
    about = (net @ _heading(states).to(kind)[..., None])[..., 0]
    about[:, :TANGENT] -= _about(changes.to(kind))
    near[:, :, 1, 3:6] += about[..., None] * states.heading_slope.to(kind)[:, None]
    # The states themselves.
    eye = torch.eye(3 * _BODY, dtype=kind)
    for rows, columns in ((_TRANS, _TRANS), (_ROOT, slice(3, 6)), (_POSE, slice(6, 69))):
        one = eye[: rows.stop - rows.start, : rows.stop - rows.start]
        near[:, rows, 1, columns] += one
        near[:, rows, 2, columns] -= one
    near[:, _JOINTS, 1] += own
    near[:, _JOINTS, 2] -= after
    rate = _HALF_RATE * eye[:3, :3]
    for slot, sign, joints in ((0, -1.0, before), (1, 1.0, own), (2, 1.0, after)):
        near[:, _TRANS_VEL, slot, :3] += sign * rate
        near[:, _ROOT_VEL, slot, 3:6] += sign * rate
        near[:, _JOINTS_VEL, slot] += sign * _HALF_RATE * joints
    last = torch.zeros(count, len(SPEEDS), NUM_MOVES, dtype=kind)
    last[:, :3, :3] = -rate
    last[:, 3:6, 3:6] = -rate
    last[:, 6:] = -_HALF_RATE * late
    latent = _rows_along_world(turn, slopes.latent.to(kind))
    return TransitionJacobian(near.flatten(2), last, latent)


def _heading(states: TransitionStates) -> Tensor:
    """(N, 207) change of the networks' input by a turn of the heading, along the world's axes."""
    rows = states.rows
    first = 18 + 9 * _BODY  # the root joint, which stays where it is
    joints = rows[:, first : first + 66].unflatten(1, (NUM_JOINTS, 3))
    joints = joints - joints[:, :1] * joints.new_tensor([1.0, 1.0, 0.0])
    out = rows.new_zeros(len(rows), TANGENT)
    out[:, _TRANS_VEL], out[:, _ROOT_VEL] = rows[:, 3:6], rows[:, 15:18]
    out[:, _JOINTS], out[:, _JOINTS_VEL] = joints.flatten(1), rows[:, first + 66 :]
    out = _about(_along_world(states.heading, out))
    out[:, 8] = -1.0
    return out


def _about(values: Tensor) -> Tensor:
    """What the vectors among (N, 207) change by, seen from a frame that turns about z."""
    x, y, _ = _vectors(values).unbind(-1)
    out = torch.zeros_like(values)
    return _with_vectors(out, torch.stack((y, -x, torch.zeros_like(x)), dim=-1))


def _along_world(heading: Tensor, values: Tensor) -> Tensor:
    """Canonical (N, 207) with all vectors along the axes of the world."""
    return _with_vectors(values, _vectors(values) @ heading)


def _vectors(values: Tensor) -> Tensor:
    """(..., 48, 3) of (..., 207): all but the pose, which no heading changes."""
    vectors = torch.cat((values[..., :12], values[..., 75:]), dim=-1)
    return vectors.unflatten(-1, (-1, 3))


def _with_vectors(values: Tensor, vectors: Tensor) -> Tensor:
    flat = vectors.flatten(-2)
    return torch.cat((flat[..., :12], values[..., _POSE], flat[..., 12:]), dim=-1)


def _columns_along_world(heading: Tensor, matrix: Tensor) -> Tensor:
    """(N, R, 207) derivatives by vectors along the world's axes."""
    vectors = _vectors(matrix)
    turned = (vectors.flatten(1, 2) @ heading).unflatten(1, vectors.shape[1:3])
    return _with_vectors(matrix, turned)


def _rows_along_world(heading: Tensor, matrix: Tensor) -> Tensor:
    """(N, 207, C) derivatives of vectors along the world's axes."""
    parts = torch.cat((matrix[:, :12], matrix[:, 75:]), dim=1).unflatten(1, (-1, 3))
    turned = torch.einsum("nji,ngjc->ngic", heading, parts).flatten(1, 2)
    return torch.cat((turned[:, :12], matrix[:, _POSE], turned[:, 12:]), dim=1)


def _turned(turn: Tensor, vectors: Tensor) -> Tensor:
    return (turn @ vectors[..., None])[..., 0]


def _dtype(network: HumorNetwork) -> torch.dtype:
    return next(network.parameters()).dtype
