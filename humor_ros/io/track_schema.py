"""Keys, shapes and kinds of number of the track file, and the check of one array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FILE_KEYS", "FORMAT_VERSION", "ROW_KEYS", "TrackFileError", "checked_array"]

#: Written as key ``version``; raised when a key changes its meaning.
FORMAT_VERSION = 1

#: Keys with one entry a row: shape of the entry and kind of number.
ROW_KEYS: dict[str, tuple[tuple[int, ...], str]] = {
    "frame": ((), "int64"),
    "stamp_s": ((), "float64"),
    "person_id": ((), "str"),
    "tracking_state": ((), "int8"),
    "betas": ((10,), "float32"),
    "body_pose": ((23, 3), "float32"),
    "root_orientation_camera": ((3, 3), "float32"),
    "root_position_camera": ((3,), "float32"),
    "root_orientation_world": ((3, 3), "float32"),
    "root_position_world": ((3,), "float32"),
    "root_linear_velocity_world": ((3,), "float32"),
    "joints_camera": ((24, 3), "float32"),
    "joints_world": ((24, 3), "float32"),
    "joint_confidence": ((24,), "float32"),
    "coco17_camera": ((17, 3), "float32"),
    "contacts": ((4,), "float32"),
    "contact_positions_world": ((4, 3), "float32"),
    "keypoints_image": ((17, 3), "float32"),
    "box_xyxy": ((4,), "float32"),
    "rotation_world_camera": ((3, 3), "float32"),
    "position_world_camera": ((3,), "float32"),
    "gravity_known": ((), "bool"),
}

#: Keys of the file as a whole: shape (-1: any length) and kind of number.
FILE_KEYS: dict[str, tuple[tuple[int, ...], str]] = {
    "processed_frame": ((-1,), "int64"),
    "processed_stamp_s": ((-1,), "float64"),
    "image_size": ((2,), "int64"),
    "camera_matrix": ((3, 3), "float64"),
    "camera_distortion": ((-1,), "float64"),
    "camera_model": ((), "str"),
    "camera_assumed": ((), "bool"),
    "fps": ((), "float64"),
}


class TrackFileError(ValueError):
    """A track file lacks a key, or holds one of the wrong shape; the message names both."""


def checked_array(
    arrays: Mapping[str, NDArray[Any]], key: str, shape: tuple[int, ...], kind: str, source: str
) -> NDArray[Any]:
    """The array of a key as ``kind``, its shape checked.

    Args:
        arrays: arrays by key.
        key: the key wanted.
        shape: expected shape; -1 stands for any length.
        kind: name of the dtype to return, or "str".
        source: name of the arrays' origin, for messages.

    Raises:
        TrackFileError: naming the key that is missing or wrong.
    """
    if key not in arrays:
        raise TrackFileError(f"{source}: key {key!r} is missing; is it from humor-ros track?")
    array = np.asarray(arrays[key])
    fits = array.ndim == len(shape) and all(
        want in (-1, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = tuple("N" if size == -1 else size for size in shape)
        raise TrackFileError(f"{source}: key {key!r} has shape {array.shape}, expected {wanted}")
    if kind == "str":
        if array.dtype.kind != "U":
            raise TrackFileError(f"{source}: key {key!r} holds {array.dtype}, expected text")
        return array
    if array.dtype.kind not in "biuf":
        raise TrackFileError(f"{source}: key {key!r} holds {array.dtype}, expected numbers")
    return array.astype(kind, copy=False)
