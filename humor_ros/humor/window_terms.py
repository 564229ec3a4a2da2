"""Energies of the observations and of the ground, as whitened residuals with derivatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from humor_ros.geometry import matrix_to_axis_angle
from humor_ros.humor.contacts9 import FEET_IN_NINE
from humor_ros.humor.state import CONTACT_JOINTS
from humor_ros.humor.window_body import NUM_MOVES, SolverPoints
from humor_ros.humor.window_config import WindowWeights
from humor_ros.humor.window_normal import BORDER, GROUND, SHAPE, NormalEquations
from humor_ros.humor.window_stance import Stances
from humor_ros.humor.window_values import WindowMotion, WindowObservations

__all__ = ["add_observations", "observation_cost"]

_NEAREST_M = 0.2
#: Height up to which a joint in contact is free (published: 8 cm).
_FREE_HEIGHT_M = 0.08
#: Joints in contact beside those of the feet: knees and hands (their place in the nine contacts).
_OTHER = (1, 2, 7, 8)
#: Where the losses of the tracker's place and step bend, in standard deviations.
_JUMP = 3.0
#: Frames that together tell the distance once.
_DEPTH_FRAMES = 30.0
#: Share of its weight that the tracker's place keeps where it saw nothing of the person.
_UNSEEN = 0.05
#: How well the tracker knows where somebody is from a camera of unknown place, of the distance.
_PLACE_SHARE = 0.02
_HIPS = slice(11, 13)  #: among COCO's key-points
#: Where the loss of a stance bends, in standard deviations: a foot that was thought to stand.
_STANCE_BEND = 4.0


class _Sum:
    """Adds residuals to a cost and, where there are some, to normal equations."""

    def __init__(self, normal: NormalEquations | None) -> None:
        self.normal = normal
        self.cost = torch.zeros((), dtype=torch.float64)
        self.metric = 0.0

    def __call__(
        self,
        residual: Tensor,
        jacobian: Tensor | None,
        border: Tensor | None = None,
        *,
        robust: float | None = None,
        pairs: int = 1,
        metric: bool = False,
    ) -> None:
        """Add residuals (n, rows) of frames 0, 1, ...

        Args:
            residual: whitened.
            jacobian: (n, rows, span * 69).
            border: (n, rows, 13).
            robust: where the loss of Geman and McClure bends; None for squares.
            pairs: rows that are weighed together (2 for a point in the image).
            metric: whether the residual shrinks with the size of the body and its motion.
        """
        before = self.cost
        if robust is not None:
            squared = residual.unflatten(1, (-1, pairs)).square().sum(-1)
            bend = robust * robust
            self.cost = self.cost + 0.5 * (bend * squared / (bend + squared)).sum()
            weight = (bend / (bend + squared)).repeat_interleave(pairs, dim=1)
            residual = residual * weight
            jacobian = None if jacobian is None else jacobian * weight[..., None]
            border = None if border is None else border * weight[..., None]
        else:
            self.cost = self.cost + 0.5 * residual.square().sum()
        if metric:
            self.metric += float((self.cost - before).detach())
        if self.normal is not None and jacobian is not None:
            self.normal.add(0, jacobian, residual, border)


def observation_cost(
    motion: WindowMotion,
    points: SolverPoints,
    seen: WindowObservations,
    weights: WindowWeights,
    contacts: Tensor,
    stances: Stances | None = None,
) -> Tensor:
    """The energy alone, with gradients; arguments as of :func:`add_observations`."""
    return _run(motion, points, seen, weights, contacts, stances, None).cost


def add_observations(
    motion: WindowMotion,
    points: SolverPoints,
    seen: WindowObservations,
    weights: WindowWeights,
    contacts: Tensor,
    normal: NormalEquations,
    stances: Stances | None = None,
) -> tuple[float, float]:
    """Add all observations, contacts and the acceleration to normal equations.

    Args:
        motion: T frames.
        points: of that motion, with derivatives.
        seen: the observations.
        weights: what they are worth.
        contacts: (T, 9) contact probabilities that hold joints to the ground, without gradient.
        normal: what is added to.
        stances: where resting soles stand; None where that is not known.

    Returns:
        The energy, and its part that shrinks with the size of the body and its motion.
    """
    total = _run(motion, points, seen, weights, contacts, stances, normal)
    return float(total.cost), total.metric


def _run(
    motion: WindowMotion,
    points: SolverPoints,
    seen: WindowObservations,
    weights: WindowWeights,
    contacts: Tensor,
    stances: Stances | None,
    normal: NormalEquations | None,
) -> _Sum:
    total = _Sum(normal)
    if weights.pixels:
        _image(total, points, seen, weights)
    if weights.joints:
        _joints(total, points, seen, weights)
    if weights.pose or weights.orientation:
        _rotations(total, motion, seen, weights)
    if weights.root or weights.root_step:
        _root(total, motion, seen, weights)
    _contacts(total, motion, points, weights, contacts)
    if weights.stance and stances is not None and len(stances):
        _stances(total, points, weights, stances)
    if weights.acceleration:
        _acceleration(total, points, weights)
    return total


def _image(
    total: _Sum, points: SolverPoints, seen: WindowObservations, weights: WindowWeights
) -> None:
    turn = seen.rotation_camera_world
    # A camera whose place is not known goes with the person: the image tells of the pose alone.
    at = points.points[:, 0] - seen.root + seen.camera_position
    centre = seen.camera_position if seen.camera_known else at
    local = (points.coco - centre[:, None]) @ turn.transpose(1, 2)
    depth = local[..., 2:].clamp(min=_NEAREST_M)
    flat = local[..., :2] / depth
    confidence = seen.pixel_confidence * (local[..., 2] > _NEAREST_M)
    scale = confidence / (weights.pixels * seen.pixel_scale[:, None])
    residual = ((flat - seen.pixels) * scale[..., None]).flatten(1)
    jacobian = border = None
    zero = torch.zeros_like(depth[..., 0])
    one = 1.0 / depth[..., 0]
    by_local = torch.stack(
        (
            torch.stack((one, zero, -flat[..., 0] * one), dim=-1),
            torch.stack((zero, one, -flat[..., 1] * one), dim=-1),
        ),
        dim=-2,
    )
    by_local = scale[..., None, None] * by_local
    rest = None
    if not seen.camera_known:
        rest = _beside_place(by_local.flatten(1, 2), local[:, _HIPS, 2].mean(1)).detach()
        residual = (rest @ residual[..., None])[..., 0]
    if points.jacobian is not None and points.shape_jacobian is not None:
        by_point = by_local @ turn[:, None]
        first = points.joints.shape[1]
        chosen = slice(first, first + 17)
        moved, grown = points.jacobian[:, chosen], points.shape_jacobian[:, chosen]
        if not seen.camera_known:
            moved = moved - points.jacobian[:, :1]
            grown = grown - points.shape_jacobian[:, :1]
        jacobian = (by_point @ moved).flatten(1, 2)
        border = jacobian.new_zeros(*jacobian.shape[:2], BORDER)
        border[..., SHAPE] = (by_point @ grown).flatten(1, 2)
        if rest is not None:
            jacobian, border = rest @ jacobian, rest @ border
    total(residual, jacobian, border, robust=weights.pixels_robust, pairs=2)


def _beside_place(by_place: Tensor, depth: Tensor) -> Tensor:
    """What residuals in the image tell beside where the person is from the camera.

    The tracker's place errs from frame to frame, which the pose would otherwise make up for.

    Args:
        by_place: (T, n, 3) residuals' derivatives by that place, whitened, camera axes.
        depth: (T,) of the person, metres.

    Returns:
        (T, n, n) to be multiplied with residuals: nearly the projection beside those directions.
    """
    known = (_PLACE_SHARE * depth.clamp(min=_NEAREST_M)).square().reciprocal()
    eye = torch.eye(3, dtype=by_place.dtype)
    matrix = by_place.mT @ by_place + known[:, None, None] * eye
    along = by_place @ torch.linalg.solve(matrix, by_place.mT)
    return torch.eye(by_place.shape[1], dtype=by_place.dtype) - along


def _joints(
    total: _Sum, points: SolverPoints, seen: WindowObservations, weights: WindowWeights
) -> None:
    """The tracker's joints about its root, of a body of the present size."""
    scale = seen.confidence[:, 1:] / weights.joints
    wanted = seen.joints[:, 1:] - seen.joints[:, :1]
    ratio = _size(points.joints.detach()) / _size(seen.joints).clamp(min=_NEAREST_M)
    wanted = wanted * ratio
    away = (points.joints[:, 1:] - points.joints[:, :1] - wanted) * scale[..., None]
    jacobian = border = None
    if points.jacobian is not None and points.shape_jacobian is not None:
        count = points.joints.shape[1]
        relative = points.jacobian[:, 1:count] - points.jacobian[:, :1]
        jacobian = (relative * scale[..., None, None]).flatten(1, 2)
        border = jacobian.new_zeros(*jacobian.shape[:2], BORDER)
        shape = points.shape_jacobian[:, 1:count] - points.shape_jacobian[:, :1]
        border[..., SHAPE] = (shape * scale[..., None, None]).flatten(1, 2)
    total(away.flatten(1), jacobian, border)


