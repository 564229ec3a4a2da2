"""The body as HuMoR uses it: 22 joints and chosen vertices of an SMPL or SMPL+H body.

Hands do not move, so every joint beyond the 22nd turns with the wrist (or ankle) above it and its
skinning weights are added to that joint's, which changes no vertex. Only chosen vertices are
skinned: the published objective needs 43 + 11 of 6,890.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from humor_ros.body.kinematics import global_rotations, joint_ancestors
from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.humor.state import NUM_JOINTS
from humor_ros.weight_files import CheckpointError, read_arrays

__all__ = [
    "KEYPOINT_VERTICES",
    "OPENPOSE_FROM_POINTS",
    "OPENPOSE_VERTICES",
    "SMPL_MESH_SIZE",
    "HumorBody",
    "PosedPoints",
]

#: Vertices of the mesh that SMPL and SMPL+H share; the numbers below mean nothing on another.
SMPL_MESH_SIZE = 6890
#: Vertices of the SMPL mesh that stand for the surface in the published objective.
KEYPOINT_VERTICES = (
    *(4404, 920, 3076, 3169, 823, 4310, 1010, 1085, 4495, 4569, 6615, 3217, 3313, 6713, 6785),
    *(3383, 6607, 3207, 1241, 1508, 4797, 4122, 1618, 1569, 5135, 5040, 5691, 5636, 5404, 2230),
    *(2173, 2108, 134, 3645, 6543, 3123, 3024, 4194, 1306, 182, 3694, 4294, 744),
)
#: Nose, right and left eye, right and left ear, left big and small toe and heel, right ones.
OPENPOSE_VERTICES = (332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787)
#: OpenPose's 25 joints among the 22 joints followed by ``OPENPOSE_VERTICES``.
OPENPOSE_FROM_POINTS = (
    *(22, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7),
    *range(23, 33),
)

_HANDS = len(SMPL_PARENTS) - NUM_JOINTS
_REQUIRED = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")


@dataclass(frozen=True, eq=False)
class PosedPoints:
    """Points of B bodies over T frames, metres, in the frame of the root rotation.

    Attributes:
        joints: (B, T, 22, 3).
        vertices: (B, T, V, 3) of the body's chosen vertices.
    """

    joints: Tensor
    vertices: Tensor


class HumorBody(nn.Module):
    """Joints and chosen vertices of a skinned body; no parameters, nothing in ``state_dict``."""

    _template: Tensor
    _shapedirs: Tensor
    _posedirs: Tensor
    _weights: Tensor
    _joint_template: Tensor
    _joint_shapedirs: Tensor
    _ancestors: Tensor
    _identity: Tensor

    def __init__(self, arrays: Mapping[str, Any], *, dtype: torch.dtype = torch.float32) -> None:
        """Prepare a body with all its vertices; see :meth:`with_vertices` for few.

        Args:
            arrays: under the names of SMPL's files, of 24 (SMPL) or 52 (SMPL+H) joints.
            dtype: of the computation.

        Raises:
            ValueError: an array is missing or does not fit the others.
        """
        super().__init__()
        plain = _checked(arrays)
        parents = _parents(plain["kintree_table"])
        carrier = _carriers(parents)
        weights = np.zeros((len(plain["weights"]), NUM_JOINTS))
        np.add.at(weights.T, carrier, plain["weights"].T)
        regressor = plain["J_regressor"][:NUM_JOINTS]
        pose_features = 9 * (NUM_JOINTS - 1)
        values = {
            "_template": plain["v_template"],
            "_shapedirs": plain["shapedirs"],
            "_posedirs": plain["posedirs"][..., :pose_features],
            "_weights": weights,
            "_joint_template": regressor @ plain["v_template"],
            "_joint_shapedirs": np.einsum("jv,vcb->jcb", regressor, plain["shapedirs"]),
            "_ancestors": np.ascontiguousarray(joint_ancestors(SMPL_PARENTS[:NUM_JOINTS]).T),
            "_identity": np.eye(3),
        }
        for name, value in values.items():
            self.register_buffer(name, torch.as_tensor(value).to(dtype), persistent=False)
        self.faces: NDArray[np.int64] = plain["f"].astype(np.int64)

    @classmethod
    def load(cls, path: str | Path, *, dtype: torch.dtype = torch.float32) -> HumorBody:
        """Read an ``.npz`` in the format of SMPL+H's or SMPL's files.

        Raises:
            FileNotFoundError: there is no such file.
            CheckpointError: it is not such a body.
        """
        try:
            return cls(read_arrays(path, "a body model"), dtype=dtype)
        except CheckpointError:
            raise
        except ValueError as error:
            raise CheckpointError(f"{path} is not an SMPL or SMPL+H body: {error}") from error

    @property
    def num_betas(self) -> int:
        """Shape directions."""
        return self._shapedirs.shape[-1]

    @property
    def dtype(self) -> torch.dtype:
        """Of the computation."""
        return self._template.dtype

    @property
    def num_vertices(self) -> int:
        """Chosen vertices, V."""
        return self._template.shape[0]

    @property
    def has_smpl_mesh(self) -> bool:
        """Whether the vertices are all those of SMPL's mesh, as far as their number tells."""
        return self.num_vertices == SMPL_MESH_SIZE

    def with_vertices(self, indices: Sequence[int]) -> HumorBody:
        """The same body with these of its vertices, in this order; none is a valid choice.

        Raises:
            ValueError: an index is out of range.
        """
        index = torch.as_tensor(list(indices), dtype=torch.int64, device=self._template.device)
        low, high = (int(index.min()), int(index.max())) if len(index) else (0, 0)
        if low < 0 or (len(index) and high >= self.num_vertices):
            raise ValueError(
                f"indices reach from {low} to {high}, but the body has {self.num_vertices} vertices"
            )
        body = HumorBody.__new__(HumorBody)
        nn.Module.__init__(body)
        for name, buffer in self.named_buffers():
            chosen = name in ("_template", "_shapedirs", "_posedirs", "_weights")
            body.register_buffer(name, buffer[index] if chosen else buffer, persistent=False)
        body.faces = np.zeros((0, 3), dtype=np.int64)
        return body

    def rest_joints(self, betas: Tensor) -> Tensor:
        """(B, 22, 3) joints of the T-pose of shapes (B, num_betas)."""
        return self._joint_template + torch.einsum("bs,jcs->bjc", betas, self._joint_shapedirs)

    def joints(self, betas: Tensor, rotations: Tensor, trans: Tensor) -> Tensor:
        """(B, T, 22, 3) joints; arguments as of :meth:`forward`."""
        joints, _ = self._placed(self.rest_joints(betas), rotations)
        return joints + trans[..., None, :]

    def forward(self, betas: Tensor, rotations: Tensor, trans: Tensor) -> PosedPoints:
        """Pose bodies.

        Args:
            betas: (B, num_betas) shape.
            rotations: (B, T, 22, 3, 3) of each joint relative to its parent, root first.
            trans: (B, T, 3) translation.

        Raises:
            ValueError: a shape is not as stated.
        """
        if rotations.dim() != 5 or rotations.shape[2:] != (NUM_JOINTS, 3, 3):
            raise ValueError(
                f"rotations must have shape (B, T, {NUM_JOINTS}, 3, 3), got "
                f"{tuple(rotations.shape)}"
            )
        if betas.shape != (rotations.shape[0], self.num_betas):
            raise ValueError(
                f"betas must have shape ({rotations.shape[0]}, {self.num_betas}), got "
                f"{tuple(betas.shape)}"
            )
        rest_joints = self.rest_joints(betas)
        joints, turns = self._placed(rest_joints, rotations)
        rest = self._template + torch.einsum("bs,vcs->bvc", betas, self._shapedirs)
        bent = (rotations[:, :, 1:] - self._identity).flatten(start_dim=2)
        rest = rest[:, None] + torch.einsum("btf,vcf->btvc", bent, self._posedirs)
        # A vertex is the weighted mean of G_j t_v + (P_j - G_j J_j) over the joints j.
        offsets = joints - (turns @ rest_joints[:, None, :, :, None])[..., 0]
        blended = torch.einsum("vj,btjk->btvk", self._weights, turns.flatten(start_dim=3))
        vertices = (blended.unflatten(-1, (3, 3)) @ rest[..., None])[..., 0]
        vertices = vertices + self._weights @ offsets
        move = trans[..., None, :]
        return PosedPoints(joints=joints + move, vertices=vertices + move)

    def _placed(self, rest_joints: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
        """Joints (B, T, 22, 3) without translation, and their global rotations."""
        hands = self._identity.expand(*rotations.shape[:2], _HANDS, 3, 3)
        turns = global_rotations(torch.cat((rotations, hands), dim=2))[:, :, :NUM_JOINTS]
        parents = list(SMPL_PARENTS[1:NUM_JOINTS])
        bones = rest_joints[:, 1:] - rest_joints[:, parents]
        turned = (turns[:, :, parents] @ bones[:, None, :, :, None])[..., 0]
        root = rest_joints[:, None, :1].expand(*turned.shape[:2], 1, 3)
        return self._ancestors @ torch.cat((root, turned), dim=2), turns


def _checked(arrays: Mapping[str, Any]) -> dict[str, NDArray]:
    missing = [name for name in _REQUIRED if name not in arrays]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing (a body holds {', '.join(_REQUIRED)})")
    plain = {name: np.asarray(arrays[name]) for name in _REQUIRED}
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights"):
        plain[name] = plain[name].astype(np.float64)
        if not np.isfinite(plain[name]).all():
            raise ValueError(f"{name} holds NaN or infinity")
    vertices, joints = len(plain["v_template"]), plain["weights"].shape[-1]
    betas = plain["shapedirs"].shape[-1] if plain["shapedirs"].ndim == 3 else 0
    expected = {
        "v_template": (vertices, 3),
        "shapedirs": (vertices, 3, betas),
        "posedirs": (vertices, 3, 9 * (joints - 1)),
        "J_regressor": (joints, vertices),
        "weights": (vertices, joints),
        "kintree_table": (2, joints),
    }
    for name, shape in expected.items():
        if plain[name].shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {plain[name].shape}")
    return plain


def _parents(table: NDArray) -> list[int]:
    parents = [-1, *(int(parent) for parent in table[0, 1:])]
    if len(parents) < NUM_JOINTS or tuple(parents[1:NUM_JOINTS]) != SMPL_PARENTS[1:NUM_JOINTS]:
        raise ValueError(f"kintree_table's first {NUM_JOINTS} joints are not SMPL's: {parents}")
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents[1:], start=1)):
        raise ValueError("kintree_table names a parent that does not stand before its child")
    return parents


def _carriers(parents: list[int]) -> list[int]:
    """The joint among the first 22 that each joint turns with while hands are still."""
    carriers: list[int] = []
    for joint, parent in enumerate(parents):
        carriers.append(joint if joint < NUM_JOINTS else carriers[parent])
    return carriers
