"""Energies of the observations and of the ground, as whitened residuals with derivatives."""

from __future__ import annotations

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
#: Where the loss of a stance bends, in standard deviations: a foot that was thought to stand.
_STANCE_BEND = 4.0


class _Sum:
    """Adds residuals to a cost and, where there are some, to normal equations."""

    def __init__(self, normal: NormalEquations | None) -> None:
        self.normal = normal
        self.cost = torch.zeros((), dtype=torch.float64)

    def __call__(
        self,
        residual: Tensor,
        jacobian: Tensor | None,
        border: Tensor | None = None,
        *,
        robust: float | None = None,
        pairs: int = 1,
    ) -> None:
        """Add residuals (n, rows) of frames 0, 1, ...

        Args:
            residual: whitened.
            jacobian: (n, rows, span * 69).
            border: (n, rows, 13).
            robust: where the loss of Geman and McClure bends; None for squares.
            pairs: rows that are weighed together (2 for a point in the image).
        """
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
    return _run(motion, points, seen, weights, contacts, stances, None)


def add_observations(
    motion: WindowMotion,
    points: SolverPoints,
    seen: WindowObservations,
    weights: WindowWeights,
    contacts: Tensor,
    normal: NormalEquations,
    stances: Stances | None = None,
) -> float:
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
        The energy.
    """
    return float(_run(motion, points, seen, weights, contacts, stances, normal))


def _run(
    motion: WindowMotion,
    points: SolverPoints,
    seen: WindowObservations,
    weights: WindowWeights,
    contacts: Tensor,
    stances: Stances | None,
    normal: NormalEquations | None,
) -> Tensor:
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
    if weights.stance and stances is not None:
        _stances(total, points, weights, stances)
    if weights.acceleration:
        _acceleration(total, points, weights)
    return total.cost


def _image(
    total: _Sum, points: SolverPoints, seen: WindowObservations, weights: WindowWeights
) -> None:
    turn = seen.rotation_camera_world
    local = (points.coco - seen.camera_position[:, None]) @ turn.transpose(1, 2)
    depth = local[..., 2:].clamp(min=_NEAREST_M)
    flat = local[..., :2] / depth
    confidence = seen.pixel_confidence * (local[..., 2] > _NEAREST_M)
    scale = confidence / (weights.pixels * seen.pixel_scale[:, None])
    residual = ((flat - seen.pixels) * scale[..., None]).flatten(1)
    jacobian = border = None
    if points.jacobian is not None and points.shape_jacobian is not None:
        zero = torch.zeros_like(depth[..., 0])
        one = 1.0 / depth[..., 0]
        by_local = torch.stack(
            (
                torch.stack((one, zero, -flat[..., 0] * one), dim=-1),
                torch.stack((zero, one, -flat[..., 1] * one), dim=-1),
            ),
            dim=-2,
        )
        by_point = scale[..., None, None] * (by_local @ turn[:, None])
        first = points.joints.shape[1]
        chosen = slice(first, first + 17)
        jacobian = (by_point @ points.jacobian[:, chosen]).flatten(1, 2)
        border = jacobian.new_zeros(*jacobian.shape[:2], BORDER)
        border[..., SHAPE] = (by_point @ points.shape_jacobian[:, chosen]).flatten(1, 2)
    total(residual, jacobian, border, robust=weights.pixels_robust, pairs=2)


def _joints(
    total: _Sum, points: SolverPoints, seen: WindowObservations, weights: WindowWeights
) -> None:
    """The tracker's joints about its root."""
    scale = seen.confidence[:, 1:] / weights.joints
    wanted = seen.joints[:, 1:] - seen.joints[:, :1]
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
    eye = torch.zeros(3, NUM_MOVES, dtype=motion.root.dtype)
    eye[:, :3] = torch.eye(3)
    if weights.root:
        jacobian = (eye / weights.root).expand(count, -1, -1) if total.normal else None
        away = (motion.root - seen.root) / weights.root
        total(away, jacobian, robust=_JUMP, pairs=3)  # trackers jump where little is seen
    if weights.root_step and count > 1:
        step = (motion.root.diff(dim=0) - seen.root.diff(dim=0)) / weights.root_step
        pair = torch.cat((-eye, eye), dim=1) / weights.root_step
        jacobian = pair.expand(count - 1, -1, -1) if total.normal else None
        total(step, jacobian, robust=_JUMP, pairs=3)


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
        total(moved.flatten(1), pair, robust=3.0, pairs=3)
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
    scale = stances.resting / weights.stance
    away = (points.feet - stances.places) * scale[..., None]
    jacobian = border = None
    if points.jacobian is not None and points.shape_jacobian is not None:
        jacobian = (points.jacobian[:, -4:] * scale[..., None, None]).flatten(1, 2)
        border = jacobian.new_zeros(*jacobian.shape[:2], BORDER)
        border[..., SHAPE] = (points.shape_jacobian[:, -4:] * scale[..., None, None]).flatten(1, 2)
    total(away.flatten(1), jacobian, border, robust=_STANCE_BEND, pairs=3)


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
    total(residual if jacobian is None else residual.float(), jacobian, robust=3.0, pairs=3)
