"""A causal filter of what is told: steady at rest, quick in motion.

The one euro filter (Casiez et al., "1 Euro Filter", CHI 2012) on rotations: a low-pass whose
cut-off frequency grows with the speed, so that jitter goes where nothing moves and lag stays small
where something does. The recurrent networks never see its output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from humor_ros.types import Array

__all__ = ["RotationFilter"]

#: Cut-off of the speed's own low-pass; the paper proposes 1 Hz for a mouse, limbs start faster.
_SPEED_CUTOFF_HZ = 3.0


@dataclass(frozen=True)
class RotationFilter:
    """Filtered rotations of one person.

    Attributes:
        rotations: (J, 3, 3) filtered, in frames that do not turn with the camera.
        speed: (J,) low-passed angular speed of what was measured, rad/s.
        measured: (J, 3, 3) last measured rotations.
    """

    rotations: Array
    speed: Array
    measured: Array

    @classmethod
    def start(cls, rotations: Array) -> RotationFilter:
        """Begin with measured rotations (J, 3, 3)."""
        return cls(rotations, np.zeros(len(rotations)), rotations)

    def step(
        self, measured: Array, interval_s: float, cutoff_hz: float, cutoff_per_speed: float
    ) -> RotationFilter:
        """Move towards new rotations.

        Args:
            measured: (J, 3, 3).
            interval_s: since the last step; not positive starts anew.
            cutoff_hz: cut-off frequency at rest.
            cutoff_per_speed: Hz that each rad/s adds to it.
        """
        if interval_s <= 0.0:
            return RotationFilter.start(measured)
        moved = Rotation.from_matrix(self.measured).inv() * Rotation.from_matrix(measured)
        speed_share = _share(np.full(len(measured), _SPEED_CUTOFF_HZ), interval_s)
        speed = self.speed + speed_share * (moved.magnitude() / interval_s - self.speed)
        share = _share(cutoff_hz + cutoff_per_speed * speed, interval_s)
        before = Rotation.from_matrix(self.rotations)
        way = (before.inv() * Rotation.from_matrix(measured)).as_rotvec()
        filtered = before * Rotation.from_rotvec(share[:, None] * way)
        return RotationFilter(filtered.as_matrix(), speed, measured)


def _share(cutoff_hz: Array, interval_s: float) -> Array:
    """Weight of a new value in a first-order low-pass."""
    turn: Array = 2.0 * math.pi * cutoff_hz * interval_s
    return turn / (1.0 + turn)