def _size(joints: Tensor) -> Tensor:
    """Mean length of all legs' bones, (T, 22, 3) to a number, metres."""
    return (joints[:, (1, 2, 4, 5)] - joints[:, (4, 5, 7, 8)]).norm(dim=-1).mean()


def _rotations(
    total: _Sum, motion: WindowMotion, seen: WindowObservations, weights: WindowWeights
) -> None:
    away = matrix_to_axis_angle(motion.rotations @ seen.rotations.transpose(-1, -2))
    scale = torch.zeros(NUM_MOVES, dtype=away.dtype)
    scale[3:6] = 1.0 / weights.orientation if weights.orientation else 0.0
    scale[6:] = 1.0 / weights.pose if weights.pose else 0.0
    mean = seen.confidence.mean(1, keepdim=True).clamp(min=0.1)
    weight = scale[3:] * mean
    jacobian = None
    if total.normal is not None:
        jacobian = torch.diag_embed(scale * mean)[:, 3:]
    total(away.flatten(1) * weight, jacobian)


def _root(
    total: _Sum, motion: WindowMotion, seen: WindowObservations, weights: WindowWeights
) -> None:
    count = motion.frames
    if weights.root:
        axes = _place_axes(seen, weights) * _place_trust(seen)[..., None]
        away = (axes @ (motion.root - seen.root)[..., None])[..., 0]
        jacobian = None
        if total.normal:
            jacobian = torch.cat((axes, axes.new_zeros(count, 3, NUM_MOVES - 3)), dim=-1)
        total(away, jacobian, robust=_JUMP, pairs=3)  # trackers jump where little is seen
    if weights.depth and seen.camera_known:
        _distance(total, motion, seen, weights.depth)
    if weights.root_step and count > 1:
        eye = torch.zeros(3, NUM_MOVES, dtype=motion.root.dtype)
        eye[:, :3] = torch.eye(3)
        step = (motion.root.diff(dim=0) - seen.root.diff(dim=0)) / weights.root_step
        pair = torch.cat((-eye, eye), dim=1) / weights.root_step
        jacobian = pair.expand(count - 1, -1, -1) if total.normal else None
        total(step, jacobian, robust=_JUMP, pairs=3)


