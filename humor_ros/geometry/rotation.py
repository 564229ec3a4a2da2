"""Rotations as torch tensors: 6D, axis-angle, quaternion xyzw and matrix, and the way between.

Every function takes any number of leading batch axes, keeps dtype and device, and is
differentiable with finite gradients at the identity. Matrices act on column vectors.
"""

from __future__ import annotations

import roma
import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "axis_angle_to_matrix",
    "axis_angle_to_quaternion_xyzw",
    "geodesic_distance",
    "matrix_to_axis_angle",
    "matrix_to_quaternion_xyzw",
    "matrix_to_rotation_6d",
    "project_to_rotation",
    "quaternion_xyzw_to_axis_angle",
    "quaternion_xyzw_to_matrix",
    "rotation_6d_to_matrix",
]


def _check_trailing(name: str, value: Tensor, trailing: tuple[int, ...]) -> None:
    """Raise ValueError unless ``value`` ends with the axes ``trailing``."""
    if tuple(value.shape[-len(trailing) :]) != trailing:
        expected = ", ".join(str(size) for size in trailing)
        raise ValueError(f"{name} must have shape (..., {expected}), got {tuple(value.shape)}")


def rotation_6d_to_matrix(rotation_6d: Tensor) -> Tensor:
    """Make rotation matrices of 6D rotations: the first two ROWS, by Gram-Schmidt.

    Zhou et al., "On the Continuity of Rotation Representations" (CVPR 2019), section 4.2,
    written for rows in place of columns.

    Args:
        rotation_6d: (..., 6) first row, second row; neither needs to be of unit length.

    Returns:
        (..., 3, 3) rotation matrices.

    Raises:
        ValueError: if the last axis is not 6.
    """
    _check_trailing("rotation_6d", rotation_6d, (6,))
    first, second = rotation_6d[..., :3], rotation_6d[..., 3:]
    row_0 = functional.normalize(first, dim=-1)
    along = (row_0 * second).sum(dim=-1, keepdim=True)
    row_1 = functional.normalize(second - along * row_0, dim=-1)
    row_2 = torch.linalg.cross(row_0, row_1, dim=-1)
    return torch.stack((row_0, row_1, row_2), dim=-2)


def matrix_to_rotation_6d(matrix: Tensor) -> Tensor:
    """Take the first two rows of rotation matrices.

    Args:
        matrix: (..., 3, 3) rotation matrices.

    Returns:
        (..., 6) the first row, then the second.

    Raises:
        ValueError: if the last two axes are not (3, 3).
    """
    _check_trailing("matrix", matrix, (3, 3))
    return matrix[..., :2, :].flatten(start_dim=-2)


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Make rotation matrices of rotation vectors (Rodrigues' formula).

    Args:
        axis_angle: (..., 3) unit axis times angle, rad.

    Returns:
        (..., 3, 3) rotation matrices.

    Raises:
        ValueError: if the last axis is not 3.
    """
    _check_trailing("axis_angle", axis_angle, (3,))
    return roma.rotvec_to_rotmat(axis_angle)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Make rotation vectors, of angle at most pi, of rotation matrices.

    Args:
        matrix: (..., 3, 3) rotation matrices.

    Returns:
        (..., 3) unit axis times angle, rad. At an angle of pi the sign of the axis is free.

    Raises:
        ValueError: if the last two axes are not (3, 3).
    """
    _check_trailing("matrix", matrix, (3, 3))
    return roma.rotmat_to_rotvec(matrix)


def quaternion_xyzw_to_matrix(quaternion_xyzw: Tensor) -> Tensor:
    """Make rotation matrices of quaternions, which are normalised first.

    Args:
        quaternion_xyzw: (..., 4) x, y, z, w; any length but zero.

    Returns:
        (..., 3, 3) rotation matrices.

    Raises:
        ValueError: if the last axis is not 4.
    """
    _check_trailing("quaternion_xyzw", quaternion_xyzw, (4,))
    return roma.unitquat_to_rotmat(functional.normalize(quaternion_xyzw, dim=-1))


def matrix_to_quaternion_xyzw(matrix: Tensor) -> Tensor:
    """Make unit quaternions with w >= 0 of rotation matrices.

    Args:
        matrix: (..., 3, 3) rotation matrices.

    Returns:
        (..., 4) x, y, z, w.

    Raises:
        ValueError: if the last two axes are not (3, 3).
    """
    _check_trailing("matrix", matrix, (3, 3))
    quaternion = roma.rotmat_to_unitquat(matrix)
    return torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)


def axis_angle_to_quaternion_xyzw(axis_angle: Tensor) -> Tensor:
    """Make unit quaternions of rotation vectors.

    Args:
        axis_angle: (..., 3) unit axis times angle, rad.

    Returns:
        (..., 4) x, y, z, w.

    Raises:
        ValueError: if the last axis is not 3.
    """
    _check_trailing("axis_angle", axis_angle, (3,))
    return roma.rotvec_to_unitquat(axis_angle)


def quaternion_xyzw_to_axis_angle(quaternion_xyzw: Tensor) -> Tensor:
    """Make rotation vectors, of angle at most pi, of quaternions, which are normalised first.

    Args:
        quaternion_xyzw: (..., 4) x, y, z, w; any length but zero.

    Returns:
        (..., 3) unit axis times angle, rad.

    Raises:
        ValueError: if the last axis is not 4.
    """
    _check_trailing("quaternion_xyzw", quaternion_xyzw, (4,))
    return roma.unitquat_to_rotvec(functional.normalize(quaternion_xyzw, dim=-1))


def project_to_rotation(matrix: Tensor) -> Tensor:
    """Find the rotation nearest to each matrix in the Frobenius norm (SVD, det +1).

    Args:
        matrix: (..., 3, 3) any matrices, such as a mean of rotations.

    Returns:
        (..., 3, 3) rotation matrices.

    Raises:
        ValueError: if the last two axes are not (3, 3).
    """
    _check_trailing("matrix", matrix, (3, 3))
    return roma.special_procrustes(matrix)


def geodesic_distance(matrix_a: Tensor, matrix_b: Tensor) -> Tensor:
    """Angle of the rotation between two rotations.

    Args:
        matrix_a: (..., 3, 3) rotation matrices.
        matrix_b: (..., 3, 3) rotation matrices; leading axes broadcast.

    Returns:
        (...) angles in [0, pi], rad.

    Raises:
        ValueError: if the last two axes of either are not (3, 3).
    """
    _check_trailing("matrix_a", matrix_a, (3, 3))
    _check_trailing("matrix_b", matrix_b, (3, 3))
    return torch.linalg.vector_norm(
        roma.rotmat_to_rotvec(matrix_a.transpose(-1, -2) @ matrix_b), dim=-1
    )
