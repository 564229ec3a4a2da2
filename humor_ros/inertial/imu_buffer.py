"""Inertial samples in order of time, cleaned and counted, until they are integrated."""

from __future__ import annotations

import logging
import math
from bisect import bisect_left

import numpy as np

from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.integration import RateSample
from humor_ros.types import Array, ImuSample

__all__ = ["ImuBuffer"]

logger = logging.getLogger(__name__)

_SUSPECTS_TO_BELIEVE = 5
_MAX_RATE_HZ = 2000.0


class ImuBuffer:
    """Sorted samples not yet integrated, and the one before them.

    Single samples with a stamp far from all others are refused; a run of five that agree
    with each other is a new clock (backwards) or the end of a long silence (forwards).
    """

    def __init__(self, config: InertialConfig, counters: dict[str, int]) -> None:
        self._config = config
        self._counters = counters
        self._bias = np.asarray(config.gyroscope_bias, dtype=np.float64)
        self._floor_s = -math.inf
        self._suspects: list[RateSample] = []
        self.samples: list[RateSample] = []
        self.added_since_image = 0

    @property
    def suspects(self) -> bool:
        """Whether samples from another time are held back until more of them have come."""
        return bool(self._suspects)

    def newest_before(self, stamp_s: float) -> float:
        """Stamp of the newest sample at or before an instant.

        Args:
            stamp_s: seconds.

        Returns:
            seconds; minus infinity if there is none.
        """
        for item in reversed(self.samples):
            if item.stamp_s <= stamp_s:
                return item.stamp_s
        return -math.inf

    def add(self, sample: ImuSample) -> bool:
        """Take one sample in.

        Args:
            sample: in IMU axes, stamped by the IMU's clock.

        Returns:
            True if the clock jumped backwards, so that everything older was thrown away.
        """
        clean = self._cleaned(sample)
        if clean is None:
            return False
        self.added_since_image += 1
        self._make_room()
        if not self.samples:
            return self._insert(clean)
        if abs(clean.stamp_s - self.samples[-1].stamp_s) > self._config.clock_jump_s:
            return self._suspect(clean)
        self._drop_suspects()
        return self._insert(clean)

    def drop_before(self, stamp_s: float) -> None:
        """Forget samples that an integration starting at ``stamp_s`` no longer needs.

        Args:
            stamp_s: seconds; the last sample at or before it is kept.
        """
        keep = 0
        while keep + 1 < len(self.samples) and self.samples[keep + 1].stamp_s <= stamp_s:
            keep += 1
        if keep:
            del self.samples[:keep]
        if self.samples and self.samples[0].stamp_s <= stamp_s:
            self._floor_s = self.samples[0].stamp_s

    def keep_between(self, low_s: float, high_s: float) -> None:
        """Forget all samples outside an interval, and any limit set by earlier ones.

        Args:
            low_s: seconds.
            high_s: seconds.
        """
        self.samples = [item for item in self.samples if low_s <= item.stamp_s <= high_s]
        self._suspects = []
        self._floor_s = -math.inf

    def _make_room(self) -> None:
        """Drop a tenth of the samples where no image has come to use them for long."""
        samples = self.samples
        if len(samples) < 2:
            return
        span = samples[-1].stamp_s - samples[0].stamp_s
        if span > self._config.buffer_s or len(samples) > self._config.buffer_s * _MAX_RATE_HZ:
            self._counters["imu_buffer_overflows"] += 1
            del samples[: max(1, len(samples) // 10)]

    def _cleaned(self, sample: ImuSample) -> RateSample | None:
        """The sample on the images' clock without bias, or None if it is no good."""
        stamp = float(sample.stamp_s) + self._config.imu_time_offset_s
        rate = _vector(sample.angular_velocity, "ImuSample.angular_velocity")
        limit = self._config.max_angular_velocity
        if not math.isfinite(stamp) or not bool((np.abs(rate) <= limit).all()):
            self._counters["imu_invalid"] += 1
            return None
        acceleration = None
        if sample.linear_acceleration is not None:
            acceleration = _vector(sample.linear_acceleration, "ImuSample.linear_acceleration")
            limit = self._config.max_linear_acceleration
            if not bool((np.abs(acceleration) <= limit).all()):
                self._counters["imu_acceleration_invalid"] += 1
                acceleration = None
        return RateSample(stamp, rate - self._bias, acceleration)

    def _insert(self, sample: RateSample) -> bool:
        """Put a sample in its place; always returns False (no clock jump)."""
        if not self.samples or sample.stamp_s > self.samples[-1].stamp_s:
            if sample.stamp_s > self._floor_s:
                self.samples.append(sample)
            else:
                self._counters["imu_late"] += 1
            return False
        index = bisect_left(self.samples, sample.stamp_s, key=lambda item: item.stamp_s)
        if self.samples[index].stamp_s == sample.stamp_s:
            self._counters["imu_duplicate"] += 1
        elif sample.stamp_s <= self._floor_s:
            self._counters["imu_late"] += 1
        else:
            self._counters["imu_out_of_order"] += 1
            self.samples.insert(index, sample)
        return False

    def _suspect(self, sample: RateSample) -> bool:
        """Hold a sample from far away until enough of its kind have come."""
        if self._suspects and not (
            0.0 < sample.stamp_s - self._suspects[-1].stamp_s <= self._config.clock_jump_s
        ):
            self._drop_suspects()
        self._suspects.append(sample)
        if len(self._suspects) < _SUSPECTS_TO_BELIEVE:
            return False
        believed, self._suspects = self._suspects, []
        backwards = believed[-1].stamp_s < self.samples[-1].stamp_s
        if backwards:
            self._counters["imu_clock_resets"] += 1
            logger.warning(
                "IMU stamps jumped back from %.3f s to %.3f s: older samples are dropped",
                self.samples[-1].stamp_s,
                believed[0].stamp_s,
            )
            self.samples = []
            self._floor_s = -math.inf
        for item in believed:
            self._insert(item)
        return backwards

    def _drop_suspects(self) -> None:
        self._counters["imu_stamp_outliers"] += len(self._suspects)
        self._suspects = []


def _vector(values: Array, name: str) -> Array:
    vector = np.asarray(values, dtype=np.float64)
    if vector.shape != (3,):
        raise ValueError(f"{name} must have shape (3,), got {vector.shape}")
    return vector
