"""Writing the track file, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.io.track_schema import FORMAT_VERSION, ROW_KEYS
from humor_ros.types import Array, FrameResult, HumanState, TrackingState

__all__ = ["TrackWriter", "write_npz"]


class TrackWriter:
    """Collects frame results and writes them, whole or not at all, on :meth:`close`.

    As a context manager it closes at the end of the block and writes nothing after an error.

    Args:
        path: file to write; its folder must exist.
        camera: intrinsics in use; may also come with the first frame.
        fps: nominal frame rate of the processed frames; None: from their stamps.

    Raises:
        FileNotFoundError: if the folder of ``path`` does not exist.
    """

    def __init__(
        self, path: str | Path, camera: PinholeCamera | None = None, fps: float | None = None
    ) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"folder of the output file not found: {self.path.parent}")
        self._camera = camera
        self._fps = fps
        self._rows: dict[str, list[Any]] = {key: [] for key in ROW_KEYS}
        self._processed: list[tuple[int, float]] = []

    def __len__(self) -> int:
        """Number of rows so far."""
        return len(self._rows["frame"])

    def append(self, frame: int, result: FrameResult, camera: PinholeCamera | None = None) -> None:
        """Add one processed frame; people that are LOST have no row.

        Args:
            frame: index of the frame in the input, growing from call to call.
            result: what the pipeline said about it.
            camera: intrinsics of this frame; the file keeps those of the last frame.

        Raises:
            ValueError: if ``frame`` does not grow.
        """
        if self._processed and frame <= self._processed[-1][0]:
            raise ValueError(f"frame must grow: {frame} follows {self._processed[-1][0]}")
        self._processed.append((int(frame), float(result.stamp_s)))
        self._camera = camera or self._camera
        for human in result.humans:
            if human.tracking_state != TrackingState.LOST:
                for key, value in _row_values(frame, human, result).items():
                    self._rows[key].append(value)

    def close(self) -> Path:
        """Write the file through a temporary one beside it, and return its path.

        Raises:
            ValueError: if no frame was processed: there is nothing to tell.
        """
        if self._camera is None:
            raise ValueError(
                f"{self.path} is not written: no frame of the input was processed. "
                "Is the input empty or of another kind?"
            )
        rows = len(self)
        arrays: dict[str, Any] = {"version": np.array(FORMAT_VERSION)}
        for key, (shape, kind) in ROW_KEYS.items():
            column = np.array(self._rows[key], dtype="U5" if kind == "str" and not rows else kind)
            arrays[key] = column.reshape(rows, *shape)
        stamps = np.array([stamp for _, stamp in self._processed], np.float64)
        arrays["processed_frame"] = np.array([frame for frame, _ in self._processed], np.int64)
        arrays["processed_stamp_s"] = stamps
        arrays["image_size"] = np.array((self._camera.width, self._camera.height))
        arrays["camera_matrix"] = np.array(self._camera.matrix)
        arrays["camera_distortion"] = np.array(self._camera.distortion, dtype=np.float64)
        arrays["camera_model"] = np.array(self._camera.model)
        arrays["camera_assumed"] = np.array(self._camera.assumed)
        arrays["fps"] = np.array(_rate(stamps) if self._fps is None else float(self._fps))
        write_npz(self.path, arrays)
        return self.path

    def __enter__(self) -> TrackWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()


def _row_values(frame: int, human: HumanState, result: FrameResult) -> dict[str, Any]:
    """The values of one row by key."""
    values: dict[str, Any] = {key: getattr(human, key) for key in ROW_KEYS if hasattr(human, key)}
    values["frame"] = frame
    values["body_pose"] = Rotation.from_matrix(human.body_pose).as_rotvec()
    values["rotation_world_camera"] = result.camera.rotation_world_camera
    values["position_world_camera"] = result.camera.position_world_camera
    values["gravity_known"] = result.camera.gravity_known
    return values


def _rate(stamps_s: Array) -> float:
    """Frames per second by the median interval; 0 for fewer than two frames."""
    intervals = np.diff(stamps_s)
    intervals = intervals[intervals > 0]
    return float(1.0 / np.median(intervals)) if len(intervals) else 0.0


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    """Write a compressed ``.npz``, whole or not at all, through a temporary file beside it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez_compressed(stream, **arrays)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
