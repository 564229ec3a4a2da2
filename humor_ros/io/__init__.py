"""Files in and out: videos, bags, calibrations, inertial samples, images of messages, tracks.

Bags need ``rosbags``; :mod:`humor_ros.io.bag` is imported only where one is opened.
"""

from __future__ import annotations

from humor_ros.io.bag_topics import BagError, BagTopics
from humor_ros.io.camera_info import (
    CameraInfoError,
    camera_from_message,
    read_camera_info,
    write_camera_info,
)
from humor_ros.io.image_decode import (
    SUPPORTED_ENCODINGS,
    ImageDecodeError,
    decode_compressed,
    decode_image,
)
from humor_ros.io.imu_csv import ImuCsvError, read_imu_csv, write_imu_csv
from humor_ros.io.sources import (
    CameraEvent,
    Event,
    ImageEvent,
    ImuEvent,
    MountingEvent,
    Source,
    open_source,
)
from humor_ros.io.video import VideoError, VideoFrame, VideoReader

__all__ = [
    "SUPPORTED_ENCODINGS",
    "BagError",
    "BagTopics",
    "CameraEvent",
    "CameraInfoError",
    "Event",
    "ImageDecodeError",
    "ImageEvent",
    "ImuCsvError",
    "ImuEvent",
    "MountingEvent",
    "Source",
    "VideoError",
    "VideoFrame",
    "VideoReader",
    "camera_from_message",
    "decode_compressed",
    "decode_image",
    "open_source",
    "read_camera_info",
    "read_imu_csv",
    "write_camera_info",
    "write_imu_csv",
]
