"""Images, camera calibration and inertial samples of a ROS 2 bag (sqlite3 or mcap).

Read with ``rosbags``, so that no ROS is needed; values come out plain.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.io.bag_topics import COMPRESSED, BagError, BagTopics, choose_topics
from humor_ros.io.camera_info import camera_from_message
from humor_ros.io.image_decode import ImageDecodeError, decode_compressed, decode_image
from humor_ros.io.static_transforms import StaticTransforms
from humor_ros.types import Array, Image, ImuSample

__all__ = ["BagImage", "BagReader", "camera_from_message"]

logger = logging.getLogger(__name__)

_TF_STATIC = "/tf_static"
_TF_TYPE = "tf2_msgs/msg/TFMessage"


@dataclass(frozen=True)
class BagImage:
    """One image message of a bag.

    Attributes:
        index: position among the messages of its topic, from 0.
        stamp_s: of its header, seconds (of the recording where the header has none).
        recorded_s: when it was recorded, seconds.
        frame_id: optical frame.
        image: (H, W, 3) uint8 BGR.
    """

    index: int
    stamp_s: float
    recorded_s: float
    frame_id: str
    image: Image


class BagReader:
    """Reads one image topic, and its calibration and IMU where the bag has them.

    Attributes:
        path: of the bag.
        topics: that are read.
        image_count: messages on the image topic.
        counters: "images_undecodable", "stamps_missing" (the recording time stands in),
            "camera_info_invalid" and "messages_broken".

    Raises:
        FileNotFoundError: if the path does not exist.
        BagError: if it is no ROS 2 bag, or its topics do not serve; lists the topics.
    """

    def __init__(self, path: str | Path, topics: BagTopics | None = None) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"bag not found: {self.path}")
        self._types = get_typestore(Stores.LATEST)
        self.counters = {
            "images_undecodable": 0,
            "stamps_missing": 0,
            "camera_info_invalid": 0,
            "messages_broken": 0,
        }
        self._said: set[str] = set()
        with self._open() as reader:
            used = [c for c in reader.connections if c.msgcount]
            found = {c.topic: c.msgtype for c in used}
            self.topics = choose_topics(str(self.path), found, topics or BagTopics())
            self.image_count = sum(c.msgcount for c in used if c.topic == self.topics.image)

    def images(self) -> Iterator[BagImage]:
        """Images in the order of recording; those that cannot be decoded are counted.

        Yields:
            one image after the other.
        """
        for index, (recorded_s, message, kind) in enumerate(self._messages(self.topics.image)):
            try:
                if message is None:
                    continue
                if kind == COMPRESSED:
                    picture = decode_compressed(message.format, message.data)
                else:
                    picture = decode_image(
                        message.height,
                        message.width,
                        message.encoding,
                        message.step,
                        bool(message.is_bigendian),
                        message.data,
                    )
            except ImageDecodeError as error:
                self.counters["images_undecodable"] += 1
                self._say_once(f"{self.topics.image}: {error}")
                continue
            stamp_s = self._stamp(message, recorded_s)
            yield BagImage(index, stamp_s, recorded_s, message.header.frame_id, picture)

    def cameras(self) -> Iterator[tuple[float, PinholeCamera]]:
        """Calibrations in the order of recording, each only when it differs from the last.

        Yields:
            time of the recording, seconds, and the camera.
        """
        last: tuple[Any, ...] | None = None
        for recorded_s, message, _ in self._messages(self.topics.camera_info):
            if message is None:
                continue
            key = _camera_key(message)
            if key == last:
                continue
            last = key
            try:
                camera = camera_from_message(message)
            except ValueError as error:
                self.counters["camera_info_invalid"] += 1
                self._say_once(f"{self.topics.camera_info}: {error}")
                continue
            yield recorded_s, camera

    def imu(self) -> Iterator[tuple[float, ImuSample]]:
        """Inertial samples in the order of recording.

        Yields:
            time of the recording, seconds, and the sample in the IMU's frame. A sample whose
            message marks the acceleration as absent (covariance -1, REP-145) has none.
        """
        for recorded_s, message, _ in self._messages(self.topics.imu):
            if message is None or message.angular_velocity_covariance[0] == -1.0:
                continue
            rate, force = message.angular_velocity, message.linear_acceleration
            absent = message.linear_acceleration_covariance[0] == -1.0
            yield (
                recorded_s,
                ImuSample(
                    stamp_s=self._stamp(message, recorded_s),
                    angular_velocity=np.array([rate.x, rate.y, rate.z]),
                    linear_acceleration=None if absent else np.array([force.x, force.y, force.z]),
                ),
            )

    def rotation_camera_imu(self) -> Array | None:
        """Mounting of the IMU on the camera by ``/tf_static``.

        Returns:
            (3, 3) IMU axes to optical camera axes; None where the bag does not say.
        """
        image_frame, imu_frame = (
            self._first_frame(topic) for topic in (self.topics.image, self.topics.imu)
        )
        if not image_frame or not imu_frame:
            return None
        transforms = StaticTransforms()
        for _, message, kind in self._messages(_TF_STATIC):
            if message is not None and kind == _TF_TYPE:
                for item in message.transforms:
                    q = item.transform.rotation
                    transforms.add(
                        item.header.frame_id,
                        item.child_frame_id,
                        np.array([q.x, q.y, q.z, q.w], dtype=np.float64),
                    )
        return transforms.rotation(image_frame, imu_frame)

    def _first_frame(self, topic: str | None) -> str | None:
        for _, message, _ in self._messages(topic):
            if message is not None:
                return str(message.header.frame_id)
        return None

    @contextlib.contextmanager
    def _open(self) -> Iterator[Reader]:
        """A reader of its own for each stream, since their positions differ."""
        if self.path.suffix == ".bag":
            raise BagError(
                f"{self.path} is a ROS 1 bag; convert it: rosbags-convert --src {self.path} "
                "--dst FOLDER"
            )
        try:
            reader = Reader(self.path)
            reader.open()
        except Exception as error:  # rosbags lets errors of sqlite, struct and YAML through
            raise BagError(
                f"{self.path} is not a ROS 2 bag that can be read (folder with metadata.yaml, "
                f".mcap or .db3): {error}"
            ) from error
        try:
            yield reader
        finally:
            reader.close()

    def _raw(self, topic: str) -> Iterator[tuple[Connection, int, bytes]]:
        """Messages of a topic as they are stored; a bag that is cut off ends early."""
        with self._open() as reader:
            connections = [c for c in reader.connections if c.topic == topic]
            if not connections:
                return
            stream = reader.messages(connections=connections)
            while True:
                try:
                    item = next(stream, None)
                except Exception as error:  # of sqlite, struct or a decompressor
                    self.counters["messages_broken"] += 1
                    self._say_once(f"{self.path} ends early: {error}")
                    return
                if item is None:
                    return
                yield item

    def _messages(self, topic: str | None) -> Iterator[tuple[float, Any, str]]:
        """Recording time, message (None if broken) and type of each message of a topic."""
        if not topic:
            return
        for connection, recorded_ns, raw in self._raw(topic):
            try:
                message = self._types.deserialize_cdr(raw, connection.msgtype)
            except Exception as error:  # rosbags raises what its generated code meets
                self.counters["messages_broken"] += 1
                self._say_once(f"{topic}: a message cannot be read: {error}")
                message = None
            yield recorded_ns * 1e-9, message, connection.msgtype

    def _stamp(self, message: Any, recorded_s: float) -> float:
        stamp = message.header.stamp
        if stamp.sec == 0 and stamp.nanosec == 0:
            self.counters["stamps_missing"] += 1
            return recorded_s
        return float(stamp.sec + stamp.nanosec * 1e-9)

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < 100:
            self._said.add(text)
            logger.warning("%s", text)


def _camera_key(message: Any) -> tuple[Any, ...]:
    """What makes two calibration messages the same."""
    roi = message.roi
    return (
        message.width,
        message.height,
        tuple(message.k),
        tuple(message.d),
        message.distortion_model,
        (message.binning_x, message.binning_y),
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
    )
