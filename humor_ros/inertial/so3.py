"""The few rotation-group operations that the inertial room needs, in NumPy.

Samples come one by one at hundreds of hertz, where a tensor library's call overhead would
be most of the cost; everything else in the project uses :mod:`humor_ros.geometry.rotation`.
"""

from __future__ import annotations

import math

import numpy as np

from humor_ros.types import Array

__all__ = [
    "exp_so3",
    "interpolate_rotation",
    "log_so3",
    "nearest_rotation",
    "orthonormalised",
    "rotation_about_z",
    "rotation_aligning",
    "skew",
    "twist_about_z",
]

_LEVI_CIVITA = np.zeros((3, 3, 3))
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _LEVI_CIVITA[_i, _j, _k] = -1.0
    _LEVI_CIVITA[_i, _k, _j] = 1.0
# skew(v)[j, k] = sum_i v_i * _SKEW[i, j, k], flattened so that one product makes it.
_SKEW = _LEVI_CIVITA.reshape(3, 9)


def exp_so3(vectors: Array) -> Array:
    """Rotation matrices of rotation vectors (Rodrigues' formula).

    Args:
        vectors: (..., 3) axis times angle, rad.

    Returns:
        (..., 3, 3) rotation matrices.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    skew = (vectors @ _SKEW).reshape(*vectors.shape[:-1], 3, 3)
    squared = np.einsum("...i,...i->...", vectors, vectors)
    angle = np.sqrt(squared)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 1.0 - squared / 6.0, np.sin(safe) / safe)
    second = np.where(small, 0.5 - squared / 24.0, (1.0 - np.cos(safe)) / (safe * safe))
    rotation: Array = (
        np.eye(3) + first[..., None, None] * skew + second[..., None, None] * (skew @ skew)
    )
    return rotation


def skew(vector: Array) -> Array:
    """Matrix of the cross product: (3,) to (3, 3), ``skew(a) @ b = a x b``."""
    matrix: Array = (np.asarray(vector, dtype=np.float64) @ _SKEW).reshape(3, 3)
    return matrix


def log_so3(rotation: Array) -> Array:
    """Rotation vector of one rotation matrix, angle in [0, pi].

    Args:
        rotation: (3, 3).

    Returns:
        (3,) axis times angle, rad.
    """
    r = np.asarray(rotation, dtype=np.float64)
    axis = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    sine = 0.5 * math.sqrt(float(axis @ axis))
    cosine = 0.5 * (float(r[0, 0] + r[1, 1] + r[2, 2]) - 1.0)
    angle = math.atan2(sine, cosine)
    if sine > 1e-6:
        return axis * (0.5 * angle / sine)
    if cosine > 0.0:
        return axis * 0.5
    # Close to half a turn: R + R^T is about 4 n n^T - 2 I, with n the axis.
    outer = 0.25 * (r + r.T) + 0.5 * np.eye(3)
    direction = outer[:, int(np.argmax(np.diag(outer)))]
    direction = direction / np.linalg.norm(direction)
    if float(direction @ axis) < 0.0:
        direction = -direction
    return direction * angle


def nearest_rotation(matrix: Array) -> Array:
    """Proper rotation closest to a matrix in the Frobenius norm.

    Args:
        matrix: (3, 3).

    Returns:
        (3, 3) with determinant +1.
    """
    u, _, vt = np.linalg.svd(matrix)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation: Array = (u * sign) @ vt
    return rotation


def orthonormalised(rotation: Array) -> Array:
    """Take the rounding out of a product of rotations (one Newton step, error squared).

    Args:
        rotation: (3, 3), a rotation up to rounding.

    Returns:
        (3, 3).
    """
    result: Array = rotation @ (1.5 * np.eye(3) - 0.5 * (rotation.T @ rotation))
    return result


def interpolate_rotation(start: Array, end: Array, fraction: float) -> Array:
    """Point on the shortest arc between two rotations (Slerp); extrapolates outside [0, 1].

    Args:
        start: (3, 3).
        end: (3, 3).
        fraction: 0 gives ``start``, 1 gives ``end``.

    Returns:
        (3, 3).
    """
    rotation: Array = start @ exp_so3(log_so3(start.T @ end) * fraction)
    return rotation


def rotation_aligning(source: Array, target: Array) -> Array:
    """Smallest rotation that turns one unit vector into another.

    Args:
        source: (3,) unit vector.
        target: (3,) unit vector.

    Returns:
        (3, 3); for opposite vectors half a turn about some perpendicular axis.
    """
    axis = np.cross(source, target)
    sine = math.sqrt(float(axis @ axis))
    cosine = float(source @ target)
    if sine < 1e-9:
        if cosine > 0.0:
            return np.eye(3)
        helper = np.eye(3)[int(np.argmin(np.abs(source)))]
        perpendicular = np.cross(source, helper)
        perpendicular /= np.linalg.norm(perpendicular)
        return exp_so3(perpendicular * math.pi)
    return exp_so3(axis * (math.atan2(sine, cosine) / sine))


def rotation_about_z(angle: float) -> Array:
    """Rotation matrix about +z.

    Args:
        angle: rad.

    Returns:
        (3, 3).
    """
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def twist_about_z(rotation: Array) -> float:
    """Angle about +z of a rotation split into a tilt and a turn about z (swing-twist).

    Args:
        rotation: (3, 3).

    Returns:
        angle in (-pi, pi], rad; 0 where the split does not exist (z turned upside down).
    """
    sine = float(rotation[1, 0] - rotation[0, 1])
    cosine = float(rotation[0, 0] + rotation[1, 1])
    return math.atan2(sine, cosine) if abs(sine) + abs(cosine) > 1e-12 else 0.0
