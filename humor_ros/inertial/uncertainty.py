"""How far the camera's world rotation may be off: a small, honest error budget.

Tilt is bounded by the accelerometer, heading only by odometry; without them both grow with
the gyroscope's white noise (variance proportional to time) and its remaining bias (standard
deviation proportional to time).
"""

from __future__ import annotations

import math

import numpy as np

from humor_ros.inertial.config import InertialConfig
from humor_ros.types import Array

__all__ = ["RotationUncertainty"]

_POSE_STD = math.radians(1.0)


class RotationUncertainty:
    """Variances of tilt and heading of the world rotation, rad²."""

    def __init__(self, config: InertialConfig) -> None:
        self._config = config
        self.tilt = config.level_std**2
        self.heading = 0.0

    def set_from_gravity(self, averaged_s: float) -> None:
        """Tilt was just measured by the accelerometer alone.

        Args:
            averaged_s: seconds of samples behind it.
        """
        config = self._config
        white = config.accelerometer_noise_density**2 / max(averaged_s, 1e-3)
        self.tilt = (white + config.acceleration_disturbance**2) / config.gravity**2

    def set_from_pose(self) -> None:
        """Tilt and heading were just given by odometry or TF."""
        self.tilt = self.heading = _POSE_STD**2

    def grow(self, interval_s: float, rate_std: float | None = None) -> None:
        """Let time pass.

        Args:
            interval_s: seconds.
            rate_std: for an interval without gyroscope the turn rate to be expected, rad/s.
        """
        config = self._config
        white = config.gyroscope_noise_density**2 * interval_s
        drift = (config.gyroscope_bias_stability if rate_std is None else rate_std) * interval_s
        limit = math.pi**2 / 3.0
        self.tilt = min(limit, (math.sqrt(self.tilt) + drift) ** 2 + white)
        self.heading = min(limit, (math.sqrt(self.heading) + drift) ** 2 + white)

    def correct_tilt(self, gain: float) -> None:
        """The accelerometer corrected tilt.

        Args:
            gain: of the correction, in [0, 1].
        """
        floor = (self._config.acceleration_disturbance / self._config.gravity) ** 2
        kept = (1.0 - gain) * math.sqrt(self.tilt) + gain * math.sqrt(floor)
        self.tilt = kept * kept

    def correct_heading(self, gain: float) -> None:
        """Odometry corrected heading.

        Args:
            gain: of the correction, in [0, 1].
        """
        kept = (1.0 - gain) * math.sqrt(self.heading) + gain * _POSE_STD
        self.heading = kept * kept

    def covariance(self, still_to_turn: Array) -> Array:
        """Covariance of the rotation error.

        Args:
            still_to_turn: (3,) correction that is known but not shown yet, world axes, rad.

        Returns:
            (3, 3) in world axes, rad².
        """
        shown: Array = np.diag([self.tilt, self.tilt, self.heading])
        return shown + np.outer(still_to_turn, still_to_turn)