def _place_axes(seen: WindowObservations, weights: WindowWeights) -> Tensor:
    """(T, 3, 3) rows that weigh how far the root is from the tracker's place."""
    eye = torch.eye(3, dtype=seen.root.dtype)
    if not (weights.depth and seen.camera_known):
        return (eye / weights.root).expand(seen.frames, 3, 3)
    sight = torch.nn.functional.normalize(seen.root - seen.camera_position, dim=-1)
    return (eye - sight[:, :, None] * sight[:, None]) / weights.root


def _place_trust(seen: WindowObservations) -> Tensor:
    """(T, 1) share of its weight that the tracker's place has."""
    return torch.where(seen.hidden, _UNSEEN, 1.0).to(seen.root)[:, None]


def _distance(
    total: _Sum, motion: WindowMotion, seen: WindowObservations, deviation: float
) -> None:
    """The tracker's distance, told once by all frames together.

    A tracker is wrong about a person's size, and so about the distance, by the same share in all
    frames.
    """
    scale = _place_trust(seen) / (deviation * math.sqrt(_DEPTH_FRAMES))
    sight = motion.root - seen.camera_position
    distance = sight.norm(dim=-1, keepdim=True).clamp(min=_NEAREST_M)
    told = (seen.root - seen.camera_position).norm(dim=-1, keepdim=True).clamp(min=_NEAREST_M)
    jacobian = None
    if total.normal:
        jacobian = torch.zeros(motion.frames, 1, NUM_MOVES, dtype=motion.root.dtype)
        jacobian[:, 0, :3] = scale * sight / distance.square()
    total(scale * (distance / told).log(), jacobian)


