"""Where a person stands in the world: WHAM's velocity, tied to what the camera sees.

WHAM's displacements are smooth but drift; the camera sees the direction of a person well and
the distance badly. A three-state Kalman filter keeps both in metres with their covariances.
Where the camera's own position is not known, only the displacements count and the covariance
grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from humor_ros.types import Array

__all__ = [
    "MAX_HIP_ACCELERATION",
    "MAX_TIE_SPEED",
    "MAX_UNSEEN_SPEED",
    "PositionFilter",
    "camera_position_covariance",
    "coast",
    "lasting_covariance",
    "limited_displacement",
    "orientation_covariance",
]

#: Standard deviations of the packaged network's camera-frame position, as fractions of the
#: distance, along the ray and across it (``humor-ros evaluate inertial``: 2 to 4 %, and 0.6 %).
DEPTH_SIGMA = 0.04
LATERAL_SIGMA = 0.006
#: The part of the depth error that lasts as long as one looks from the same side.
LASTING_SIGMA = 0.03
#: What each key-point that the network does not have adds to the depth's standard deviation:
#: 5, 5, 6, 7, 9, 11, 16 % were measured at the first image with 0 to 6 missing (simulated training
#: clips); less where legs are hidden for long.
MISSING_SIGMA = 0.02
#: Of people who are hidden altogether 11 % was measured after half a second.
_MOST_MISSING = 6
#: Errors that do not shrink with distance, metres.
FLOOR_SIGMA = 0.02
#: Random walk of the summed displacements, metres per square root of a second: the packaged
#: network's velocity errs by 24 mm a frame (model card), much of it for half a second on end.
WALK_SIGMA = 0.24
#: Errors of the seen position last for many frames: a measurement is worth this many times
#: less than an independent one would be.
CORRELATED_FRAMES = 10.0
#: Errors of a camera-frame root orientation about the camera's axes, as multiples of their root
#: mean square: whether somebody is turned a little to the left or to the right is seen worst.
_ORIENTATION_SHARES = np.array([0.8, 1.3, 0.8])
#: Fastest shift of a person towards where the camera sees them, m/s: 20 mm an image at 30 fps.
#: What is left of a larger one (TF jumped, REP-105) stands in the covariance meanwhile.
MAX_TIE_SPEED = 0.6
#: How fast people may have gone where nobody saw them, m/s: so far sight may move them at once.
MAX_UNSEEN_SPEED = 4.0
#: What is left of that after each image that shows them: the first one may show little of them.
_UNSEEN_KEPT = 0.7
#: Time over which a person's way is averaged: a stride, seconds.
STRIDE_S = 0.4
#: Time in which an unseen person slows down to 1 / e, seconds.
COAST_S = 2.0
#: Hips do not accelerate harder than this, m/s² (mocap of walking, dance and sport: 99 % below 18).
MAX_HIP_ACCELERATION = 20.0


def orientation_covariance(sigma_rad: float) -> Array:
    """Covariance of a camera-frame root orientation, camera axes.

    Args:
        sigma_rad: root mean square over the three axes, rad.

    Returns:
        (3, 3) rad².
    """
    covariance: Array = np.diag(np.square(sigma_rad * _ORIENTATION_SHARES))
    return covariance


def limited_displacement(displacement: Array, interval_s: float, velocity_before: Array) -> Array:
    """Displacement with no harder acceleration than hips have.

    A contact that is wrong for an image throws the whole body by centimetres.

    Args:
        displacement: (3,) metres.
        interval_s: time that it took, seconds.
        velocity_before: (3,) m/s over the interval before.

    Returns:
        (3,) metres.
    """
    if not interval_s > 0.0:
        return displacement
    change = displacement - velocity_before * interval_s
    size = float(np.linalg.norm(change))
    limit = MAX_HIP_ACCELERATION * interval_s * max(interval_s, 1.0 / 30.0)
    if size <= limit:
        return displacement
    limited: Array = velocity_before * interval_s + change * (limit / size)
    return limited


def coast(velocity: Array, going: Array | None, interval_s: float, seen: bool) -> Array:
    """How fast a person goes on the whole, which is how they go on while nobody sees them.

    The network without key-points lets everybody stand still within half a second; on simulated
    gaps of two seconds its way errs by a third more than this (model card).

    Args:
        velocity: (3,) that the network tells, m/s, world.
        going: (3,) outcome of the image before; None before there was one.
        interval_s: time between them, seconds.
        seen: False while the person is occluded: ``velocity`` is not heeded then.

    Returns:
        (3,) m/s.
    """
    if going is None:
        return velocity
    if not seen:
        slower: Array = going * math.exp(-interval_s / COAST_S)
        return slower
    share = 1.0 - math.exp(-interval_s / STRIDE_S)
    averaged: Array = going + share * (velocity - going)
    return averaged


def lasting_covariance(ray: Array) -> Array:
    """Covariance of what no time averages out: the size of the body is a guess.

    Args:
        ray: (3,) from the camera to the person, metres, any axes.

    Returns:
        (3, 3) m², same axes.
    """
    covariance: Array = LASTING_SIGMA**2 * np.outer(ray, ray)
    return covariance


def camera_position_covariance(position_camera: Array, missing: int = 0) -> Array:
    """Covariance of a person's camera-frame position, wide along the ray.

    Args:
        position_camera: (3,) metres, optical frame.
        missing: how many of the key-points 5 to 16 (COCO) the network does not have.

    Returns:
        (3, 3) m².
    """
    distance = float(np.linalg.norm(position_camera))
    ray = position_camera / max(distance, 1e-6)
    more = MISSING_SIGMA * min(missing, _MOST_MISSING)
    along = (DEPTH_SIGMA**2 + more**2) * distance**2
    across = (LATERAL_SIGMA * distance) ** 2
    return (along - across) * np.outer(ray, ray) + (across + FLOOR_SIGMA**2) * np.eye(3)


@dataclass(frozen=True)
class PositionFilter:
    """State of one person's world position.

    Attributes:
        position: (3,) metres, world.
        covariance: (3, 3) m².
        unseen_m: how far the person may have gone unseen, metres.
    """

    position: Array
    covariance: Array
    unseen_m: float = 0.0

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
            self.unseen_m + (0.0 if seen else MAX_UNSEEN_SPEED * max(interval_s, 0.0)),
        )

    def see(
        self, seen_world: Array, covariance: Array, interval_s: float = math.inf
    ) -> PositionFilter:
        """Correct by a seen position (3,) with covariance (3, 3), both in world axes.

        Whoever comes into sight again is moved there at once.

        Args:
            seen_world: (3,) metres.
            covariance: (3, 3) m².
            interval_s: since the image before, seconds: it bounds the correction.
        """
        noise = covariance * CORRELATED_FRAMES
        gain = np.linalg.solve(self.covariance + noise, self.covariance).T
        keep = np.eye(3) - gain
        corrected = keep @ self.covariance @ keep.T + gain @ noise @ gain.T
        step = gain @ (seen_world - self.position)
        size = float(np.linalg.norm(step))
        limit = MAX_TIE_SPEED * interval_s + self.unseen_m
        if size > limit:
            missing = step * (1.0 - limit / size)
            step = step - missing
            corrected = corrected + np.outer(missing, missing)
        left = _UNSEEN_KEPT * max(0.0, self.unseen_m - size)
        return PositionFilter(self.position + step, corrected, left)

    def stand(self, offset: float, variance: float) -> PositionFilter:
        """Correct the height by that of the floor.

        Args:
            offset: height of the floor minus that of the resting foot, metres.
            variance: of that difference beside this position's own, m².
        """
        noise = variance * CORRELATED_FRAMES
        gain = self.covariance[:, 2] / (self.covariance[2, 2] + noise)
        keep = np.eye(3) - np.outer(gain, [0.0, 0.0, 1.0])
        step, limit = gain * offset, MAX_TIE_SPEED / 30.0
        step = step * min(1.0, limit / max(float(np.linalg.norm(step)), 1e-12))
        return PositionFilter(
            self.position + step,
            keep @ self.covariance @ keep.T + noise * np.outer(gain, gain),
            self.unseen_m,
        )
