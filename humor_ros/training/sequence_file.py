"""The training sequence: one person through one video and whatever truth is known, as ``.npz``.

Stage 2 of the training, the caching of image features and the benchmarks all read this file, and
the converters of data sets write it; ``docs/sequence_format.md`` describes every key. Frames and
units are those of :mod:`humor_ros.types`: metres, radians, seconds, pixels; the camera frame is
optical, the world z-up. Files hold plain arrays only and are read without pickle.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.io.track_writer import write_npz
from humor_ros.training.sequence_schema import (
    ARRAYS,
    FORMAT_VERSION,
    GUARDS,
    SequenceFileError,
    check_values,
    checked_entry,
)
from humor_ros.types import Array

__all__ = ["FORMAT_VERSION", "PersonSequence", "SequenceFileError", "read_sequence"]

_COMMON14 = 14
_WHAM31 = 31
_Floats = NDArray[np.floating[Any]]  # float32 once constructed
_Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PersonSequence:
    """One person in T consecutive frames; the fields are the keys of the file.

    What is not known is None; each ``has_...`` mask is always an array, true where the values
    that it guards may be used. A mask that is not given is true everywhere if all that it guards
    is given, and false otherwise. The values of other frames are arbitrary.

    Attributes:
        dataset, split, sequence, person: names, such as "3dpw", "test", "downtown_bar_00", "1";
            splits are "train", "val" and "test".
        fps: frames a second, nominal.
        frame: (T,) int64 index in the video, growing; a jump is a gap in the track.
        stamp_s: (T,) float64 exposure time, seconds, growing.
        image_size: (2,) int64 width and height, pixels.
        camera_matrix: (3, 3) float64 K, pixels; camera_distortion: (N,) float64 of
            camera_model (``PinholeCamera``); camera_assumed: K is a guess.
        keypoints: (T, 17, 3) COCO-17 x, y (pixels of the image) and confidence; 0: not seen.
        keypoint_source: what measured them, such as "vitpose-h" or "projected".
        boxes: (T, 3) square box around the person: centre x, y (pixels) and side / 200.
        image_path: (T,) text, image files relative to a folder that the user names; "": none.
        rotation_world_camera: (T, 3, 3) camera to z-up world; position_world_camera: (T, 3).
        has_camera: (T,) guards both (without a position, the rotation alone).
        gravity_known: whether that world is gravity-true; if not, it is only a fixed frame.
        camera_angular_velocity: (T, 3) rad/s, camera axes, mean since the frame before (a gyro's).
        img_features: (T, F) image encoder's features; has_features: (T,).
        init_pose: (T, 24, 3, 3) image encoder's pose, root in the camera, init_kp3d:
            (T, 17, 3) its COCO key-points, camera axes, mid-hip centred; has_init: (T,).
        img_features_mirrored, init_pose_mirrored, init_kp3d_mirrored: the same of the mirrored
            crops, not mirrored back; for flip averaging.
        body: whose shape space ``betas`` are of: "smpl" or "packaged"; gender: "neutral",
            "female" or "male".
        pose: (T, 24, 3, 3) true joint rotations, the root's in the camera; betas: (T, 10);
            has_smpl: (T,) guards both.
        root_position: (T, 3) true pelvis joint (SMPL joint 0) in the camera frame; SMPL's
            ``transl`` in camera axes is this less the pelvis at rest. has_root_position: (T,).
        has_trajectory: (T,) whether the motion in the world is true; needs all of the above.
        joints3d: (T, 31, 4) true x, y, z (camera axes, any origin) and confidence, the rows of
            ``WHAM31_NAMES``; files may hold the 14 common joints alone.
        joints2d: (T, 31, 3) true or fitted x, y (pixels) and confidence; None: use ``keypoints``.
        contacts: (T, 4) contact of left toe, left heel, right toe, right heel in [0, 1];
            -1: unknown.
        weak_camera: the images are crops of an unknown camera; compare 2D by weak perspective.
        scored: (T,) whether the benchmark counts this frame.
        benchmarks: (N,) text, benchmarks that the sequence belongs to, such as "emdb2".

    Raises:
        SequenceFileError: on construction, naming the key, what it is and what was expected.
    """

    dataset: str
    split: str
    sequence: str
    person: str
    fps: float
    frame: NDArray[np.int64]
    stamp_s: Array
    image_size: NDArray[np.int64]
    camera_matrix: Array
    keypoints: _Floats
    boxes: _Floats
    keypoint_source: str
    camera_distortion: Array = None  # type: ignore[assignment]
    camera_model: str = "plumb_bob"
    camera_assumed: bool = False
    image_path: NDArray[np.str_] | None = None
    rotation_world_camera: _Floats | None = None
    position_world_camera: _Floats | None = None
    has_camera: _Bools = None  # type: ignore[assignment]
    gravity_known: bool = False
    camera_angular_velocity: _Floats | None = None
    img_features: _Floats | None = None
    img_features_mirrored: _Floats | None = None
    has_features: _Bools = None  # type: ignore[assignment]
    init_pose: _Floats | None = None
    init_kp3d: _Floats | None = None
    init_pose_mirrored: _Floats | None = None
    init_kp3d_mirrored: _Floats | None = None
    has_init: _Bools = None  # type: ignore[assignment]
    body: str = "smpl"
    gender: str = "neutral"
    pose: _Floats | None = None
    betas: _Floats | None = None
    has_smpl: _Bools = None  # type: ignore[assignment]
    root_position: _Floats | None = None
    has_root_position: _Bools = None  # type: ignore[assignment]
    has_trajectory: _Bools = None  # type: ignore[assignment]
    joints3d: _Floats | None = None
    joints2d: _Floats | None = None
    contacts: _Floats = None  # type: ignore[assignment]
    weak_camera: bool = False
    scored: _Bools = None  # type: ignore[assignment]
    benchmarks: NDArray[np.str_] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        frames = len(np.atleast_1d(self.frame))
        if not frames:
            raise SequenceFileError("key 'frame' is empty; a sequence has one frame at least")
        object.__setattr__(self, "joints3d", _with_coco_rows(self.joints3d))
        for key in ARRAYS:
            value = getattr(self, key)
            if value is None:
                value = self._default(key, frames)
            if value is not None:
                value = checked_entry(key, value, frames)
            object.__setattr__(self, key, value)
        check_values(self)

    def __len__(self) -> int:
        """Number of frames, T."""
        return len(self.frame)

    @property
    def name(self) -> str:
        """Sequence and person."""
        return f"{self.sequence}_{self.person}" if self.person else self.sequence

    @property
    def camera(self) -> PinholeCamera:
        """The camera of the images."""
        return PinholeCamera(
            int(self.image_size[0]),
            int(self.image_size[1]),
            self.camera_matrix,
            tuple(self.camera_distortion.tolist()),
            self.camera_model,
            self.camera_assumed,
        )

    def camera_turns(self) -> Array:
        """(T, 3, 3) rotation from the camera now to the camera at the frame before.

        The ``rotation_previous_current`` of :class:`~humor_ros.types.CameraMotion`. From the
        angular velocity where it is given, else from ``rotation_world_camera``; no turn at the
        first frame and wherever neither is known.
        """
        turns = np.tile(np.eye(3), (len(self), 1, 1))
        if self.camera_angular_velocity is not None:
            vectors = self.camera_angular_velocity[1:] * np.diff(self.stamp_s)[:, None]
            turns[1:] = Rotation.from_rotvec(vectors).as_matrix()
        elif self.rotation_world_camera is not None:
            world = self.rotation_world_camera.astype(np.float64)
            known = self.has_camera[1:] & self.has_camera[:-1]
            turns[1:][known] = (world[:-1].transpose(0, 2, 1) @ world[1:])[known]
        return turns

    def gravity_camera(self) -> Array | None:
        """(T, 3) unit vector down, camera axes; NaN where unknown, None where nothing is known."""
        if self.rotation_world_camera is None or not self.gravity_known:
            return None
        down = -self.rotation_world_camera[:, 2].astype(np.float64)
        down[~self.has_camera] = np.nan
        return down

    def window(self, start: int, stop: int) -> PersonSequence:
        """The frames ``start`` to ``stop`` (exclusive) as a sequence of its own."""
        return self.select(slice(start, stop))

    def with_features(
        self,
        img_features: _Floats,
        has_features: _Bools,
        init_pose: _Floats | None = None,
        init_kp3d: _Floats | None = None,
        has_init: _Bools | None = None,
        **mirrored: Any,
    ) -> PersonSequence:
        """The same sequence with the features of an image encoder, and its initialisation.

        Args:
            img_features: (T, F); has_features: (T,).
            init_pose: (T, 24, 3, 3), init_kp3d: (T, 17, 3); None keeps them.
            has_init: (T,); None takes ``has_features``.
            mirrored: ``img_features_mirrored``, ``init_pose_mirrored``, ``init_kp3d_mirrored``.
        """
        changes: dict[str, Any] = {"img_features": img_features, "has_features": has_features}
        if init_pose is not None:
            mask = has_features if has_init is None else has_init
            changes |= {"init_pose": init_pose, "init_kp3d": init_kp3d, "has_init": mask}
        return replace(self, **changes, **mirrored)

    def select(self, frames: NDArray[Any] | slice) -> PersonSequence:
        """Some of the frames, by a mask (T,), indices that grow or a slice.

        A gyro's angular velocity becomes the mean since the last frame that is kept.
        """
        timed = [key for key, (shape, _) in ARRAYS.items() if shape[:1] == ("T",)]
        whole = {key: getattr(self, key) for key in timed}
        parts: dict[str, Any] = {k: v if v is None else v[frames] for k, v in whole.items()}
        if self.camera_angular_velocity is not None:
            parts["camera_angular_velocity"] = self._mean_rates(np.arange(len(self))[frames])
        return replace(self, **parts)

    def _mean_rates(self, index: NDArray[np.int64]) -> Array:
        """(N, 3) angular velocity between the frames of these indices; the first keeps its own."""
        rates = np.array(self.camera_angular_velocity, dtype=np.float64)[index]
        attitude = [np.eye(3)]
        for turn in self.camera_turns()[1:]:
            attitude.append(attitude[-1] @ turn)
        kept = np.stack(attitude)[index]
        vectors = Rotation.from_matrix(kept[:-1].transpose(0, 2, 1) @ kept[1:]).as_rotvec()
        rates[1:] = vectors / np.diff(self.stamp_s[index])[:, None]
        return rates

    def write(self, path: str | Path) -> Path:
        """Write the sequence, whole or not at all, and return the path.

        Raises:
            FileNotFoundError: if the folder of ``path`` does not exist.
        """
        path = Path(path)
        if not path.parent.is_dir():
            raise FileNotFoundError(f"folder of the sequence file not found: {path.parent}")
        entries = {key: getattr(self, key) for key in ARRAYS}
        arrays = {key: np.asarray(value) for key, value in entries.items() if value is not None}
        write_npz(path, {"version": np.array(FORMAT_VERSION), **arrays})
        return path

    def _default(self, key: str, frames: int) -> Any:
        """What stands for a key that was not given."""
        if key in GUARDS:
            return np.full(frames, all(getattr(self, other) is not None for other in GUARDS[key]))
        if key == "has_trajectory":
            return np.zeros(frames, dtype=bool)
        if key == "scored":
            return np.ones(frames, dtype=bool)
        if key == "contacts":
            return np.full((frames, 4), -1.0)
        if key == "camera_distortion":
            return np.zeros(0)
        if key == "benchmarks":
            return np.zeros(0, dtype="U1")
        return None


def read_sequence(path: str | Path) -> PersonSequence:
    """Read and check a training sequence.

    Raises:
        FileNotFoundError: if there is no such file.
        SequenceFileError: if it is not a training sequence; names the file, the key and what
            was expected.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"training sequence not found: {path}")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise SequenceFileError(
            f"{path} is not a readable .npz of plain arrays: {error}"
        ) from error
    try:
        return _sequence_of(arrays)
    except SequenceFileError as error:
        raise SequenceFileError(f"{path}: {error}") from error


def _sequence_of(arrays: Mapping[str, NDArray[Any]]) -> PersonSequence:
    """Make a sequence of the arrays of a file; keys of no meaning are ignored."""
    version = checked_entry("version", arrays.get("version"), 0)
    if version != FORMAT_VERSION:
        raise SequenceFileError(
            f"key 'version' is {version}, this release reads {FORMAT_VERSION}; convert the data "
            "set again"
        )
    for field in fields(PersonSequence):
        if field.default is MISSING and field.name not in arrays:
            raise SequenceFileError(f"key {field.name!r} is missing")
    found: dict[str, Any] = {key: arrays[key] for key in ARRAYS if key in arrays}
    return PersonSequence(**found)


def _with_coco_rows(joints3d: Any) -> Any:
    """Put 17 unknown COCO rows before the 14 common joints where they come alone."""
    if joints3d is None or np.ndim(joints3d) != 3 or np.shape(joints3d)[1] != _COMMON14:
        return joints3d
    joints3d = np.asarray(joints3d)
    unknown = np.zeros((len(joints3d), _WHAM31 - _COMMON14, joints3d.shape[2]), joints3d.dtype)
    return np.concatenate((unknown, joints3d), axis=1)