def _contacts(
    total: _Sum,
    motion: WindowMotion,
    points: SolverPoints,
    weights: WindowWeights,
    contacts: Tensor,
) -> None:
    number = points.points.shape[1]
    places = [number - 4 + i for i in range(4)] + [CONTACT_JOINTS[i] for i in _OTHER]
    held = contacts[:, [*FEET_IN_NINE, *_OTHER]]
    points_held = points.points[:, places]
    jacobian = None if points.jacobian is None else points.jacobian[:, places]
    if weights.contact_velocity:
        # As published a contact of the later frame holds; here both must, so that no foot sticks.
        scale = (held[1:] * held[:-1]).sqrt() / weights.contact_velocity
        moved = points_held.diff(dim=0) * scale[..., None]
        pair = None
        if jacobian is not None:
            pair = torch.cat((-jacobian[:-1], jacobian[1:]), dim=-1) * scale[..., None, None]
            pair = pair.flatten(1, 2)
        total(moved.flatten(1), pair, robust=3.0, pairs=3, metric=True)
    height = points_held[..., 2] - motion.ground_height(points_held)
    soles, others = slice(0, 4), slice(4, None)
    rows, scales = [], []
    if weights.contact_height:
        rows.append(height[:, soles])
        scales.append(held[:, soles].sqrt() / weights.contact_height)
    if weights.penetration:
        rows.append(height[:, soles].clamp(max=0.0))
        scales.append((height[:, soles] < 0) / weights.penetration)
    if weights.joint_height:
        beyond = height[:, others].abs() - _FREE_HEIGHT_M
        rows.append(beyond.clamp(min=0.0) * height[:, others].sign())
        scales.append((beyond > 0) * held[:, others].sqrt() / weights.joint_height)
    if not rows:
        return
    scale = torch.cat(scales, dim=1)
    residual = torch.cat(rows, dim=1) * scale
    both = border = None
    if jacobian is not None and points.shape_jacobian is not None:
        up = torch.cat((-motion.ground[1:], motion.ground.new_ones(1)))
        by_height = torch.einsum("c,tncm->tnm", up, jacobian)
        shape = torch.einsum("c,tncm->tnm", up, points.shape_jacobian[:, places])
        flat = torch.cat((torch.ones_like(height)[..., None], points_held[..., :2]), dim=-1)
        parts = []
        if weights.contact_height:
            parts.append(soles)
        if weights.penetration:
            parts.append(soles)
        if weights.joint_height:
            parts.append(others)
        both = torch.cat([by_height[:, part] for part in parts], dim=1) * scale[..., None]
        border = both.new_zeros(*both.shape[:2], BORDER)
        border[..., SHAPE] = torch.cat([shape[:, p] for p in parts], dim=1) * scale[..., None]
        border[..., GROUND] = torch.cat([-flat[:, p] for p in parts], dim=1) * scale[..., None]
    total(residual, both, border)


def _stances(total: _Sum, points: SolverPoints, weights: WindowWeights, stances: Stances) -> None:
    places = stances.places(points.feet.detach(), weights.stance, weights.stance_told)
    scale = stances.resting / weights.stance
    away = (points.feet - places[stances.owner]) * scale[..., None]  # of nobody's: scale 0
    jacobian = border = None
    if points.jacobian is not None and points.shape_jacobian is not None:
        jacobian = (points.jacobian[:, -4:] * scale[..., None, None]).flatten(1, 2)
        border = jacobian.new_zeros(*points.feet.shape, BORDER + 3 * len(stances))
        border[..., SHAPE] = points.shape_jacobian[:, -4:] * scale[..., None, None]
        frame, foot = stances.resting.nonzero(as_tuple=True)
        column = BORDER + 3 * stances.owner[frame, foot]
        for axis in range(3):
            border[frame, foot, axis, column + axis] = -1.0 / weights.stance
        border = border.flatten(1, 2)
    total(away.flatten(1), jacobian, border, robust=_STANCE_BEND, pairs=3, metric=True)
    moved = (places - stances.told).flatten()
    known = stances.known.repeat_interleave(3) / weights.stance_told**2
    total.cost = total.cost + 0.5 * (known * moved.square()).sum()
    if total.normal is not None and total.normal.anchors >= total.normal.frames:
        nothing = moved.new_zeros(BORDER)
        total.normal.add_border(torch.cat((nothing, known)), torch.cat((nothing, moved)))


def _acceleration(total: _Sum, points: SolverPoints, weights: WindowWeights) -> None:
    joints = points.joints
    if len(joints) < 3:
        return
    scale = 1.0 / weights.acceleration
    second = (joints[2:] - 2.0 * joints[1:-1] + joints[:-2]) * scale
    jacobian = None
    if points.jacobian is not None:
        by = points.jacobian[:, : joints.shape[1]].flatten(1, 2).float() * scale
        jacobian = torch.cat((by[:-2], -2.0 * by[1:-1], by[2:]), dim=-1)
    residual = second.flatten(1)
    residual = residual if jacobian is None else residual.float()
    total(residual, jacobian, robust=3.0, pairs=3, metric=True)
