"""Messages to the user about bad input: once a kind, repeated seldom, and always counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from rclpy.impl.rcutils_logger import RcutilsLogger

__all__ = ["COUNTER_MESSAGES", "Reporter"]

#: What the pipeline's counters mean to the user of the node: topic or parameter, and the remedy.
#: Counters that are not here are shown in diagnostics alone.
COUNTER_MESSAGES: dict[str, str] = {
    "inertial.imu_invalid": "topic imu: samples with NaN, infinite or absurd values are left out; "
    "check the IMU driver",
    "inertial.imu_acceleration_invalid": "topic imu: accelerations that are NaN, infinite or "
    "absurd are left out; tilt then rests on the gyroscope; check the IMU driver",
    "inertial.imu_duplicate": "topic imu: samples come twice; is more than one driver publishing?",
    "inertial.imu_late": "topic imu: samples come after their image was processed; raise the "
    "parameter imu.wait, or shorten the IMU driver's batches",
    "inertial.imu_stamp_outliers": "topic imu: stamps far from all others are left out; check the "
    "IMU driver's clock",
    "inertial.imu_clock_resets": "topic imu: the clock jumped backwards",
    "inertial.imu_clock_mismatch": "topic imu: stamps are far from those of the images; both "
    "drivers must use one clock (see parameter imu.time_offset)",
    "inertial.imu_gaps": "topic imu: samples are missing; the last rate is held across the gap; "
    "check the driver's rate and the network",
    "inertial.imu_missing_intervals": "topic imu: no samples between two images; the camera "
    "counts as static meanwhile",
    "inertial.imu_catch_ups": "topic imu: samples of a silence came afterwards, many at once; the "
    "motion missed is turned in slowly; see imu_bursts",
    "inertial.imu_buffer_overflows": "topic imu: samples come and images do not; the oldest are "
    "dropped",
    "inertial.background_switched_off": "the background disagrees with the IMU and is not used for "
    "some seconds; a scene that moves as a whole does that, or an IMU that is not fixed to the "
    "camera",
    "inertial.pose_jumps": "camera poses leap further than camera_pose.max_speed and max_rate "
    "allow (a loop that was closed, a map that was reset): the world turns after them slowly",
    "inertial.magnetic_invalid": "topic magnetic_field: fields that are zero, not finite or badly "
    "stamped are left out; check the driver",
    "inertial.magnetic_disturbed": "topic magnetic_field: iron nearby bends the field; heading "
    "rests on gyroscope and background meanwhile",
    "inertial.pose_invalid": "camera poses that are not finite or no rotation are left out; check "
    "odom or TF",
    "features.late": "image features come later than features.max_age and are dropped; "
    "give features.dtype bfloat16, features.device cuda, fewer features.max_people or a larger "
    "features.max_age",
    "features.failed": "the image encoder failed on an image; the log tells why",
    "inertial.pose_clock_resets": "camera poses: the clock jumped backwards",
}


class Reporter:
    """Says each kind of trouble once, then at most every ``period_s`` seconds, and counts all.

    Args:
        logger: of the node.
        period_s: least time between two messages of one kind, seconds.
        clock: seconds of a monotonic clock.
    """

    def __init__(
        self,
        logger: RcutilsLogger,
        period_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._period_s = period_s
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._said: dict[str, tuple[float, int]] = {}
        self._totals: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def counters(self) -> dict[str, int]:
        """How often each kind was reported since the start."""
        with self._lock:
            return dict(self._counts)

    def say(self, kind: str, message: str, *, count: int = 1) -> bool:
        """Count one trouble, and tell of it when it is new or was not told for a while.

        Args:
            kind: short name, under which diagnostics count it.
            message: names the topic, file or parameter and the remedy.
            count: how many at once.

        Returns:
            Whether the message was shown this time.
        """
        with self._lock:
            self._counts[kind] += count
            total = self._counts[kind]
        return self._tell(kind, message, total)

    def watch(self, totals: Mapping[str, int]) -> None:
        """Tell of counters of the pipeline that have grown; they are not counted again here.

        Args:
            totals: running totals by name.
        """
        for name, message in COUNTER_MESSAGES.items():
            total = totals.get(name, 0)
            before = self._totals.get(name, 0)
            if total > before:
                self._totals[name] = total
                self._tell(name, message, total)

    def _tell(self, kind: str, message: str, total: int) -> bool:
        now = self._clock()
        with self._lock:
            said_at, said_total = self._said.get(kind, (float("-inf"), 0))
            if now - said_at < self._period_s:
                return False
            self._said[kind] = (now, total)
        more = f" ({total - said_total} times since the last message)" if said_total else ""
        self._logger.warning(f"{message}{more} [{kind}]")
        return True
