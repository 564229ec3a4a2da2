"""The arrays of an SMPL-format body, checked, and the files that they come from."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.body.smpl_pickle import read_smpl_pickle
from humor_ros.types import Array

__all__ = ["NUM_BETAS", "SmplArrays", "read_smpl_arrays"]

#: Shape directions used; files may hold up to 300.
NUM_BETAS = 10

_REQUIRED = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")


@dataclass(frozen=True, eq=False)
class SmplArrays:
    """An SMPL-format body (Loper et al., 2015) with V vertices and 24 joints, metres.

    Attributes:
        v_template: (V, 3) vertices of the mean shape in the T-pose, y up, z forward.
        shapedirs: (V, 3, 10) displacement for each unit of beta.
        posedirs: (V, 3, 207) displacement for each entry of R - I of joints 1-23, row-major.
        joint_regressor: (24, V) joints as sums of vertices.
        weights: (V, 24) blend-skinning weights.
        faces: (F, 3) vertex indices of the triangles.

    Raises:
        ValueError: on construction, naming the array, its shape and the one expected.
    """

    v_template: Array
    shapedirs: Array
    posedirs: Array
    joint_regressor: Array
    weights: Array
    faces: NDArray[np.int64]

    def __post_init__(self) -> None:
        joints = len(SMPL_PARENTS)
        _require_shape("v_template", self.v_template, (None, 3))
        vertices = self.num_vertices
        _require_shape("shapedirs", self.shapedirs, (vertices, 3, NUM_BETAS))
        _require_shape("posedirs", self.posedirs, (vertices, 3, (joints - 1) * 9))
        _require_shape("J_regressor", self.joint_regressor, (joints, vertices))
        _require_shape("weights", self.weights, (vertices, joints))
        _require_shape("f (faces)", self.faces, (None, 3))
        if self.faces.size and not 0 <= self.faces.min() <= self.faces.max() < vertices:
            raise ValueError(
                f"f (faces) names vertices {self.faces.min()} to {self.faces.max()}, but there "
                f"are {vertices}"
            )

    @property
    def num_vertices(self) -> int:
        """Number of vertices, V."""
        return self.v_template.shape[0]

    @classmethod
    def from_mapping(cls, arrays: Mapping[str, Any]) -> SmplArrays:
        """Take the arrays of SMPL's files, under their published names.

        Args:
            arrays: v_template, shapedirs, posedirs, J_regressor, weights, kintree_table and f;
                others are ignored, and shape directions beyond the tenth are cut.

        Raises:
            ValueError: if an array is missing, has a wrong shape or is not numeric, or if the
                joints are not SMPL's.
        """
        missing = [name for name in _REQUIRED if name not in arrays]
        if missing:
            raise ValueError(
                f"not an SMPL body: {', '.join(missing)} missing (an SMPL body holds "
                f"{', '.join(_REQUIRED)})"
            )
        _require_smpl_tree(arrays["kintree_table"])
        shapedirs = _float_array("shapedirs", arrays["shapedirs"])
        return cls(
            v_template=_float_array("v_template", arrays["v_template"]),
            shapedirs=shapedirs[..., :NUM_BETAS],
            posedirs=_float_array("posedirs", arrays["posedirs"]),
            joint_regressor=_float_array("J_regressor", arrays["J_regressor"]),
            weights=_float_array("weights", arrays["weights"]),
            faces=np.asarray(arrays["f"]).astype(np.int64),
        )


def read_smpl_arrays(path: Path) -> SmplArrays:
    """Read an SMPL body from a file.

    Args:
        path: ``.npz``, or the published ``.pkl`` (read without executing anything in it).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an SMPL body; says which array and what was expected.
    """
    if path.is_dir():
        raise ValueError(f"body model {path} is a folder; give the file, such as SMPL_NEUTRAL.npz")
    if not path.is_file():
        raise FileNotFoundError(
            f"body model not found: {path}. SMPL's files come from smpl.is.tue.mpg.de under "
            "their own licence; leave the path empty to use the packaged free body"
        )
    if path.suffix == ".pkl":
        arrays = read_smpl_pickle(path)
    elif path.suffix == ".npz":
        arrays = _read_npz(path)
    else:
        raise ValueError(f"body model {path} must be a .npz or .pkl file")
    try:
        return SmplArrays.from_mapping(arrays)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_npz(path: Path) -> dict[str, Any]:
    """Read the needed arrays; Python objects inside are refused, so nothing is executed."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in _REQUIRED if name in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError, OSError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a readable .npz of plain arrays ({error}); a file that stores Python "
            "objects can be given as .pkl"
        ) from error


def _float_array(name: str, value: Any) -> Array:
    try:
        dense = value.toarray() if hasattr(value, "toarray") else value
        array = np.asarray(dense, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is not an array of numbers ({error})") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return array


def _require_shape(name: str, array: NDArray[Any], expected: tuple[int | None, ...]) -> None:
    matches = array.ndim == len(expected) and all(
        size is None or size == found for size, found in zip(expected, array.shape, strict=True)
    )
    if not matches:
        wanted = ", ".join("V" if size is None else str(size) for size in expected)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")


def _require_smpl_tree(kintree_table: Any) -> None:
    table = np.asarray(kintree_table)
    joints = len(SMPL_PARENTS)
    if table.shape != (2, joints):
        hint = " (52: SMPL+H, 55: SMPL-X; SMPL itself is needed)" if table.ndim == 2 else ""
        raise ValueError(f"kintree_table must have shape (2, {joints}), got {table.shape}{hint}")
    if not np.array_equal(table[0, 1:].astype(np.int64), SMPL_PARENTS[1:]):
        raise ValueError(
            f"kintree_table names parents {table[0, 1:].tolist()} of joints 1-23; SMPL's are "
            f"{list(SMPL_PARENTS[1:])}"
        )
