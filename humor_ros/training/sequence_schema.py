"""Keys, shapes and kinds of number of the training sequence, and the checks of one entry."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from humor_ros.training.sequence_file import PersonSequence

__all__ = [
    "ALSO_GUARDED",
    "ARRAYS",
    "FORMAT_VERSION",
    "GUARDS",
    "NEEDS",
    "SequenceFileError",
    "check_values",
    "checked_entry",
]

#: Written as key ``version``; raised when a key changes its meaning.
FORMAT_VERSION = 1

#: Every key: shape ("T": frames, "N" and "F": any length) and kind of number or "str".
ARRAYS: dict[str, tuple[tuple[int | str, ...], str]] = {
    "dataset": ((), "str"),
    "split": ((), "str"),
    "sequence": ((), "str"),
    "person": ((), "str"),
    "fps": ((), "float64"),
    "frame": (("T",), "int64"),
    "stamp_s": (("T",), "float64"),
    "image_size": ((2,), "int64"),
    "camera_matrix": ((3, 3), "float64"),
    "camera_distortion": (("N",), "float64"),
    "camera_model": ((), "str"),
    "camera_assumed": ((), "bool"),
    "keypoints": (("T", 17, 3), "float32"),
    "keypoint_source": ((), "str"),
    "boxes": (("T", 3), "float32"),
    "image_path": (("T",), "str"),
    "rotation_world_camera": (("T", 3, 3), "float32"),
    "position_world_camera": (("T", 3), "float32"),
    "has_camera": (("T",), "bool"),
    "gravity_known": ((), "bool"),
    "camera_angular_velocity": (("T", 3), "float32"),
    "img_features": (("T", "F"), "float32"),
    "img_features_mirrored": (("T", "F"), "float32"),
    "has_features": (("T",), "bool"),
    "init_pose": (("T", 24, 3, 3), "float32"),
    "init_kp3d": (("T", 17, 3), "float32"),
    "init_pose_mirrored": (("T", 24, 3, 3), "float32"),
    "init_kp3d_mirrored": (("T", 17, 3), "float32"),
    "has_init": (("T",), "bool"),
    "body": ((), "str"),
    "gender": ((), "str"),
    "pose": (("T", 24, 3, 3), "float32"),
    "betas": (("T", 10), "float32"),
    "has_smpl": (("T",), "bool"),
    "root_position": (("T", 3), "float32"),
    "has_root_position": (("T",), "bool"),
    "has_trajectory": (("T",), "bool"),
    "joints3d": (("T", 31, 4), "float32"),
    "joints2d": (("T", 31, 3), "float32"),
    "contacts": (("T", 4), "float32"),
    "weak_camera": ((), "bool"),
    "scored": (("T",), "bool"),
    "benchmarks": (("N",), "str"),
}

#: Masks and the keys that they guard; absent, a mask is true where all of these are given.
GUARDS: dict[str, tuple[str, ...]] = {
    "has_camera": ("rotation_world_camera",),
    "has_features": ("img_features",),
    "has_init": ("init_pose", "init_kp3d"),
    "has_smpl": ("pose", "betas"),
    "has_root_position": ("root_position",),
}

#: What must be there in every frame in which a mask is true.
NEEDS: dict[str, tuple[str, ...]] = {
    **GUARDS,
    "has_trajectory": ("has_smpl", "has_root_position", "has_camera", "position_world_camera"),
}

#: Rotations may be so far from orthonormal, as single precision and data sets leave them.
_ORTHONORMAL = 1e-3

#: Keys that a mask guards too where they are given, but does not need.
ALSO_GUARDED: dict[str, tuple[str, ...]] = {
    "has_camera": ("position_world_camera",),
    "has_features": ("img_features_mirrored",),
    "has_init": ("init_pose_mirrored", "init_kp3d_mirrored"),
}


class SequenceFileError(ValueError):
    """A training sequence lacks a key, or holds a wrong one; the message names it."""


def checked_entry(key: str, value: Any, frames: int) -> Any:
    """One entry in its kind of number, its shape checked.

    Args:
        key: a key of :data:`ARRAYS`, or "version".
        value: the entry; None stands for a missing one.
        frames: T of the sequence.

    Returns:
        An array, or a plain value where the shape is ().

    Raises:
        SequenceFileError: naming the key, what it is and what was expected.
    """
    shape, kind = ((), "int64") if key == "version" else ARRAYS[key]
    if value is None:
        raise SequenceFileError(f"key {key!r} is missing; is it a training sequence?")
    array = np.asarray(value)
    wanted = tuple(frames if size == "T" else size for size in shape)
    fits = array.ndim == len(wanted) and all(
        isinstance(want, str) or want == have
        for want, have in zip(wanted, array.shape, strict=True)
    )
    if not fits:
        names = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        told = f"({names}) with T = {frames}" if "T" in shape else f"({names})"
        raise SequenceFileError(f"key {key!r} has shape {array.shape}, expected {told}")
    if kind == "str":
        if array.dtype.kind != "U" and array.size:
            raise SequenceFileError(f"key {key!r} holds {array.dtype}, expected text")
        return array.item() if not shape else array.astype(np.str_)
    if array.dtype.kind not in "biuf":
        raise SequenceFileError(f"key {key!r} holds {array.dtype}, expected numbers")
    array = array.astype(kind)
    return array if shape else array.item()


def _require_finite(key: str, values: Any) -> None:
    """Refuse NaN and infinity.

    Raises:
        SequenceFileError: naming the key.
    """
    if not np.isfinite(values).all():
        raise SequenceFileError(f"key {key!r} holds NaN or infinity where it should be known")


def _require_rotations(key: str, values: Any, mask: Any) -> None:
    """Refuse matrices (T, ..., 3, 3) that are no rotations in the frames of a mask (T,).

    Raises:
        SequenceFileError: naming the key.
    """
    if values is None or not mask.any():
        return
    matrices = values[mask].astype(np.float64)
    square = np.swapaxes(matrices, -1, -2) @ matrices
    if np.abs(square - np.eye(3)).max() > _ORTHONORMAL or (np.linalg.det(matrices) < 0).any():
        raise SequenceFileError(f"key {key!r} holds matrices that are no rotations")


def check_values(sequence: PersonSequence) -> None:
    """Check what shapes do not tell.

    Raises:
        SequenceFileError: naming the key.
    """
    for key, choices in (
        ("gender", ("neutral", "female", "male")),
        ("body", ("smpl", "packaged")),
    ):
        if getattr(sequence, key) not in choices:
            raise SequenceFileError(
                f"key {key!r} is {getattr(sequence, key)!r}, expected one of {', '.join(choices)}"
            )
    if not sequence.fps > 0:
        raise SequenceFileError(f"key 'fps' must be positive, got {sequence.fps}")
    for key in ("frame", "stamp_s"):
        if (np.diff(getattr(sequence, key)) <= 0).any():
            raise SequenceFileError(f"key {key!r} must grow from frame to frame")
    for key in ("fps", "stamp_s", "boxes"):
        _require_finite(key, getattr(sequence, key))
    seen = sequence.keypoints[..., 2] > 0
    _require_finite("keypoints", sequence.keypoints[seen])
    _require_finite("contacts", sequence.contacts)
    for key in ("joints3d", "joints2d"):
        value = getattr(sequence, key)
        if value is not None:
            _require_finite(key, value[value[..., -1] != 0])
    if (sequence.boxes[:, 2] <= 0).any():
        raise SequenceFileError("key 'boxes' holds a side that is not positive")
    for path in [] if sequence.image_path is None else np.unique(sequence.image_path).tolist():
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise SequenceFileError(
                f"key 'image_path' holds {path!r}; paths must lie inside the image folder"
            )
    for key, needed in NEEDS.items():
        mask = getattr(sequence, key)
        for other in needed if mask.any() else ():
            value = getattr(sequence, other)
            if value is None or (other.startswith("has_") and not value[mask].all()):
                raise SequenceFileError(f"key {key!r} is true in frames without {other!r}")
    for key, guarded in GUARDS.items():
        for other in guarded + ALSO_GUARDED.get(key, ()):
            value = getattr(sequence, other)
            if value is not None:
                _require_finite(other, value[getattr(sequence, key)])
    _require_rotations("rotation_world_camera", sequence.rotation_world_camera, sequence.has_camera)
    _require_rotations("pose", sequence.pose, sequence.has_smpl)
    _require_rotations("init_pose", sequence.init_pose, sequence.has_init)
    _require_rotations("init_pose_mirrored", sequence.init_pose_mirrored, sequence.has_init)
    try:
        _ = sequence.camera
    except ValueError as error:
        raise SequenceFileError(f"key 'camera_...': {error}") from error
