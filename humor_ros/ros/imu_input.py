"""IMU messages on their way to the pipeline, and the rotation camera<-imu from TF."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import Imu

from humor_ros.inertial.stamp_watch import ClockPair
from humor_ros.ros.frame_queue import ImuQueue
from humor_ros.ros.imu_topics import GyroAccelTopics
from humor_ros.ros.magnetic_input import MagneticInput
from humor_ros.ros.reports import Reporter
from humor_ros.ros.stamp_reports import StampReports
from humor_ros.ros.tf_buffer import TransformUnavailable
from humor_ros.ros.tf_door import TransformListener
from humor_ros.types import Array, ImuSample

__all__ = ["ImuInput", "ImuUnits"]

#: TF is asked again after this long, seconds.
_RETRY_S = 0.5
#: Samples kept while the extrinsics are unknown, seconds: enough to see gravity.
_HELD_S = 1.0
#: An IMU whose newest sample is older than this before an image is not waited for, seconds.
_SILENT_S = 0.5
_STANDARD_GRAVITY = 9.80665


@dataclass(frozen=True)
class ImuUnits:
    """What the numbers in the messages must be multiplied with to be rad/s and m/s².

    Attributes:
        rate: for angular velocities.
        acceleration: for accelerations.
    """

    rate: float = 1.0
    acceleration: float = 1.0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ImuUnits:
        """As the tracker's parameters say."""
        return cls(
            np.pi / 180.0 if values["imu.angular_velocity_unit"] == "deg/s" else 1.0,
            _STANDARD_GRAVITY if values["imu.linear_acceleration_unit"] == "g" else 1.0,
        )


