"""One stream of events from a video file or a bag, in the order that the tracker wants them.

Each image comes after all inertial samples up to its stamp *and the first one after it*, so
that the gyroscope can be interpolated at the exposure; other events are in order of time.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.io.bag_topics import BagTopics
from humor_ros.io.camera_info import read_camera_info
from humor_ros.io.imu_csv import ImuTable, read_imu_csv
from humor_ros.io.video import VideoReader
from humor_ros.types import Array, Image, ImuSample

if TYPE_CHECKING:
    from humor_ros.io.bag import BagReader

__all__ = [
    "BagSource",
    "CameraEvent",
    "Event",
    "ImageEvent",
    "ImuEvent",
    "MountingEvent",
    "Source",
    "VideoSource",
    "open_source",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageEvent:
    """An image was taken.

    Attributes:
        stamp_s: exposure time, seconds.
        index: position in the file.
        bgr: (H, W, 3) uint8; read only.
    """

    stamp_s: float
    index: int
    bgr: Image


@dataclass(frozen=True)
class ImuEvent:
    """An inertial sample was taken."""

    sample: ImuSample


@dataclass(frozen=True)
class CameraEvent:
    """The calibration of the images that follow."""

    camera: PinholeCamera


@dataclass(frozen=True)
class MountingEvent:
    """How the IMU is mounted: (3, 3) rotation of its axes to optical camera axes."""

    rotation_camera_imu: Array


Event = ImageEvent | ImuEvent | CameraEvent | MountingEvent


class Source(ABC):
    """Events of one recording; iterate over it once, close it or use it in a ``with``.

    Attributes:
        image_count: images announced, for a progress bar; None if unknown.
        counters: what was unusual in the files so far, by name.
    """

    image_count: int | None

    @property
    @abstractmethod
    def counters(self) -> dict[str, int]:
        """What was unusual in the files so far, by name."""

    @abstractmethod
    def __iter__(self) -> Iterator[Event]:
        """Events in order."""

    def close(self) -> None:  # noqa: B027 - a source without open files has nothing to close
        """Close the files."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(
    path: str | Path,
    camera_info: str | Path | None = None,
    imu_csv: str | Path | None = None,
    topics: BagTopics | None = None,
) -> Source:
    """Open a video file, or a ROS 2 bag (folder, ``.mcap`` or ``.db3``).

    Args:
        path: of the recording.
        camera_info: calibration YAML; comes before, and instead of, that of a bag.
        imu_csv: inertial samples, stamps on the clock of the images (for a video: seconds
            since its first frame); instead of those of a bag.
        topics: of a bag; chosen by type where None.

    Returns:
        the events.

    Raises:
        FileNotFoundError: naming the file that is not there.
        ValueError: naming the file that cannot be used, and why (VideoError, BagError,
            CameraInfoError, ImuCsvError).
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"input not found: {path}")
    camera = None if camera_info is None else read_camera_info(camera_info)
    table = None if imu_csv is None else read_imu_csv(imu_csv)
    if path.is_dir() or path.suffix.lower() in (".mcap", ".db3", ".bag"):
        return BagSource(_open_bag(path, topics), camera, table)
    if topics is not None and topics != BagTopics():
        raise ValueError(f"topics are for bags, but {path} is taken for a video file")
    return VideoSource(VideoReader(path), camera, table)


def _open_bag(path: Path, topics: BagTopics | None) -> BagReader:
    try:
        from humor_ros.io.bag import BagReader
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("rosbags"):
            raise
        raise ValueError(f"{path} is a bag, and reading bags needs: pip install rosbags") from error
    return BagReader(path, topics)


class VideoSource(Source):
    """Events of a video file, with calibration and samples from files of their own."""

    def __init__(
        self, video: VideoReader, camera: PinholeCamera | None, table: ImuTable | None
    ) -> None:
        self._video = video
        self._camera = camera
        self._table = table
        self.image_count = video.frame_count

    @property
    def counters(self) -> dict[str, int]:
        """Of the video and the samples."""
        return {**self._video.counters, **_table_counters(self._table)}

    def __iter__(self) -> Iterator[Event]:
        if self._camera is not None:
            yield CameraEvent(self._camera)
        samples = _ImuQueue(_table_stream(self._table))
        for frame in self._video:
            yield from samples.up_to(frame.stamp_s)
            yield ImageEvent(frame.stamp_s, frame.index, frame.image)
        yield from samples.rest()

    def close(self) -> None:
        """Close the video."""
        self._video.close()


class BagSource(Source):
    """Events of a bag, where files given take the place of its own topics."""

    def __init__(
        self, bag: BagReader, camera: PinholeCamera | None, table: ImuTable | None
    ) -> None:
        self._bag = bag
        self._camera = camera
        self._table = table
        self.image_count = bag.image_count

    @property
    def counters(self) -> dict[str, int]:
        """Of the bag and the samples."""
        return {**self._bag.counters, **_table_counters(self._table)}

    def __iter__(self) -> Iterator[Event]:
        yield from self._mounting()
        cameras = iter(self._bag.cameras()) if self._camera is None else iter(())
        if self._camera is not None:
            yield CameraEvent(self._camera)
        # The first calibration holds for images recorded just before it, too.
        coming = next(cameras, None)
        if coming is not None:
            yield CameraEvent(coming[1])
            coming = next(cameras, None)
        stream = self._bag.imu() if self._table is None else _table_stream(self._table)
        samples = _ImuQueue(stream)
        for image in self._bag.images():
            while coming is not None and coming[0] <= image.recorded_s:
                yield CameraEvent(coming[1])
                coming = next(cameras, None)
            yield from samples.up_to(image.stamp_s, image.recorded_s)
            yield ImageEvent(image.stamp_s, image.index, image.image)
        yield from samples.rest()

    def _mounting(self) -> Iterator[MountingEvent]:
        if self._table is not None or self._bag.topics.imu is None:
            return
        rotation = self._bag.rotation_camera_imu()
        if rotation is not None:
            yield MountingEvent(rotation)
        else:
            logger.warning(
                "%s: /tf_static does not connect the frames of %s and %s",
                self._bag.path,
                self._bag.topics.image,
                self._bag.topics.imu,
            )


class _ImuQueue:
    """Hands samples out as far as an image needs them."""

    def __init__(self, stream: Iterator[tuple[float, ImuSample]]) -> None:
        self._stream = stream
        self._next = next(stream, None)
        self._given_s = float("-inf")

    def up_to(self, stamp_s: float, recorded_s: float = float("-inf")) -> Iterator[ImuEvent]:
        """Samples up to an image and one more; also all that were recorded before it.

        The latter keeps a stray stamp far ahead from holding all others back.
        """
        while self._next is not None:
            recorded, sample = self._next
            if self._given_s > stamp_s and recorded > recorded_s:
                return
            self._given_s = sample.stamp_s
            self._next = next(self._stream, None)
            yield ImuEvent(sample)

    def rest(self) -> Iterator[ImuEvent]:
        """All samples that are left."""
        while self._next is not None:
            sample = self._next[1]
            self._next = next(self._stream, None)
            yield ImuEvent(sample)


def _table_stream(table: ImuTable | None) -> Iterator[tuple[float, ImuSample]]:
    for sample in table.samples if table is not None else ():
        yield float("inf"), sample


def _table_counters(table: ImuTable | None) -> dict[str, int]:
    if table is None:
        return {}
    return {"imu_rows_invalid": table.invalid_rows, "imu_rows_unordered": table.unordered_rows}
