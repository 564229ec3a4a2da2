"""Which way is up, from an accelerometer: a robust start and a complementary filter.

The filter lives in a reference frame that turns with the gyroscope's error only, where
gravity stands nearly still. So a running mean of the measured specific force is the whole
filter: its time constant grows with the time averaged, up to ``gravity_time_constant_s``
(Mahony et al. 2008 without the bias term), and its trust falls where the norm is not
gravity's or the camera turns fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.reference import ForceSample
from humor_ros.inertial.so3 import rotation_about_z, rotation_aligning
from humor_ros.types import Array

__all__ = ["LEVEL_WORLD_CAMERA", "GravityFilter", "heading", "world_from_up"]

#: Camera to world of a level camera that looks along +x of the world.
LEVEL_WORLD_CAMERA: Array = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
_UP_WORLD = np.array([0.0, 0.0, 1.0])
_STRAIGHT = math.sin(math.radians(5.0))


class GravityFilter:
    """Direction of "up" in the gyroscope's reference frame."""

    def __init__(self, config: InertialConfig, counters: dict[str, int]) -> None:
        self._config = config
        self._counters = counters
        self._mean: Array | None = None
        self._averaged_s = 0.0

    @property
    def up(self) -> Array | None:
        """(3,) unit vector, or None while nothing trustworthy was measured."""
        if self._mean is None:
            return None
        return self._mean / math.sqrt(float(self._mean @ self._mean))

    @property
    def averaged_s(self) -> float:
        """Seconds of trusted samples behind :attr:`up`, weighted by trust."""
        return self._averaged_s

    def forget(self) -> None:
        """Start again, so that the next trusted sample counts fully."""
        self._mean = None
        self._averaged_s = 0.0

    def doubt(self) -> None:
        """The reference frame may have turned unseen: let the next samples count more."""
        self._averaged_s = min(self._averaged_s, 0.02)

    def trust(self, norm: float, rate: float) -> float:
        """Trust in one accelerometer sample.

        Args:
            norm: of the specific force, m/s².
            rate: norm of the angular velocity, rad/s.

        Returns:
            weight in [0, 1].
        """
        deviation = abs(norm / self._config.gravity - 1.0) / self._config.acceleration_tolerance
        if deviation > 3.0:
            return 0.0
        turning = rate / self._config.rate_tolerance
        return math.exp(-0.5 * deviation * deviation) / (1.0 + turning * turning)

    def start(self, samples: Sequence[ForceSample]) -> None:
        """Take the samples before the first image together, robustly.

        Near-static ones are preferred; without any, those whose norm is within half of
        gravity's are used. Those more than 5 degrees off the median direction are left out.

        Args:
            samples: in the reference frame, oldest first; may be empty.
        """
        if not samples:
            return
        values = np.array([item.force for item in samples])
        norms = np.sqrt(np.einsum("ij,ij->i", values, values))
        weights = [self.trust(float(n), s.rate) for n, s in zip(norms, samples, strict=True)]
        good = np.array(weights) > 0.1
        if not good.any():
            good = np.abs(norms / self._config.gravity - 1.0) < 0.5
        directions = values[good] / np.maximum(norms[good, None], 1e-9)
        median = np.median(directions, axis=0) if len(directions) else np.zeros(3)
        length = math.sqrt(float(median @ median))
        if length < 0.5:
            self._counters["accelerometer_untrusted"] += len(samples)
            return
        near = directions @ (median / length) > math.cos(math.radians(5.0))
        chosen = directions[near] if near.any() else median[None]
        self._mean = chosen.mean(axis=0)
        duration = sum(item.interval_s for item in samples)
        self._averaged_s = max(1e-3, duration * len(chosen) / len(samples))

    def update(self, sample: ForceSample) -> float:
        """Take one sample in.

        Args:
            sample: in the reference frame.

        Returns:
            the gain used, in [0, 1].
        """
        norm = math.sqrt(float(sample.force @ sample.force))
        weight = self.trust(norm, sample.rate)
        if weight <= 0.0:
            self._counters["accelerometer_untrusted"] += 1
            return 0.0
        weighted = weight * sample.interval_s
        direction = sample.force / norm
        if self._mean is None:
            if weight < 0.1:
                return 0.0
            self._mean, self._averaged_s = direction, weighted
            return 1.0
        self._averaged_s = min(self._averaged_s + weighted, self._config.gravity_time_constant_s)
        gain = min(1.0, weighted / self._averaged_s)
        self._mean = self._mean + gain * (direction - self._mean)
        return gain


def heading(rotation_world_camera: Array) -> float:
    """Heading of a camera: the direction of its optical axis on the ground.

    Where it looks within 5 degrees of straight up or down, the upper edge of the image
    stands for the optical axis.

    Args:
        rotation_world_camera: (3, 3) to a z-up world.

    Returns:
        angle from +x of the world towards +y, rad.
    """
    axis = rotation_world_camera[:, 2]
    if math.hypot(axis[0], axis[1]) < _STRAIGHT:
        axis = -rotation_world_camera[:, 1]
    return math.atan2(axis[1], axis[0])


def world_from_up(up_camera: Array) -> Array:
    """Camera to a z-up world whose +x is where the camera looks.

    Args:
        up_camera: (3,) unit vector, "up" in camera axes.

    Returns:
        (3, 3) rotation_world_camera with heading zero.
    """
    tilted = rotation_aligning(LEVEL_WORLD_CAMERA @ up_camera, _UP_WORLD) @ LEVEL_WORLD_CAMERA
    rotation: Array = rotation_about_z(-heading(tilted)) @ tilted
    return rotation
