"""Quaternions and Euler angles of ROS: tf_transformations where it is, transforms3d where not.

Both use the static-axes "sxyz" roll, pitch, yaw of URDF and TF. transforms3d orders quaternions
wxyz; everything here is xyzw.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humor_ros.types import Array

try:
    import tf_transformations as _tf
except ImportError:  # not on PyPI; on a ROS install it comes from apt
    _tf = None

__all__ = [
    "BACKEND",
    "matrix_from_euler_xyz",
    "matrix_from_quaternion_xyzw",
    "quaternion_xyzw_from_matrix",
]

#: Name of the library in use.
BACKEND = "transforms3d" if _tf is None else "tf_transformations"


def matrix_from_quaternion_xyzw(quaternion_xyzw: Sequence[float] | Array) -> Array:
    """Turn a quaternion into a rotation matrix.

    Args:
        quaternion_xyzw: (4,) need not be of unit length.

    Returns:
        (3, 3) rotation.

    Raises:
        ValueError: if the quaternion is zero or not finite.
    """
    quaternion = np.asarray(quaternion_xyzw, dtype=np.float64)
    norm = float(np.linalg.norm(quaternion))
    if quaternion.shape != (4,) or not np.isfinite(norm) or norm < 1e-6:
        raise ValueError(f"quaternion x, y, z, w must be finite and non-zero, got {quaternion}")
    quaternion = quaternion / norm
    if _tf is not None:
        return np.array(_tf.quaternion_matrix(quaternion)[:3, :3])
    from transforms3d.quaternions import quat2mat

    return np.array(quat2mat(quaternion[[3, 0, 1, 2]]))


def quaternion_xyzw_from_matrix(matrix: Array) -> Array:
    """Turn a rotation matrix into a unit quaternion with w >= 0.

    Args:
        matrix: (3, 3) rotation.

    Returns:
        (4,) x, y, z, w.
    """
    if _tf is not None:
        homogeneous = np.eye(4)
        homogeneous[:3, :3] = matrix
        quaternion = np.array(_tf.quaternion_from_matrix(homogeneous))
    else:
        from transforms3d.quaternions import mat2quat

        quaternion = np.array(mat2quat(matrix))[[1, 2, 3, 0]]
    return -quaternion if quaternion[3] < 0 else quaternion


def matrix_from_euler_xyz(roll: float, pitch: float, yaw: float) -> Array:
    """Rotation of URDF's ``rpy``: Rz(yaw) Ry(pitch) Rx(roll).

    Args:
        roll: about x, radians.
        pitch: about y, radians.
        yaw: about z, radians.

    Returns:
        (3, 3) rotation.
    """
    if _tf is not None:
        return np.array(_tf.euler_matrix(roll, pitch, yaw, "sxyz")[:3, :3])
    from transforms3d.euler import euler2mat

    return np.array(euler2mat(roll, pitch, yaw, "sxyz"))
