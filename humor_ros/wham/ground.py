"""One ground for everybody: where feet rest, and people held to it.

Each person's world height errs on its own (depth, camera height), yet all stand on one floor. Its
height is averaged over resting feet of all people, and each person is drawn to it as far as the
covariances say. Somebody far off it (stairs, a stage) is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from humor_ros.types import Array
from humor_ros.wham.anchor import CORRELATED_FRAMES
from humor_ros.wham.person import PersonMemory, PersonMotion

__all__ = ["Ground", "share_ground"]

#: A foot rests above this probability.
_RESTS = 0.5
#: Height of a resting foot point over the floor, standard deviation, metres.
_FOOT_SIGMA = 0.03
#: Random walk of the floor (ramps), metres per square root of a second.
_WALK_SIGMA = 0.01
#: Feet further off than this stand on something else, metres.
_ELSEWHERE = 0.35


@dataclass(frozen=True)
class Ground:
    """Height of the floor.

    Attributes:
        height: z in the world, metres.
        variance: m².
    """

    height: float
    variance: float

    def see(self, height: float, variance: float) -> Ground:
        """Average in a foot's height with its variance."""
        gain = self.variance / (self.variance + variance * CORRELATED_FRAMES)
        return Ground(
            self.height + gain * (height - self.height),
            (1.0 - gain) * self.variance,
        )


def share_ground(
    ground: Ground | None,
    people: Sequence[PersonMemory],
    motions: Sequence[PersonMotion],
    interval_s: float,
) -> tuple[Ground | None, list[PersonMemory], list[PersonMotion]]:
    """Learn the floor from everybody's feet, then draw everybody to it.

    Args:
        ground: known so far, or None.
        people: what is remembered, with their places.
        motions: what is told of the same people.
        interval_s: since the last image, seconds.

    Returns:
        The floor, and people and motions moved up or down.
    """
    if ground is not None:
        ground = Ground(ground.height, ground.variance + _WALK_SIGMA**2 * max(interval_s, 0.0))
    resting = [_resting_height(motion) for motion in motions]
    for person, height in zip(people, resting, strict=True):
        if person.place is None or height is None:
            continue
        variance = float(person.place.covariance[2, 2]) + _FOOT_SIGMA**2
        if ground is None:
            ground = Ground(height, variance)
        elif abs(height - ground.height) < _ELSEWHERE:
            ground = ground.see(height, variance)
    if ground is None:
        return None, list(people), list(motions)
    kept, told = [], []
    for person, motion, height in zip(people, motions, resting, strict=True):
        if height is None or person.place is None or abs(height - ground.height) >= _ELSEWHERE:
            kept.append(person)
            told.append(motion)
            continue
        place = person.place.stand(ground.height - height, ground.variance + _FOOT_SIGMA**2)
        kept.append(replace(person, place=place))
        told.append(_moved(motion, place.position - person.place.position, place.covariance))
    return ground, kept, told


def _resting_height(motion: PersonMotion) -> float | None:
    """Height of the lowest resting foot point, metres; None while no foot rests."""
    rests = motion.contacts > _RESTS
    if not bool(rests.any()):
        return None
    return float(motion.contact_positions_world[rests, 2].min())


def _moved(motion: PersonMotion, step: Array, covariance: Array) -> PersonMotion:
    whole = np.array(motion.root_covariance_world)
    whole[2, 2] = max(covariance[2, 2], 1e-6)
    whole[2, :2] = whole[:2, 2] = 0.0
    return replace(
        motion,
        joints_world=motion.joints_world + step,
        contact_positions_world=motion.contact_positions_world + step,
        root_covariance_world=whole,
    )
