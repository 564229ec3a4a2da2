"""Videos of calibrated cameras with 3D joints: reading the folder, and its frames at our rate.

The layout: ``cam01.mp4``, ``cam02.mp4``, ... and ``single_gt.npz`` with ``joints``
(P, F, 17, 3) COCO-17 of P people in world metres, ``valid`` (P, F, 17), ``K`` (C, 3, 3),
``dist`` (C, 5) of plumb-bob, ``R`` (C, 3, 3) and ``t`` (C, 3) with x_camera = R X + t, ``fps``
and, each optional, ``up`` (3,) of the world (default z), ``cam_names`` (C or more) and
``persons`` (P,). Frame i of the truth is frame i of every video.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.types import Array, Image

__all__ = ["TRUTH_FILE", "CameraTruth", "read_frames", "read_video_truth"]

TRUTH_FILE = "single_gt.npz"
_REQUIRED = ("joints", "valid", "K", "dist", "R", "t", "fps")


@dataclass(frozen=True, eq=False)
class CameraTruth:
    """What one camera should see, at the frames that count.

    Attributes:
        name: of the camera.
        video: its file.
        frames: (F,) indices of the video's frames.
        joints: (P, F, 17, 3) COCO-17 in the camera's optical frame, metres; NaN where the
            truth is not valid.
        people: P names.
        camera: intrinsics.
        up: (3,) unit vector against gravity, optical axes.
        video_fps: of the video.
        rate: of the frames that count, frames a second.
    """

    name: str
    video: Path
    frames: NDArray[np.int64]
    joints: Array
    people: tuple[str, ...]
    camera: PinholeCamera
    up: Array
    video_fps: float
    rate: float

    def stamp_s(self, frame: int) -> float:
        """Time of a video frame, seconds."""
        return frame / self.video_fps

    def pixels(self, person: int) -> Array:
        """(F, 17, 2) joints of one person in the distorted image; NaN where not valid."""
        points = self.joints[person]
        flat = points.reshape(-1, 3)
        known = np.isfinite(flat).all(axis=1)
        pixels = np.full((len(flat), 2), np.nan)
        pixels[known] = self.camera.project(flat[known])
        return pixels.reshape(*points.shape[:2], 2)


def read_video_truth(folder: Path, *, fps: float = 30.0, phase: int = 0) -> list[CameraTruth]:
    """Read the truth of every camera that has a calibration and a video.

    Args:
        folder: of the layout above.
        fps: rate to go by; of faster videos every n-th frame counts.
        phase: first frame that counts, less than n.

    Raises:
        FileNotFoundError: the truth, or the video of every camera, is missing.
        ValueError: an array is missing or shapes do not belong together.
    """
    import cv2

    path = Path(folder) / TRUTH_FILE
    if not path.is_file():
        raise FileNotFoundError(f"ground truth not found: {path}")
    with np.load(path, allow_pickle=False) as file:
        data = {name: file[name] for name in file.files}
    _check(data, path)
    step = max(1, round(float(data["fps"]) / fps))
    if not 0 <= phase < step:
        raise ValueError(f"phase: must be in [0, {step}) at {float(data['fps']):g} fps")
    n_people, n_frames = data["joints"].shape[:2]
    frames = np.arange(phase, n_frames, step)
    world = data["joints"][:, frames].astype(np.float64)
    world[~data["valid"][:, frames].astype(bool)] = np.nan
    up = np.asarray(data.get("up", (0.0, 0.0, 1.0)), dtype=np.float64)
    count = len(data["K"])
    names = [str(name) for name in data.get("cam_names", [])] or _default_names(count)
    persons = data.get("persons", np.array([f"person{i + 1}" for i in range(n_people)]))
    truths = []
    for index, name in enumerate(names[:count]):
        video = Path(folder) / f"{name}.mp4"
        if not video.is_file():
            continue
        reader = cv2.VideoCapture(str(video))
        if not reader.isOpened():
            raise ValueError(f"video not readable: {video}")
        size = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
        reader.release()
        turn = data["R"][index].astype(np.float64)
        truths.append(
            CameraTruth(
                name=name,
                video=video,
                frames=frames,
                joints=world @ turn.T + data["t"][index],
                people=tuple(str(person) for person in persons),
                camera=PinholeCamera(*size, data["K"][index], tuple(data["dist"][index].tolist())),
                up=turn @ up / np.linalg.norm(up),
                video_fps=float(data["fps"]),
                rate=float(data["fps"]) / step,
            )
        )
    if not truths:
        raise FileNotFoundError(f"no video of the cameras {', '.join(names[:count])} in {folder}")
    return truths


def read_frames(truth: CameraTruth) -> Iterator[tuple[int, Image]]:
    """The video's frames that count, with their indices; ends early where the video does."""
    import cv2

    wanted = set(truth.frames.tolist())
    reader = cv2.VideoCapture(str(truth.video))
    try:
        for index in range(int(truth.frames[-1]) + 1):
            if not reader.grab():
                return
            if index in wanted:
                good, image = reader.retrieve()
                if not good:
                    return
                yield index, np.asarray(image, dtype=np.uint8)
    finally:
        reader.release()


def _default_names(count: int) -> list[str]:
    return [f"cam{index + 1:02d}" for index in range(count)]


def _check(data: dict[str, NDArray], path: Path) -> None:
    missing = [name for name in _REQUIRED if name not in data]
    if missing:
        raise ValueError(f"{path} lacks the arrays {missing}")
    joints, cameras = data["joints"], len(data["K"])
    if joints.ndim != 4 or joints.shape[2:] != (17, 3) or not joints.shape[1]:
        raise ValueError(f"{path}: joints must have shape (P, F, 17, 3), got {joints.shape}")
    expected = {
        "valid": joints.shape[:3],
        "K": (cameras, 3, 3),
        "R": (cameras, 3, 3),
        "t": (cameras, 3),
    }
    for name, shape in expected.items():
        if data[name].shape != shape:
            raise ValueError(f"{path}: {name} must have shape {shape}, got {data[name].shape}")
    if data["dist"].ndim != 2 or len(data["dist"]) != cameras:
        raise ValueError(f"{path}: dist must have shape ({cameras}, 5), got {data['dist'].shape}")
    if not float(data["fps"]) > 0:
        raise ValueError(f"{path}: fps must be positive, got {data['fps']}")
