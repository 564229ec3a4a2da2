"""Sizes of a body of given shape: bone offsets and lengths, stature, capsules around the bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from humor_ros.body.skeleton import SMPL_EDGES, SMPL_JOINT_NAMES, SMPL_PARENTS
from humor_ros.body.smpl_arrays import NUM_BETAS, SmplArrays
from humor_ros.types import Array

__all__ = [
    "Capsule",
    "bone_lengths",
    "capsules",
    "joint_offsets",
    "rest_joints",
    "rest_vertices",
    "stature",
]

#: Ends of the capsules of joints with several children; the others end at their one child.
_CAPSULE_ENDS = {"pelvis": ("left_hip", "right_hip"), "spine3": ("spine3", "neck")}
#: Smallest share of the skin that may decide a capsule's radius.
_FEWEST_VERTICES = 3


@dataclass(frozen=True, eq=False)
class Capsule:
    """A round-ended cylinder that moves with one joint.

    Attributes:
        joint: name of the joint whose rotation moves it.
        start: (3,) centre of one end in the joint's own frame, metres. That frame stands in the
            joint and has, in the T-pose, the body's axes (x left, y up, z forward).
        end: (3,) centre of the other end, likewise.
        radius: metres.
    """

    joint: str
    start: Array
    end: Array
    radius: float


def rest_vertices(arrays: SmplArrays, betas: ArrayLike) -> Array:
    """Skin of the T-pose.

    Args:
        arrays: the body.
        betas: (10,) shape.

    Returns:
        (V, 3) metres.

    Raises:
        ValueError: if ``betas`` is not (10,).
    """
    shape = np.asarray(betas, dtype=np.float64)
    if shape.shape != (NUM_BETAS,):
        raise ValueError(f"betas must have shape ({NUM_BETAS},), got {shape.shape}")
    return arrays.v_template + arrays.shapedirs @ shape


def rest_joints(arrays: SmplArrays, betas: ArrayLike) -> Array:
    """(24, 3) joints of the T-pose, metres; see :func:`rest_vertices`."""
    return arrays.joint_regressor @ rest_vertices(arrays, betas)


def joint_offsets(arrays: SmplArrays, betas: ArrayLike) -> Array:
    """(24, 3) place of each joint in its parent's frame, metres; zero for the pelvis."""
    joints = rest_joints(arrays, betas)
    offsets = joints - joints[list(SMPL_PARENTS)]
    offsets[0] = 0.0
    return offsets


def bone_lengths(arrays: SmplArrays, betas: ArrayLike) -> dict[tuple[str, str], float]:
    """Length of each of the 23 bones, metres, by the names of parent and child joint."""
    lengths = np.linalg.norm(joint_offsets(arrays, betas), axis=1)
    return {
        (SMPL_JOINT_NAMES[parent], SMPL_JOINT_NAMES[child]): float(lengths[child])
        for parent, child in SMPL_EDGES
    }


def stature(arrays: SmplArrays, betas: ArrayLike) -> float:
    """Height of the T-posed body from sole to crown, metres."""
    return float(np.ptp(rest_vertices(arrays, betas)[:, 1]))


def capsules(arrays: SmplArrays, betas: ArrayLike, *, quantile: float = 0.5) -> list[Capsule]:
    """Wrap a capsule around the skin that follows each joint.

    A capsule runs from its joint to the next, across the hips for the pelvis, and through the
    skin that follows the joint for head, hands and toes. Its radius is a quantile of the
    distances of that skin from its axis, so the default is a fair likeness (for markers) and
    0.95 nearly encloses the body (for planners).

    Args:
        arrays: the body.
        betas: (10,) shape.
        quantile: share of the skin inside, in (0, 1].

    Returns:
        One capsule for each joint that moves skin, in SMPL's order.

    Raises:
        ValueError: if ``betas`` is not (10,) or ``quantile`` is out of range.
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile must be in (0, 1], got {quantile}")
    vertices = rest_vertices(arrays, betas)
    joints = arrays.joint_regressor @ vertices
    owners = arrays.weights.argmax(axis=1)
    found = []
    for joint, name in enumerate(SMPL_JOINT_NAMES):
        skin = vertices[owners == joint]
        if len(skin) < _FEWEST_VERTICES:
            continue
        start, end = _axis(joint, joints, skin)
        radius = float(np.quantile(_distances(skin, start, end), quantile))
        if radius <= 0:
            continue
        if not _children(joint):
            start, end = _shortened(start, end, radius)
        found.append(Capsule(name, start - joints[joint], end - joints[joint], radius))
    return found


def _children(joint: int) -> list[int]:
    return [child for parent, child in SMPL_EDGES if parent == joint]


def _axis(joint: int, joints: Array, skin: Array) -> tuple[Array, Array]:
    """Ends of the line around which a joint's skin lies."""
    children = _children(joint)
    ends = _CAPSULE_ENDS.get(SMPL_JOINT_NAMES[joint])
    if ends is not None:
        start, end = (joints[SMPL_JOINT_NAMES.index(name)] for name in ends)
        return start, end
    if children:
        return joints[joint], joints[children[0]]
    middle = skin.mean(axis=0)
    direction = middle - joints[joint]
    direction = direction / max(float(np.linalg.norm(direction)), 1e-9)
    along = (skin - middle) @ direction
    return middle + along.min() * direction, middle + along.max() * direction


def _shortened(start: Array, end: Array, radius: float) -> tuple[Array, Array]:
    """Draw both ends in by the radius, since the round caps stand over them."""
    middle, half = 0.5 * (start + end), 0.5 * (end - start)
    length = float(np.linalg.norm(half))
    share = max(0.0, 1.0 - radius / length) if length > 0 else 0.0
    return middle - share * half, middle + share * half


def _distances(points: Array, start: Array, end: Array) -> Array:
    """(N,) distances of points from the line through two ends, within the segment's span."""
    axis = end - start
    squared = float(axis @ axis)
    if squared == 0:
        return np.linalg.norm(points - start, axis=1)
    share = np.clip((points - start) @ axis / squared, 0.0, 1.0)
    return np.linalg.norm(points - start - share[:, None] * axis, axis=1)
