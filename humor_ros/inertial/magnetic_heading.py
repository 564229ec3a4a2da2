"""Heading held by the earth's magnetic field, where the field is what it was at the start.

A magnetometer tells no heading that a camera's world needs (that world's is its first image's), but
whether it drifts. Iron nearby bends the field; then its strength or its dip are others too, and it
is not believed (the usual test, e.g. Roetenberg et al. 2005).
"""

from __future__ import annotations

import math

import numpy as np

from humor_ros.inertial.config import InertialConfig
from humor_ros.types import Array

__all__ = ["MagneticHeading"]

#: The field of the start is averaged over this time, seconds.
_LEARNT_S = 1.0
#: Strength and dip may differ from the start's by this share and this angle.
_STRENGTH, _DIP = 0.12, math.radians(6.0)
#: Least horizontal share of a field that still tells a heading.
_HORIZONTAL = 0.15
#: Squared Mahalanobis length of a heading that is still believed.
_GATE = 6.0
#: Errors of the field last about so long, seconds.
_CORRELATED_S = 4.0


class MagneticHeading:
    """Keeps samples until their image, and what the field was like at the start.

    Args:
        config: error of a heading.
        counters: running totals.
    """

    def __init__(self, config: InertialConfig, counters: dict[str, int]) -> None:
        self._config = config
        self._counters = counters
        self._samples: list[tuple[float, Array]] = []
        self._learnt_s = 0.0
        self._mean: Array = np.zeros(3)

    def add(self, stamp_s: float, field: Array) -> None:
        """Take a sample in; bad ones are counted and left out.

        Args:
            stamp_s: seconds, the IMU's clock.
            field: (3,) IMU axes, any unit.
        """
        values = np.asarray(field, dtype=np.float64)
        if values.shape != (3,):
            raise ValueError(f"field of a magnetometer must have shape (3,), got {values.shape}")
        late = bool(self._samples) and stamp_s <= self._samples[-1][0]
        if not math.isfinite(stamp_s) or not np.isfinite(values).all() or not values.any() or late:
            self._counters["magnetic_invalid"] += 1
            return
        self._samples.append((stamp_s, values))
        while stamp_s - self._samples[0][0] > self._config.buffer_s:
            del self._samples[0]

    def field_since_image(self, stamp_s: float) -> Array | None:
        """Mean field (3,) of the samples up to an image, each used once; None without any."""
        taken = [field for stamp, field in self._samples if stamp <= stamp_s]
        del self._samples[: len(taken)]
        return np.mean(taken, 0) if taken else None

    def heading_error(self, field_world: Array, interval_s: float, variance: float) -> float | None:
        """By how much the world must be turned about z for the field to be as at the start.

        Args:
            field_world: (3,) in the world as it is thought, z up.
            interval_s: time that it stands for, seconds.
            variance: of the heading as it is thought, rad².

        Returns:
            rad; None while the start's is learnt, or where the field is disturbed.
        """
        if self._learnt_s < _LEARNT_S:
            self._mean = self._mean + field_world * interval_s
            self._learnt_s += interval_s
            return None
        mean = self._mean / self._learnt_s
        strength, known = float(np.linalg.norm(field_world)), float(np.linalg.norm(mean))
        level, level_known = math.hypot(*field_world[:2]), math.hypot(*mean[:2])
        dip, dip_known = math.atan2(field_world[2], level), math.atan2(mean[2], level_known)
        steep = min(level / strength, level_known / known) < _HORIZONTAL
        if steep or abs(strength / known - 1.0) > _STRENGTH or abs(dip - dip_known) > _DIP:
            self._counters["magnetic_disturbed"] += 1
            return None
        error = math.atan2(mean[1], mean[0]) - math.atan2(field_world[1], field_world[0])
        error = math.remainder(error, 2.0 * math.pi)
        if error**2 > _GATE * (variance + self._config.magnetic_heading_std**2):
            self._counters["magnetic_disturbed"] += 1
            return None
        return error

    def std(self, interval_s: float) -> float:
        """Standard deviation (rad) of one heading as if each were independent."""
        worth = max(1.0, _CORRELATED_S / max(interval_s, 1e-3))
        return self._config.magnetic_heading_std * math.sqrt(worth)
