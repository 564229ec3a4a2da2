"""The bodies that ground truth was fitted with: a user's own SMPL files, one for each gender."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.body import BodyModel, packaged_body_path
from humor_ros.body.regressors import read_regressor
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array

__all__ = [
    "GENDERS",
    "H36M_TO_COMMON14",
    "TruthBodies",
    "posed_truth",
    "read_h36m_regressor",
    "with_body_joints",
]

GENDERS = ("neutral", "female", "male")

#: Rows of the Human3.6M regressor (17, V) in the order of ``COMMON14_NAMES``, the published
#: evaluation's choice (spec of WHAM, section 7).
H36M_TO_COMMON14 = (6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10)

#: Published file names of SMPL's bodies; the letter and the capitals differ between releases.
_PATTERNS = {
    "neutral": ("smpl_neutral.*", "basicmodel_neutral_*", "basicmodel_n_*"),
    "female": ("smpl_female.*", "basicmodel_f_*"),
    "male": ("smpl_male.*", "basicmodel_m_*"),
}
_SUFFIXES = (".npz", ".pkl")
_H36M_JOINTS = 17
_CHUNK_FRAMES = 128


@dataclass(frozen=True)
class TruthBodies:
    """Finds and keeps the body of each gender.

    Attributes:
        folder: with ``SMPL_FEMALE.pkl`` and so on (``.npz`` too), or SMPL's older file names;
            None where the user has none. Truth of the free body needs none.
    """

    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.folder is not None and not self.folder.is_dir():
            raise FileNotFoundError(f"folder of SMPL bodies not found: {self.folder}")
        object.__setattr__(self, "_kept", {})

    def has(self, sequence: PersonSequence) -> bool:
        """Whether the body of a sequence's truth can be loaded."""
        return sequence.body == "packaged" or self._path(sequence.gender) is not None

    def of(self, sequence: PersonSequence) -> BodyModel:
        """The body that a sequence's truth was fitted with, in evaluation mode.

        Raises:
            FileNotFoundError: there is no file for its gender.
            ValueError: the file is no body.
        """
        return self.load(sequence.gender, packaged=sequence.body == "packaged")

    def load(self, gender: str, *, packaged: bool = False) -> BodyModel:
        """The body of a gender, or the packaged free one.

        Raises:
            FileNotFoundError: there is no file for it.
            ValueError: the file is no body.
        """
        kept: dict[str, BodyModel] = self.__dict__["_kept"]
        key = "packaged" if packaged else gender
        if key not in kept:
            path = None if packaged else self._path(gender)
            if path is None and not packaged:
                wanted = f"SMPL_{gender.upper()}.pkl or .npz"
                place = f" in {self.folder}" if self.folder else "; give the folder of your bodies"
                raise FileNotFoundError(
                    f"the truth was fitted with SMPL's {gender} body: {wanted} not found{place}"
                )
            kept[key] = _load(path).eval()
        return kept[key]

    def _path(self, gender: str) -> Path | None:
        if self.folder is None:
            return None
        files = [f for f in sorted(self.folder.iterdir()) if f.suffix in _SUFFIXES]
        for pattern in _PATTERNS[gender]:
            for file in files:
                if Path(file.name.lower()).match(pattern):
                    return file
        return None


def posed_truth(
    body: BodyModel, sequence: PersonSequence, *, vertices: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Pose the truth, in camera axes, with the pelvis where the shape puts it at rest.

    Frames without a true pose are posed with what stands there, or not at all (NaN).

    Args:
        body: of the truth.
        sequence: T frames with ``pose`` and ``betas``.
        vertices: whether to skin the mesh.

    Returns:
        (T, 24, 3) joints, (T, 31, 3) key-points, (T, 4, 3) feet and (T, V, 3) vertices or None;
        metres.

    Raises:
        ValueError: the sequence has no true pose.
    """
    if sequence.pose is None or sequence.betas is None:
        raise ValueError(f"{sequence.name}: the sequence has no true pose")
    parts = []
    with torch.inference_mode():
        for start in range(0, len(sequence), _CHUNK_FRAMES):
            frames = slice(start, start + _CHUNK_FRAMES)
            parts.append(
                body(
                    torch.from_numpy(sequence.betas[frames]),
                    torch.from_numpy(sequence.pose[frames]),
                    vertices=vertices,
                )
            )
    return (
        torch.cat([part.joints for part in parts]),
        torch.cat([part.keypoints31 for part in parts]),
        torch.cat([part.feet for part in parts]),
        torch.cat([p.vertices for p in parts if p.vertices is not None]) if vertices else None,
    )


def with_body_joints(sequence: PersonSequence, bodies: TruthBodies | None) -> PersonSequence:
    """Add the true 3D key-points of the person's own body where it can be had.

    Args:
        sequence: with or without a true pose.
        bodies: the user's; None adds nothing.
    """
    if bodies is None or sequence.pose is None or not bodies.has(sequence):
        return sequence
    joints, keypoints, _, _ = posed_truth(bodies.of(sequence), sequence)
    points = (keypoints - joints[:, :1]).numpy()
    if sequence.root_position is not None:
        points = points + sequence.root_position[:, None]
    known = sequence.has_smpl & (sequence.has_root_position | (sequence.root_position is None))
    points = np.where(known[:, None, None], points, 0.0)
    flags = np.broadcast_to(known[:, None, None], (*points.shape[:2], 1))
    return replace(sequence, joints3d=np.concatenate((points, flags), axis=-1))


def read_h36m_regressor(path: Path) -> Array:
    """Read SMPL's Human3.6M regressor, and keep the 14 common joints.

    Args:
        path: ``J_regressor_h36m.npy``, (17, V).

    Returns:
        (14, V).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no array of that shape.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Human3.6M regressor not found: {path}")
    try:
        shape: tuple[int, ...] = np.load(path, allow_pickle=False, mmap_mode="r").shape
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a readable .npy array ({error})") from error
    regressor = read_regressor(path, _H36M_JOINTS, shape[-1] if len(shape) == 2 else -1)
    return regressor[list(H36M_TO_COMMON14)]


def _load(path: Path | None) -> BodyModel:
    """A user's body; one with the free body's mesh takes its regressors."""
    if path is None:
        return BodyModel.load()
    if path.suffix == ".npz" and _vertices(path) == _vertices(packaged_body_path()):
        folder = packaged_body_path().parent
        return BodyModel.load(
            path,
            keypoint_regressor=folder / "J_regressor_wham31.npy",
            feet_regressor=folder / "J_regressor_feet.npy",
        )
    return BodyModel.load(path)


def _vertices(path: Path) -> int:
    try:
        with np.load(path, allow_pickle=False) as archive:
            template: NDArray[np.float32] = archive["v_template"]
    except (ValueError, KeyError, OSError):
        return -1  # the loader tells what is wrong with it
    return len(template)
