"""Regressors of WHAM's 31 key-points and 4 foot points from the vertices of a body."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from humor_ros.body.skeleton import (
    FOOT_POINT_NAMES,
    SMPL_JOINT_NAMES,
    WHAM31_NAMES,
)
from humor_ros.body.smpl_arrays import SmplArrays
from humor_ros.types import Array

__all__ = ["checked_regressor", "read_regressor", "substitute_regressors"]

_SMPL_VERTICES = 6890

#: Public vertex numbers of SMPL's mesh (``smplx.vertex_ids``) for points that are no joints.
_FACE_VERTICES = {
    "nose": 332,
    "left_eye": 2800,
    "right_eye": 6260,
    "left_ear": 583,
    "right_ear": 4071,
}
_FOOT_VERTICES = {"left_toe": 3216, "left_heel": 3387, "right_toe": 6617, "right_heel": 6787}


def read_regressor(path: Path, rows: int, num_vertices: int) -> Array:
    """Read a regressor file.

    Args:
        path: ``.npy`` of shape (rows, V).
        rows: points expected.
        num_vertices: V of the body in use.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no array of that shape.
    """
    if not path.is_file():
        raise FileNotFoundError(f"regressor not found: {path}")
    try:
        regressor = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a readable .npy array ({error})") from error
    return checked_regressor(str(path), regressor, rows, num_vertices)


def checked_regressor(name: str, regressor: Array, rows: int, num_vertices: int) -> Array:
    """Check the shape and the numbers of a regressor.

    Raises:
        ValueError: naming ``name``, what it is and what was expected.
    """
    if regressor.shape != (rows, num_vertices):
        raise ValueError(
            f"{name} must have shape ({rows}, {num_vertices}) for this body, got {regressor.shape}"
        )
    regressor = np.asarray(regressor, dtype=np.float64)
    if not np.isfinite(regressor).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return regressor


def substitute_regressors(arrays: SmplArrays) -> tuple[Array, Array]:
    """Make stand-ins for WHAM's regressors, which are licensed with SMPL, for SMPL's own mesh.

    Limbs, hips and neck are SMPL's joints; nose, eyes, ears and feet are single public
    vertices; the top of the head is the highest vertex. WHAM's COCO hips need not stand
    where SMPL's hip joints do, and its mid-hip centres every output; prefer the regressors
    themselves, which WHAM's checkpoint embeds too.

    Args:
        arrays: a body with SMPL's 6,890 vertices.

    Returns:
        (31, V) key-points in the order of ``WHAM31_NAMES`` and (4, V) foot points.

    Raises:
        ValueError: if the mesh is not SMPL's, whose vertex numbers are used.
    """
    count = arrays.num_vertices
    if count != _SMPL_VERTICES:
        raise ValueError(
            f"a body of {count} vertices needs its own key-point and foot regressors "
            f"(31, {count}) and (4, {count}); they can be derived only for SMPL's "
            f"{_SMPL_VERTICES} vertices"
        )
    keypoints = np.zeros((len(WHAM31_NAMES), count))
    for row, name in zip(keypoints, WHAM31_NAMES, strict=True):
        if name in _FACE_VERTICES:
            row[_FACE_VERTICES[name]] = 1.0
        elif name == "head_top":
            row[np.argmax(arrays.v_template[:, 1])] = 1.0
        else:
            row[:] = arrays.joint_regressor[SMPL_JOINT_NAMES.index(name)]
    feet = np.zeros((len(FOOT_POINT_NAMES), count))
    feet[range(len(feet)), [_FOOT_VERTICES[name] for name in FOOT_POINT_NAMES]] = 1.0
    return keypoints, feet
