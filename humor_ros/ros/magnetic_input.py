"""Messages of a magnetometer on their way to the pipeline, in the axes of the IMU."""

from __future__ import annotations

from collections import deque

import numpy as np
from sensor_msgs.msg import MagneticField

from humor_ros.ros.frame_turn import FrameTurn
from humor_ros.ros.reports import Reporter
from humor_ros.ros.tf_door import TransformListener
from humor_ros.ros.time_conversion import seconds_from_stamp
from humor_ros.types import Array

__all__ = ["MagneticInput"]

_QUEUED = 1024


class MagneticInput:
    """Queue of magnetic fields. ``put`` runs on the executor, the rest on the worker.

    Args:
        reporter: tells of missing transforms.

    Attributes:
        received: messages since the start.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._queue: deque[MagneticField] = deque(maxlen=_QUEUED)
        self._turn = FrameTurn(reporter, "magnetic_field")
        self.received = 0

    @property
    def needs_transforms(self) -> bool:
        """Whether it is not known yet how the magnetometer lies beside the IMU."""
        return not self._turn.known

    def put(self, message: MagneticField) -> None:
        """Queue one message."""
        self.received += 1
        self._queue.append(message)

    def forget(self) -> None:
        """Drop what is queued (the clock was set back)."""
        self._queue.clear()

    def take(
        self, imu_frame: str, listener: TransformListener | None, now_s: float
    ) -> list[tuple[float, Array]]:
        """Stamps in seconds and (3,) fields in the axes of the IMU, oldest first.

        Args:
            imu_frame: frame_id of the IMU; empty while it is unknown.
            listener: where TF is asked; None where both are taken for parallel.
            now_s: a monotonic clock, seconds.
        """
        messages = []
        while self._queue:
            messages.append(self._queue.popleft())
        if not messages:
            return []
        turn = self._turn.find(imu_frame, messages[-1].header.frame_id, listener, now_s)
        if turn is None:
            return []
        fields = [message.magnetic_field for message in messages]
        return [
            (seconds_from_stamp(message.header.stamp), turn @ np.array((f.x, f.y, f.z)))
            for message, f in zip(messages, fields, strict=True)
        ]
