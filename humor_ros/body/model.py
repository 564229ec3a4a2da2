"""The body as a module: shape and joint rotations in, joints and key-points out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from humor_ros.body.kinematics import global_rotations
from humor_ros.body.mesh import MeshSkinner
from humor_ros.body.points import PointOperator
from humor_ros.body.regressors import checked_regressor, read_regressor, substitute_regressors
from humor_ros.body.skeleton import (
    FOOT_POINT_NAMES,
    LEFT_HIP,
    RIGHT_HIP,
    SMPL_JOINT_NAMES,
    WHAM31_NAMES,
)
from humor_ros.body.smpl_arrays import NUM_BETAS, SmplArrays, read_smpl_arrays
from humor_ros.types import Array

__all__ = ["BodyModel", "BodyOutput", "packaged_body_path"]

_JOINTS = len(SMPL_JOINT_NAMES)
_KEYPOINTS = len(WHAM31_NAMES)
_FEET = len(FOOT_POINT_NAMES)
_ASSETS = "assets/body"
_BODY_FILE = "ANNY_SMPL_NEUTRAL.npz"
_KEYPOINT_FILE = "J_regressor_wham31.npy"
_FEET_FILE = "J_regressor_feet.npy"


@dataclass(frozen=True, eq=False)
class BodyOutput:
    """Points of B posed bodies, metres, in the frame that the root rotation maps to.

    Nothing is translated: the pelvis stands where the shape puts it at rest.

    Attributes:
        joints: (B, 24, 3) SMPL's joints.
        keypoints31: (B, 31, 3) key-points in the order of ``WHAM31_NAMES``.
        feet: (B, 4, 3) in the order of ``FOOT_POINT_NAMES``.
        vertices: (B, V, 3), or None where they were not asked for.
    """

    joints: Tensor
    keypoints31: Tensor
    feet: Tensor
    vertices: Tensor | None = None

    @property
    def coco17(self) -> Tensor:
        """(B, 17, 3) COCO's key-points."""
        return self.keypoints31[:, :17]

    @property
    def mid_hip(self) -> Tensor:
        """(B, 3) mean of the two COCO hips, where WHAM centres everything."""
        return 0.5 * (self.keypoints31[:, LEFT_HIP] + self.keypoints31[:, RIGHT_HIP])

    def centred(self) -> BodyOutput:
        """The same points relative to the mid-hip."""
        origin = self.mid_hip[:, None]
        return BodyOutput(
            joints=self.joints - origin,
            keypoints31=self.keypoints31 - origin,
            feet=self.feet - origin,
            vertices=None if self.vertices is None else self.vertices - origin,
        )


