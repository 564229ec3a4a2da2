"""Where a person stands in the world: WHAM's velocity, tied to what the camera sees.

WHAM's displacements are smooth but drift; the camera sees the direction of a person well and
the distance badly. A three-state Kalman filter keeps both in metres with their covariances.
Where the camera's own position is not known, only the displacements count and the covariance
grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humor_ros.types import Array

__all__ = ["PositionFilter", "camera_position_covariance", "lasting_covariance"]

#: Standard deviations of the packaged network's camera-frame position, as fractions of the
#: distance, along the ray and across it (mocap validation, see the model card).
DEPTH_SIGMA = 0.08
LATERAL_SIGMA = 0.015
#: The part of the depth error that lasts as long as one looks from the same side.
LASTING_SIGMA = 0.03
#: Errors that do not shrink with distance, metres.
FLOOR_SIGMA = 0.03
#: Random walk of the summed displacements, metres per square root of a second: the packaged
#: network's velocity errs by 24 mm a frame (model card), much of it for half a second on end.
WALK_SIGMA = 0.3
#: Errors of the seen position last for many frames: a measurement is worth this many times
#: less than an independent one would be.
CORRELATED_FRAMES = 10.0


def lasting_covariance(ray: Array) -> Array:
    """Covariance of what no time averages out: the size of the body is a guess.

    Args:
        ray: (3,) from the camera to the person, metres, any axes.

    Returns:
        (3, 3) m², same axes.
    """
    covariance: Array = LASTING_SIGMA**2 * np.outer(ray, ray)
    return covariance


def camera_position_covariance(position_camera: Array) -> Array:
    """Covariance of a person's camera-frame position, wide along the ray.

    Args:
        position_camera: (3,) metres, optical frame.

    Returns:
        (3, 3) m².
    """
    distance = float(np.linalg.norm(position_camera))
    ray = position_camera / max(distance, 1e-6)
    along = (DEPTH_SIGMA * distance) ** 2
    across = (LATERAL_SIGMA * distance) ** 2
    return (along - across) * np.outer(ray, ray) + (across + FLOOR_SIGMA**2) * np.eye(3)


@dataclass(frozen=True)
class PositionFilter:
    """State of one person's world position.

    Attributes:
        position: (3,) metres, world.
        covariance: (3, 3) m².
    """

    position: Array
    covariance: Array

    @classmethod
    def start(cls, seen_world: Array, covariance: Array) -> PositionFilter:
        """Begin where the camera sees the person; covariance (3, 3) in world axes, m²."""
        return cls(np.array(seen_world, dtype=float), np.array(covariance, dtype=float))

    def move(self, displacement: Array, interval_s: float, seen: bool = True) -> PositionFilter:
        """Add one displacement.

        Args:
            displacement: (3,) metres, world axes.
            interval_s: time that it took, seconds.
            seen: False while the person is occluded: the displacement is a guess.
        """
        walk = WALK_SIGMA * (1.0 if seen else 4.0)
        return PositionFilter(
            self.position + displacement,
            self.covariance + walk**2 * max(interval_s, 0.0) * np.eye(3),
        )

    def see(self, seen_world: Array, covariance: Array) -> PositionFilter:
        """Correct by a seen position (3,) with covariance (3, 3), both in world axes."""
        innovation = self.covariance + covariance * CORRELATED_FRAMES
        gain = np.linalg.solve(innovation, self.covariance).T
        keep = np.eye(3) - gain
        return PositionFilter(
            self.position + gain @ (seen_world - self.position),
            keep @ self.covariance @ keep.T + gain @ (covariance * CORRELATED_FRAMES) @ gain.T,
        )

    def stand(self, offset: float, variance: float) -> PositionFilter:
        """Correct the height by that of the floor.

        Args:
            offset: height of the floor minus that of the resting foot, metres.
            variance: of that difference beside this position's own, m².
        """
        noise = variance * CORRELATED_FRAMES
        gain = self.covariance[:, 2] / (self.covariance[2, 2] + noise)
        keep = np.eye(3) - np.outer(gain, [0.0, 0.0, 1.0])
        return PositionFilter(
            self.position + gain * offset,
            keep @ self.covariance @ keep.T + noise * np.outer(gain, gain),
        )
