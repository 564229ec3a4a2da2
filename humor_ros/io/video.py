"""Frames of a video file with the times at which they are to be shown."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from humor_ros.types import Image

__all__ = ["VideoError", "VideoFrame", "VideoReader"]

logger = logging.getLogger(__name__)

_ASSUMED_FPS = 30.0


class VideoError(ValueError):
    """A file that exists but gives no video frames."""


@dataclass(frozen=True)
class VideoFrame:
    """One frame of a video.

    Attributes:
        index: position in the file, from 0.
        stamp_s: time since the first frame, seconds.
        image: (H, W, 3) uint8 BGR, turned upright if the file says so.
    """

    index: int
    stamp_s: float
    image: Image


class VideoReader:
    """Iterates over the frames of a video file, once or again from the start.

    Stamps are the container's; where they do not increase they are made from the frame
    rate. A file that ends early gives the frames there are.

    Attributes:
        path: of the file.
        fps: nominal frame rate (30 where the file gives none, see ``fps_assumed``).
        fps_assumed: whether ``fps`` is a guess.
        width: of the upright image, pixels.
        height: of the upright image, pixels.
        frame_count: frames that the container announces; None if it does not say.
        counters: "irregular_stamps" and "missing_frames" (announced, but not readable).

    Raises:
        FileNotFoundError: if the file does not exist.
        VideoError: if it is no video, or its first frame cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"video not found: {self.path}")
        if self.path.is_dir():
            raise VideoError(f"{self.path} is a folder, not a video file")
        self.counters = {"irregular_stamps": 0, "missing_frames": 0}
        self._capture = self._open()
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps_assumed = not (math.isfinite(fps) and 0.0 < fps <= 1000.0)
        self.fps = _ASSUMED_FPS if self.fps_assumed else fps
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frame_count = count if 0 < count < 2**31 else None
        found, image = self._capture.read()
        if not found or image is None:
            self._capture.release()
            raise VideoError(
                f"{self.path} has no frame that can be read; is it complete, and its codec "
                "one that FFmpeg knows?"
            )
        self.height, self.width = image.shape[:2]
        self._pending: tuple[Image, float] | None = (self._upright(image), self._position_s())

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; iterating opens it again."""
        self._pending = None
        self._capture.release()

    def __iter__(self) -> Iterator[VideoFrame]:
        if self._pending is None:
            self._capture.release()
            self._capture = self._open()
        self.counters = dict.fromkeys(self.counters, 0)
        index, first_s, previous_s = 0, 0.0, -math.inf
        while True:
            item = self._take()
            if item is None:
                break
            image, position_s = item
            if index == 0:
                first_s = position_s if math.isfinite(position_s) else 0.0
            stamp_s = position_s - first_s
            if index and not stamp_s > previous_s:
                self.counters["irregular_stamps"] += 1
                stamp_s = previous_s + 1.0 / self.fps
            previous_s = stamp_s
            yield VideoFrame(index, stamp_s, image)
            index += 1
        if self.frame_count is not None and index < self.frame_count:
            self.counters["missing_frames"] = self.frame_count - index
            logger.warning(
                "%s ends early: %d of %d announced frames were read",
                self.path,
                index,
                self.frame_count,
            )

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self.path))
        if not capture.isOpened():
            capture.release()
            raise VideoError(
                f"{self.path} cannot be opened as a video; is it complete, and its format one "
                "that FFmpeg knows?"
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        return capture

    def _take(self) -> tuple[Image, float] | None:
        """The next frame and its position, or None at the end."""
        if self._pending is not None:
            item, self._pending = self._pending, None
            return item
        found, image = self._capture.read()
        if not found or image is None:
            return None
        return self._upright(image), self._position_s()

    def _position_s(self) -> float:
        """Presentation time of the frame read last, seconds."""
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000.0

    @staticmethod
    def _upright(image: np.ndarray) -> Image:
        """Three channels of 8 bits (grey videos come as one channel)."""
        if image.ndim == 2 or image.shape[2] == 1:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        return np.asarray(image, dtype=np.uint8)
