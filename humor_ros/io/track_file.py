"""The ``.npz`` file of ``humor-ros track``: one row per person and processed frame."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.io.track_schema import (
    FILE_KEYS,
    FORMAT_VERSION,
    ROW_KEYS,
    TrackFileError,
    checked_array,
)
from humor_ros.io.track_writer import TrackWriter
from humor_ros.types import TrackingState

__all__ = ["FORMAT_VERSION", "TrackFile", "TrackFileError", "TrackRow", "TrackWriter"]


@dataclass(frozen=True, eq=False)
class TrackRow:
    """One person at one processed frame; the meanings are those of :class:`HumanState`.

    Attributes:
        body_pose: (23, 3) axis-angle, radians, where ``HumanState`` has matrices.
        frame: index of the frame in the video or bag.
        rotation_world_camera: (3, 3) maps the optical frame to the world, at this frame.
        position_world_camera: (3,) camera centre in the world, metres.
        gravity_known: False where the camera was assumed level.
    """

    frame: int
    stamp_s: float
    person_id: str
    tracking_state: TrackingState
    betas: NDArray[np.float32]
    body_pose: NDArray[np.float32]
    root_orientation_camera: NDArray[np.float32]
    root_position_camera: NDArray[np.float32]
    root_orientation_world: NDArray[np.float32]
    root_position_world: NDArray[np.float32]
    root_linear_velocity_world: NDArray[np.float32]
    joints_camera: NDArray[np.float32]
    joints_world: NDArray[np.float32]
    joint_confidence: NDArray[np.float32]
    coco17_camera: NDArray[np.float32]
    contacts: NDArray[np.float32]
    contact_positions_world: NDArray[np.float32]
    keypoints_image: NDArray[np.float32]
    box_xyxy: NDArray[np.float32]
    rotation_world_camera: NDArray[np.float32]
    position_world_camera: NDArray[np.float32]
    gravity_known: bool


@dataclass(frozen=True, eq=False)
class TrackFile:
    """What ``humor-ros track`` found: N rows, ordered by frame, and the camera used.

    Attributes:
        columns: arrays by key with N entries each (``frame``, ``stamp_s``, ``person_id``,
            ``betas`` (N, 10), ``body_pose`` (N, 23, 3) axis-angle, ...).
        processed_frame: (F,) index of each processed frame, people in it or not.
        processed_stamp_s: (F,) its time, seconds.
        camera: intrinsics that were used; ``camera.assumed`` when none were given.
        fps: rate of the processed frames, frames per second (0: unknown).
    """

    columns: Mapping[str, NDArray[Any]]
    processed_frame: NDArray[np.int64]
    processed_stamp_s: NDArray[np.float64]
    camera: PinholeCamera
    fps: float

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.columns["frame"])

    def __getitem__(self, key: str) -> NDArray[Any]:
        """The column of that key, (N, ...)."""
        return self.columns[key]

    @classmethod
    def read(cls, path: str | Path) -> TrackFile:
        """Read and check a file.

        Args:
            path: an ``.npz`` written by :class:`TrackWriter`.

        Raises:
            FileNotFoundError: if there is no such file.
            TrackFileError: if it is not a track file; names the key and what is wrong.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"track file not found: {path}; write one: humor-ros track")
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
            raise TrackFileError(f"{path} is not a readable .npz track file: {error}") from error
        return cls.from_arrays(arrays, source=str(path))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], source: str = "arrays") -> TrackFile:
        """Check the arrays of a file and put them in order.

        Args:
            arrays: arrays by key, as in the file.
            source: name of their origin, for messages.

        Raises:
            TrackFileError: naming the key that is missing or has the wrong shape.
        """
        version = int(checked_array(arrays, "version", (), "int64", source))
        if version != FORMAT_VERSION:
            raise TrackFileError(
                f"{source}: key 'version' is {version}, this release reads {FORMAT_VERSION}; "
                "run humor-ros track again"
            )
        rows = len(checked_array(arrays, "frame", (-1,), "int64", source))
        columns = {
            key: checked_array(arrays, key, (rows, *shape), kind, source)
            for key, (shape, kind) in ROW_KEYS.items()
        }
        order = np.argsort(columns["frame"], kind="stable")
        columns = {key: column[order] for key, column in columns.items()}
        whole = {
            key: checked_array(arrays, key, shape, kind, source)
            for key, (shape, kind) in FILE_KEYS.items()
        }
        if len(whole["processed_frame"]) != len(whole["processed_stamp_s"]):
            raise TrackFileError(f"{source}: 'processed_frame' and 'processed_stamp_s' differ")
        try:
            camera = PinholeCamera(
                int(whole["image_size"][0]),
                int(whole["image_size"][1]),
                whole["camera_matrix"],
                tuple(whole["camera_distortion"].tolist()),
                str(whole["camera_model"]),
                bool(whole["camera_assumed"]),
            )
        except ValueError as error:
            raise TrackFileError(f"{source}: key 'camera_...': {error}") from error
        return cls(
            columns,
            whole["processed_frame"],
            whole["processed_stamp_s"],
            camera,
            float(whole["fps"]),
        )

    @property
    def person_ids(self) -> tuple[str, ...]:
        """Everybody in the file, in order of first appearance."""
        return tuple(dict.fromkeys(self.columns["person_id"].tolist()))

    def row(self, index: int) -> TrackRow:
        """One row of the file."""
        values: dict[str, Any] = {key: column[index] for key, column in self.columns.items()}
        for key in ("frame", "stamp_s", "person_id", "gravity_known"):
            values[key] = values[key].item()
        values["tracking_state"] = TrackingState(int(values["tracking_state"]))
        return TrackRow(**values)

    def by_frame(self) -> Iterator[tuple[int, float, list[TrackRow]]]:
        """Every processed frame in order: its index, its time in seconds, the people in it."""
        frames = self.columns["frame"]
        for frame, stamp_s in zip(
            self.processed_frame.tolist(), self.processed_stamp_s.tolist(), strict=True
        ):
            first, last = np.searchsorted(frames, (frame, frame + 1))
            yield frame, stamp_s, [self.row(index) for index in range(first, last)]

    def person(self, person_id: str) -> TrackFile:
        """The rows of one person, with all processed frames.

        Raises:
            KeyError: if nobody of that name is in the file.
        """
        chosen = self.columns["person_id"] == person_id
        if not chosen.any():
            raise KeyError(f"no person {person_id!r}; the file has {', '.join(self.person_ids)}")
        return TrackFile(
            {key: column[chosen] for key, column in self.columns.items()},
            self.processed_frame,
            self.processed_stamp_s,
            self.camera,
            self.fps,
        )

    def by_person(self) -> Iterator[tuple[str, TrackFile]]:
        """Everybody, in order of first appearance: the name and :meth:`person`."""
        for person_id in self.person_ids:
            yield person_id, self.person(person_id)
