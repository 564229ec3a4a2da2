"""An accelerometer on a topic of its own, as RealSense cameras publish it beside the gyroscope."""

from __future__ import annotations

from collections import deque

import numpy as np
from sensor_msgs.msg import Imu

from humor_ros.inertial.gyro_accel import GyroAccelMerger
from humor_ros.ros.frame_turn import FrameTurn
from humor_ros.ros.reports import Reporter
from humor_ros.ros.tf_door import TransformListener
from humor_ros.types import ImuSample

__all__ = ["GyroAccelTopics"]

#: A silent topic is told after this long, seconds.
_SILENT_S = 2.0
_QUEUED = 4096


class GyroAccelTopics:
    """Merges ``accel`` into the samples of ``gyro``.

    ``put`` runs on the executor, the rest on the worker.

    Args:
        reporter: tells of silent topics and missing transforms.

    Attributes:
        received: accelerations received since the start.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._queue: deque[Imu] = deque(maxlen=_QUEUED)
        self._merger = GyroAccelMerger()
        self._turn = FrameTurn(reporter, "accel")
        self._heard_s: dict[str, float] = {}
        self.received = 0

    @property
    def bare(self) -> int:
        """Rates that passed without an acceleration."""
        return self._merger.bare

    @property
    def needs_transforms(self) -> bool:
        """Whether it is not known yet how the accelerometer lies beside the gyroscope."""
        return not self._turn.known

    def put(self, message: Imu) -> None:
        """Queue one message of ``accel``."""
        self.received += 1
        self._queue.append(message)

    def forget(self) -> None:
        """Drop what is queued (the clock was set back)."""
        self._queue.clear()
        self._merger.forget()

    def merged(
        self,
        rates: list[ImuSample],
        gyro_frame: str,
        listener: TransformListener | None,
        unit: float,
        now_s: float,
    ) -> list[ImuSample]:
        """Samples of the gyroscope with accelerations interpolated to them.

        Args:
            rates: of the topic ``gyro``; what they say of accelerations is not used.
            gyro_frame: its frame_id.
            listener: where TF is asked how the accelerometer lies beside the gyroscope; None
                where both are taken for parallel.
            unit: factor to m/s².
            now_s: a monotonic clock, seconds.
        """
        messages = []
        while self._queue:
            messages.append(self._queue.popleft())
        self._tell_of_silence(bool(rates), bool(messages), now_s)
        if messages:
            turn = self._turn.find(gyro_frame, messages[-1].header.frame_id, listener, now_s)
            if turn is not None:
                stamps = [m.header.stamp for m in messages]
                forces = [m.linear_acceleration for m in messages]
                self._merger.add_accelerations(
                    [stamp.sec + 1e-9 * stamp.nanosec for stamp in stamps],
                    [turn @ (unit * np.array((f.x, f.y, f.z))) for f in forces],
                )
        return self._merger.samples(
            [sample.stamp_s for sample in rates], [sample.angular_velocity for sample in rates]
        )

    def _tell_of_silence(self, rates: bool, forces: bool, now_s: float) -> None:
        """Tell of one topic that is silent while the other speaks."""
        for name, heard in (("gyro", rates), ("accel", forces)):
            if heard or name not in self._heard_s:
                self._heard_s[name] = now_s
        if rates and now_s - self._heard_s["accel"] > _SILENT_S:
            self._reporter.say(
                "accel_silent",
                "topic accel: nothing comes while gyro does, so that tilt is not measured; enable "
                "it in the driver (RealSense: enable_accel) or remap accel to its topic",
            )
        if forces and now_s - self._heard_s["gyro"] > _SILENT_S:
            self._reporter.say(
                "gyro_silent",
                "topic gyro: nothing comes while accel does, so that the IMU is not used; enable "
                "it in the driver (RealSense: enable_gyro) or remap gyro to its topic",
            )
