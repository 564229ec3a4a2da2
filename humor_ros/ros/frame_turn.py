"""How one sensor lies beside another, asked of TF seldom and kept once it is known."""

from __future__ import annotations

import numpy as np

from humor_ros.ros.reports import Reporter
from humor_ros.ros.tf_buffer import TransformUnavailable
from humor_ros.ros.tf_door import TransformListener
from humor_ros.types import Array

__all__ = ["FrameTurn"]

#: TF is asked again after this long, seconds.
_RETRY_S = 0.5


class FrameTurn:
    """Rotation between the frames of two sensors.

    Args:
        reporter: tells of a missing transform.
        topic: of the sensor whose axes are turned.
    """

    def __init__(self, reporter: Reporter, topic: str) -> None:
        self._reporter = reporter
        self._topic = topic
        self._known: tuple[str, str, Array] | None = None
        self._asked_s = float("-inf")

    @property
    def known(self) -> bool:
        """Whether TF need not be asked any more."""
        return self._known is not None

    def find(
        self, target: str, source: str, listener: TransformListener | None, now_s: float
    ) -> Array | None:
        """(3, 3) axes of ``source`` to those of ``target``; None while it is unknown.

        Args:
            target: frame of the sensor to which axes are turned; empty while unknown.
            source: frame of the sensor whose axes are turned.
            listener: where TF is asked; None where parameters describe both sensors as one.
            now_s: a monotonic clock, seconds.
        """
        if self._known is not None and self._known[:2] == (target, source):
            return self._known[2]
        if listener is None or target == source:
            self._known = (target, source, np.eye(3))
            return self._known[2]
        if not target or now_s - self._asked_s < _RETRY_S:
            return None
        self._asked_s = now_s
        try:
            rotation = listener.lookup(target, source, None).rotation
        except TransformUnavailable as error:
            self._reporter.say(
                f"{self._topic}_transform_missing",
                f"topic {self._topic}: {error}; it is not used until TF connects {source!r} and "
                f"{target!r}, or imu.extrinsics and imu.rotation_camera_imu are set",
            )
            return None
        self._known = (target, source, rotation)
        return rotation