class ImuInput:
    """Queue of samples and their extrinsics. ``put`` runs on the executor, the rest on the worker.

    Args:
        reporter: tells of missing transforms.
        listener: where TF is asked; None when the extrinsics are known from parameters.
        time_offset_s: added to IMU stamps for waiting, seconds (the pipeline adds it itself).
        units: of the messages.
        clocks: follows the stamps of IMU and images.
        apart: gyroscope and accelerometer come on topics of their own.
        magnetometer: whether one is used.

    Attributes:
        accel: the accelerometer's topic where it is apart; None else.
        magnetic: the magnetometer's; None without one.
        newest_stamp_s: of the newest message, seconds.
        clock_dropped: samples left out because the IMU's clock jumped.
    """

    def __init__(
        self,
        reporter: Reporter,
        listener: TransformListener | None,
        time_offset_s: float = 0.0,
        *,
        units: ImuUnits | None = None,
        clocks: ClockPair | None = None,
        apart: bool = False,
        magnetometer: bool = False,
    ) -> None:
        self._units = units or ImuUnits()
        self._clocks = clocks or ClockPair()
        self._stamps = StampReports(reporter, self._clocks)
        self.accel = GyroAccelTopics(reporter) if apart else None
        self.magnetic = MagneticInput(reporter) if magnetometer else None
        self.clock_dropped = 0
        self._reporter = reporter
        self._from_tf = listener is not None
        self._listener = listener
        self._offset_s = time_offset_s
        self._queue: ImuQueue[Imu] = ImuQueue()
        self._held: list[ImuSample] = []
        self._frame: str | None = None
        self._asked_s = float("-inf")
        self._known = listener is None
        self.newest_stamp_s = float("-inf")

    @property
    def received(self) -> int:
        """Samples received since the start."""
        return self._queue.received

    @property
    def overflowed(self) -> int:
        """Samples that were never read."""
        return self._queue.overflowed

    @property
    def needs_transforms(self) -> bool:
        """Whether TF still has to tell how the IMU is mounted."""
        beside = (self.accel, self.magnetic)
        unknown = any(part is not None and part.needs_transforms for part in beside)
        return not self._known or (self._from_tf and unknown)

    def use(self, listener: TransformListener | None) -> None:
        """Ask this listener from now on."""
        self._listener = listener

    def put(self, message: Imu) -> None:
        """Queue one message."""
        stamp = message.header.stamp
        stamp_s = stamp.sec + 1e-9 * stamp.nanosec
        self.newest_stamp_s = stamp_s
        self._clocks.imu.note(stamp_s, time.monotonic())
        self._queue.put(stamp_s + self._offset_s, message)

    def wait_until(self, stamp_s: float, timeout_s: float) -> bool:
        """Wait for the sample that closes the interval.

        At once false while no IMU is there, its mounting is unknown, or it has fallen silent.
        """
        silent = self.newest_stamp_s + self._offset_s < stamp_s - _SILENT_S
        if self._queue.received == 0 or not self._known or silent:
            return False
        return self._queue.wait_until(stamp_s, timeout_s)

    def take(self, camera_frame: str, now_s: float) -> tuple[Array | None, list[ImuSample]]:
        """Everything new for the pipeline.

        Args:
            camera_frame: optical frame of the images.
            now_s: a monotonic clock, seconds.

        Returns:
            The (3, 3) rotation camera<-imu when it has just become known, else None; and the
            samples, none while nobody knows how the IMU is mounted.
        """
        messages = self._queue.drain()
        if messages:
            self._note_frame(messages[-1].header.frame_id)
        self._stamps.tell()
        if self._clocks.apart_s:
            self.clock_dropped += len(messages)
            messages = []
        self._held.extend(self._samples(messages, now_s))
        rotation = None if self._known else self._ask_mounting(camera_frame, now_s)
        if self._known:
            samples, self._held = self._held, []
            return rotation, samples
        if self._held:
            oldest_s = self._held[-1].stamp_s - _HELD_S
            self._held = [sample for sample in self._held if sample.stamp_s >= oldest_s]
        return None, []

    def forget(self) -> None:
        """Drop what is queued (the clock was set back)."""
        self._queue.clear()
        self._held = []
        for part in (self.accel, self.magnetic):
            if part is not None:
                part.forget()

    def take_magnetic(self, now_s: float) -> list[tuple[float, Array]]:
        """Stamps in seconds and (3,) magnetic fields in IMU axes, oldest first.

        Args:
            now_s: a monotonic clock, seconds.
        """
        if self.magnetic is None or self._clocks.apart_s:
            return []
        listener = self._listener if self._from_tf else None
        return self.magnetic.take(self._frame or "", listener, now_s)

    def _samples(self, messages: list[Imu], now_s: float) -> list[ImuSample]:
        """Messages in SI units; with the accelerations of their own topic where that is apart."""
        samples = [_sample(message, self._units) for message in messages]
        if self.accel is None:
            return samples
        listener = self._listener if self._from_tf else None
        return self.accel.merged(
            samples, self._frame or "", listener, self._units.acceleration, now_s
        )

    def _ask_mounting(self, camera_frame: str, now_s: float) -> Array | None:
        """Ask TF for the mounting, seldom."""
        if self._frame is None or self._listener is None or now_s - self._asked_s < _RETRY_S:
            return None
        self._asked_s = now_s
        if self._frame == camera_frame:
            self._known = True
            return np.eye(3)
        if not self._frame:
            self._reporter.say(
                "imu_frame_missing",
                "topic imu: frame_id is empty, so the mounting of the IMU is unknown and it is not "
                "used; set the driver's frame_id, or the parameters imu.extrinsics and "
                "imu.rotation_camera_imu",
            )
            return None
        try:
            mounting = self._listener.lookup(camera_frame, self._frame, None)
        except TransformUnavailable as error:
            self._reporter.say(
                "imu_transform_missing",
                f"topic imu: {error}; the IMU is not used until TF connects {camera_frame!r} and "
                f"{self._frame!r}, or imu.extrinsics and imu.rotation_camera_imu are set",
            )
            return None
        self._known = True
        return mounting.rotation

    def _note_frame(self, frame: str) -> None:
        if frame == self._frame:
            return
        if self._frame is not None and self._from_tf:
            self._reporter.say(
                "imu_frame_changes",
                f"topic imu: frame_id changed from {self._frame!r} to {frame!r}; the mounting is "
                "looked up anew; let one driver publish on the topic",
            )
            self._known = False
            self._asked_s = float("-inf")
        self._frame = frame


def _sample(message: Imu, units: ImuUnits) -> ImuSample:
    stamp = message.header.stamp
    rate, force = message.angular_velocity, message.linear_acceleration
    # REP-145: a covariance that begins with -1 says that there is no such measurement.
    has_force = message.linear_acceleration_covariance[0] != -1.0
    acceleration = units.acceleration * np.array((force.x, force.y, force.z)) if has_force else None
    return ImuSample(
        stamp_s=stamp.sec + 1e-9 * stamp.nanosec,
        angular_velocity=units.rate * np.array((rate.x, rate.y, rate.z)),
        linear_acceleration=acceleration,
    )
