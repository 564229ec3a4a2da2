"""What a camera with an IMU would have delivered: the events of a video file in time order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from humor_ros.inertial.simulation import ImuSimulation, simulate_imu, static_camera
from humor_ros.io.imu_csv import read_imu_csv
from humor_ros.io.video import VideoFrame, VideoReader
from humor_ros.types import Array, ImuSample

__all__ = ["FramePrefetcher", "imu_of_video", "resized"]


@dataclass(frozen=True)
class _End:
    """The video is over, or broke with an error."""

    error: Exception | None = None


def resized(frame: VideoFrame, size: tuple[int, int] | None) -> VideoFrame:
    """The frame at another size.

    Args:
        frame: of the video.
        size: width and height, pixels; None keeps it.
    """
    if size is None or (frame.image.shape[1], frame.image.shape[0]) == size:
        return frame
    # Averaging over areas costs seven times as much; it matters below half the size alone.
    method = cv2.INTER_AREA if 2 * size[0] < frame.image.shape[1] else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(frame.image, size, interpolation=method), dtype=np.uint8)
    return VideoFrame(frame.index, frame.stamp_s, image)


class FramePrefetcher:
    """Decodes a little ahead in a thread of its own, so that publishing keeps its times.

    Args:
        reader: the video; belongs to this object from now on.
        size: width and height to publish, pixels; None keeps the video's.
        ahead_bytes: memory for frames decoded beforehand.
    """

    def __init__(
        self,
        reader: VideoReader,
        size: tuple[int, int] | None = None,
        ahead_bytes: int = 256 * 2**20,
    ) -> None:
        width, height = size or (reader.width, reader.height)
        ahead = max(4, ahead_bytes // (3 * width * height))
        self._reader = reader
        self._size = size
        self._queue: queue.Queue[VideoFrame | _End] = queue.Queue(maxsize=ahead)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Frames until the end.

        Raises:
            ValueError, OSError: the video could not be decoded.
        """
        while True:
            item = self._queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    def close(self) -> None:
        """Stop decoding."""
        self._stopping.set()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._thread.join(timeout=2.0)
        self._reader.close()

    def _run(self) -> None:
        try:
            for frame in self._reader:
                if not self._put(resized(frame, self._size)):
                    return
        except (ValueError, OSError, cv2.error) as error:
            self._put(_End(error))
            return
        self._put(_End())

    def _put(self, item: VideoFrame | _End) -> bool:
        while not self._stopping.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False


def imu_of_video(
    csv_path: str, rate_hz: float, rotation_camera_imu: Array, end_s: float, pitch_down: float
) -> Iterator[ImuSample]:
    """IMU samples on the video's time axis.

    Args:
        csv_path: file of measured samples; empty simulates a camera that does not move.
        rate_hz: of the simulation; 0 gives no samples.
        rotation_camera_imu: (3, 3) mounting of the simulated IMU.
        end_s: length of the video, seconds.
        pitch_down: how far the simulated camera looks below the horizon, radians.

    Raises:
        FileNotFoundError, ValueError: the file is missing or wrong.
    """
    if csv_path:
        yield from read_imu_csv(csv_path).samples
        return
    if rate_hz <= 0.0:
        return
    simulation = ImuSimulation(
        rate_hz=rate_hz,
        rotation_camera_imu=rotation_camera_imu,
        gyroscope_noise_density=1.5e-4,
        accelerometer_noise_density=2.0e-3,
    )
    # It begins before the first image, as a real one would: gravity is seen in time.
    yield from simulate_imu(static_camera(pitch_down), -0.5, end_s, simulation)
