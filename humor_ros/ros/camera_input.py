"""The calibration of the camera: the newest usable ``camera_info``, else an assumption in time."""

from __future__ import annotations

import threading
from enum import Enum
from typing import Any

from sensor_msgs.msg import CameraInfo

from humor_ros.geometry import PinholeCamera
from humor_ros.io.camera_info import camera_from_message
from humor_ros.ros.reports import Reporter

__all__ = ["CameraInput", "CameraStatus"]


class CameraStatus(str, Enum):
    """What is known of the camera."""

    WAITING = "waiting for camera_info"
    ASSUMED = "assumed"
    CALIBRATED = "calibrated"


class CameraInput:
    """Takes ``camera_info`` in on the executor thread and answers the worker.

    Args:
        reporter: tells of messages that cannot be used.
        assume: whether to go on without calibration.
        timeout_s: how long the first image waits for one, seconds.
    """

    def __init__(self, reporter: Reporter, *, assume: bool, timeout_s: float) -> None:
        self._reporter = reporter
        self._assume = assume
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._key: tuple[Any, ...] | None = None
        self._fresh: PinholeCamera | None = None
        self._first_image_s: float | None = None
        self._frame = ""
        self.status = CameraStatus.WAITING

    @property
    def frame(self) -> str:
        """``frame_id`` of the newest usable camera_info; empty before the first."""
        return self._frame

    def offer(self, message: CameraInfo) -> None:
        """Look at one ``camera_info``; costs next to nothing when it repeats the last."""
        roi = message.roi
        key = (
            message.width,
            message.height,
            message.k.tobytes(),
            message.d.tobytes(),
            message.distortion_model,
            message.binning_x,
            message.binning_y,
            (roi.x_offset, roi.y_offset, roi.width, roi.height),
            message.header.frame_id,
        )
        if key == self._key:
            return
        try:
            camera = camera_from_message(message)
        except ValueError as error:
            self._reporter.say("camera_info_unusable", f"topic camera_info: {error}")
            return
        with self._lock:
            self._key, self._fresh, self._frame = key, camera, message.header.frame_id
            self.status = CameraStatus.CALIBRATED

    def take_new(self) -> PinholeCamera | None:
        """The camera of a camera_info that has not been taken yet."""
        with self._lock:
            fresh, self._fresh = self._fresh, None
            return fresh

    def ready(self, now_s: float) -> bool:
        """Whether an image may be processed now: calibrated, or long enough waited for.

        Args:
            now_s: a monotonic clock, seconds.
        """
        if self.status is not CameraStatus.WAITING:
            return True
        if self._first_image_s is None:
            self._first_image_s = now_s
        if now_s - self._first_image_s < self._timeout_s:
            return False
        if not self._assume:
            self._reporter.say(
                "images_without_camera_info",
                "topic camera_info: no usable message yet and parameter assume_camera is false, "
                "so images wait; start the camera's calibration, or set assume_camera",
            )
            return False
        self.status = CameraStatus.ASSUMED
        self._reporter.say(
            "camera_assumed",
            f"topic camera_info: no usable message within {self._timeout_s:g} s of the first "
            "image (parameter camera_info_timeout); the focal length sqrt(width^2 + height^2) is "
            "assumed and distances may be wrong; publish a calibration for true ones",
        )
        return True