class BodyModel(nn.Module):
    """A body in SMPL's format: the packaged free one, or a user's own.

    Joints, key-points and feet are exact without the mesh (see ``points``), at a fraction of
    its cost. The module has no parameters and keeps nothing in ``state_dict``.
    """

    _shape_to_arrows: Tensor
    _pose_to_arrows: Tensor | None
    _arrow_joints: Tensor
    _arrows_to_points: Tensor
    _identity: Tensor

    def __init__(
        self,
        arrays: SmplArrays,
        keypoint_regressor: ArrayLike,
        feet_regressor: ArrayLike,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Prepare a body.

        Args:
            arrays: the body.
            keypoint_regressor: (31, V) in the order of ``WHAM31_NAMES``.
            feet_regressor: (4, V) in the order of ``FOOT_POINT_NAMES``.
            dtype: of the computation; sums over vertices are always done in float64.

        Raises:
            ValueError: if a regressor does not fit the body.
        """
        super().__init__()
        count = arrays.num_vertices
        keypoints = checked_regressor(
            "key-point regressor", np.asarray(keypoint_regressor), _KEYPOINTS, count
        )
        feet = checked_regressor("feet regressor", np.asarray(feet_regressor), _FEET, count)
        operator = PointOperator.build(arrays, np.concatenate((keypoints, feet)))
        self.arrays = arrays
        self._mesh = MeshSkinner(arrays)

        def keep(name: str, value: NDArray | None, kind: torch.dtype) -> None:
            tensor = None if value is None else torch.as_tensor(value).to(kind)
            self.register_buffer(name, tensor, persistent=False)

        keep("_shape_to_arrows", operator.shape_to_arrows, dtype)
        keep("_pose_to_arrows", operator.pose_to_arrows, dtype)
        keep("_arrow_joints", operator.arrow_joints, torch.int64)
        keep("_arrows_to_points", operator.arrows_to_points, dtype)
        keep("_identity", np.eye(3).reshape(9), dtype)

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        *,
        keypoint_regressor: Path | str | None = None,
        feet_regressor: Path | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> BodyModel:
        """Load the packaged free body, or a user's own SMPL.

        Args:
            path: SMPL ``.npz`` or ``.pkl``; None for the packaged body.
            keypoint_regressor: ``.npy`` (31, V); for SMPL's own mesh a substitute is derived
                where it is None (see ``regressors.substitute_regressors``).
            feet_regressor: ``.npy`` (4, V); likewise.
            dtype: of the computation.

        Raises:
            FileNotFoundError: if a file does not exist.
            ValueError: if a file is not what it should be, or does not fit the body.
        """
        if path is None:
            folder = packaged_body_path().parent
            path = folder / _BODY_FILE
            keypoint_regressor = keypoint_regressor or folder / _KEYPOINT_FILE
            feet_regressor = feet_regressor or folder / _FEET_FILE
        arrays = read_smpl_arrays(Path(path))
        count = arrays.num_vertices
        keypoints = _read_optional(keypoint_regressor, _KEYPOINTS, count)
        feet = _read_optional(feet_regressor, _FEET, count)
        if keypoints is None or feet is None:
            derived_keypoints, derived_feet = substitute_regressors(arrays)
            keypoints = derived_keypoints if keypoints is None else keypoints
            feet = derived_feet if feet is None else feet
        return cls(arrays, keypoints, feet, dtype=dtype)

    @classmethod
    def from_smpl_arrays(
        cls,
        arrays: Mapping[str, ArrayLike],
        keypoint_regressor: ArrayLike,
        feet_regressor: ArrayLike,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> BodyModel:
        """Make a body of arrays under the names of SMPL's files.

        Args:
            arrays: see :meth:`SmplArrays.from_mapping`.
            keypoint_regressor: (31, V).
            feet_regressor: (4, V).
            dtype: of the computation.

        Raises:
            ValueError: if an array is missing or has a wrong shape.
        """
        body = SmplArrays.from_mapping(arrays)
        return cls(body, keypoint_regressor, feet_regressor, dtype=dtype)

    @classmethod
    def from_wham_checkpoint(
        cls, state: Mapping[str, Tensor], *, dtype: torch.dtype = torch.float32
    ) -> BodyModel:
        """Make the very body that a published WHAM checkpoint was trained with.

        Args:
            state: the checkpoint's ``model`` dictionary, which embeds the body and both
                regressors under ``smpl.*``.
            dtype: of the computation.

        Raises:
            ValueError: if the dictionary holds no complete body.
        """
        from humor_ros.body.checkpoint import arrays_of_checkpoint

        arrays, keypoints, feet = arrays_of_checkpoint(state)
        return cls(arrays, keypoints, feet, dtype=dtype)

    @property
    def faces(self) -> NDArray[np.int64]:
        """(F, 3) vertex indices of the mesh's triangles."""
        return self.arrays.faces

    @property
    def num_vertices(self) -> int:
        """Number of vertices, V."""
        return self.arrays.num_vertices

    def rest_joints(self, betas: Tensor) -> Tensor:
        """Joints of the T-pose.

        Args:
            betas: (B, 10) shape.

        Returns:
            (B, 24, 3) metres.
        """
        root_and_bones = self._arrows(betas, None)[..., :_JOINTS]
        placed = root_and_bones @ self._arrows_to_points[:_JOINTS, :_JOINTS]
        return placed.transpose(-1, -2)

    def forward(self, betas: Tensor, rotations: Tensor, *, vertices: bool = False) -> BodyOutput:
        """Pose bodies.

        Args:
            betas: (B, 10) shape, or (1, 10) for all.
            rotations: (B, 24, 3, 3) of each joint relative to its parent, root first.
            vertices: whether to skin the mesh as well.

        Returns:
            Points of each body, see :class:`BodyOutput`.

        Raises:
            ValueError: if a shape is not as stated.
        """
        if rotations.ndim != 4 or rotations.shape[1:] != (_JOINTS, 3, 3):
            raise ValueError(
                f"rotations must have shape (B, {_JOINTS}, 3, 3), got {tuple(rotations.shape)}"
            )
        batch = rotations.shape[0]
        if betas.ndim != 2 or betas.shape[1] != NUM_BETAS or betas.shape[0] not in (1, batch):
            raise ValueError(
                f"betas must have shape ({batch}, {NUM_BETAS}), or (1, {NUM_BETAS}) for all, got "
                f"{tuple(betas.shape)}"
            )
        arrows = self._arrows(betas, rotations)
        # Entries of the rotations as rows over joints, so that picking joints stays contiguous.
        entries = global_rotations(rotations).permute(0, 2, 3, 1).reshape(batch * 9, _JOINTS)
        turns = entries.index_select(1, self._arrow_joints).unflatten(0, (batch, 3, 3))
        turned = (turns * arrows[:, None, :, 1:]).sum(dim=2)
        root = arrows[..., :1].expand(batch, 3, 1)
        points = (torch.cat((root, turned), dim=-1) @ self._arrows_to_points).transpose(1, 2)
        skin = self._mesh.vertices(betas.expand(batch, -1), rotations) if vertices else None
        return BodyOutput(
            joints=points[:, :_JOINTS],
            keypoints31=points[:, _JOINTS : _JOINTS + _KEYPOINTS],
            feet=points[:, _JOINTS + _KEYPOINTS :],
            vertices=skin,
        )

    def _arrows(self, betas: Tensor, rotations: Tensor | None) -> Tensor:
        """(B or 1, 3, 1 + K): the root joint and the arrows before they are turned."""
        arrows = self._shape_to_arrows[0] + betas @ self._shape_to_arrows[1:]
        if rotations is not None and self._pose_to_arrows is not None:
            bent = rotations[:, 1:].flatten(start_dim=2) - self._identity
            arrows = arrows + bent.flatten(start_dim=1) @ self._pose_to_arrows
        return arrows.unflatten(-1, (3, -1))


def packaged_body_path() -> Path:
    """Where the packaged free body lies."""
    return Path(str(resources.files("humor_ros"))) / _ASSETS / _BODY_FILE


def _read_optional(path: Path | str | None, rows: int, num_vertices: int) -> Array | None:
    return None if path is None else read_regressor(Path(path), rows, num_vertices)
