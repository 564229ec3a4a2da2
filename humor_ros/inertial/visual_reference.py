"""The image against which turns are measured, and whether seeing is to be believed at present."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from humor_ros.inertial.background import BackgroundPoints
from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.visual_rotation import TurnEstimate, fit_turn
from humor_ros.types import Array

__all__ = ["SeenTurn", "VisualReference"]

#: An image serves as reference for so long, seconds, or until so few of its points are left.
_LONGEST_S, _LEAST_SHARE, _LEAST_SHARED = 2.0, 0.35, 20
#: Squared Mahalanobis length of an innovation that is still believed (3 axes, 99.9 %).
GATE = 16.3
#: Disagreements in a row after which seeing is switched off, and for how long, seconds.
_PATIENCE, _OFF_S = 6, 3.0


@dataclass(frozen=True, eq=False)
class SeenTurn:
    """A turn seen since the reference image.

    Attributes:
        then_s: time of the reference image, seconds.
        reference: (3, 3) camera now to reference frame, as it is seen.
        rate_then: (3,) turn rate at the reference image, camera axes, rad/s.
        estimate: the turn with its covariance.
    """

    then_s: float
    reference: Array
    rate_then: Array
    estimate: TurnEstimate


@dataclass(frozen=True, eq=False)
class _Key:
    points: BackgroundPoints
    reference: Array
    rate: Array


class VisualReference:
    """Holds the reference image and fits turns to it.

    Attributes:
        active: whether seeing is switched on.
    """

    def __init__(self, config: InertialConfig, counters: dict[str, int]) -> None:
        self._config = config
        self._counters = counters
        self._key: _Key | None = None
        self._spent = True
        self._disagreed = 0
        self._off_until_s = -math.inf
        self._now_s = -math.inf

    @property
    def active(self) -> bool:
        """Whether turns are fitted and believed at present."""
        return self._key is not None and self._now_s >= self._off_until_s

    @property
    def needs_reference(self) -> bool:
        """Whether the image that was looked at last must become the reference."""
        return self._spent

    def look(
        self, points: BackgroundPoints, reference: Array, *, rough: bool = False
    ) -> SeenTurn | None:
        """Fit the turn since the reference image.

        Args:
            points: of the image now.
            reference: (3, 3) camera now to reference frame, by the gyroscope.
            rough: no gyroscope has told the turn.

        Returns:
            the turn; None where there is no reference image, too little is left of it, or the
            points do not agree.
        """
        self._now_s = points.stamp_s
        if points.stamp_s < self._off_until_s:
            self._key = None
            self._spent = False
            return None
        key = self._key
        if key is None or not points.stamp_s - key.points.stamp_s > 0.0:
            self._spent = True
            return None
        _, then, now = np.intersect1d(key.points.ids, points.ids, return_indices=True)
        shared = len(then)
        self._spent = (
            shared < max(_LEAST_SHARED, _LEAST_SHARE * len(key.points.ids))
            or points.stamp_s - key.points.stamp_s >= _LONGEST_S
        )
        if shared < _LEAST_SHARED:
            return None
        noise = self._config.background_noise
        guess = key.reference.T @ reference
        found = fit_turn(key.points.rays[then], points.rays[now], guess, noise, rough=rough)
        if found is None:
            self._counters["background_unclear"] += 1
            self._spent = True
            return None
        return SeenTurn(key.points.stamp_s, key.reference @ found.rotation, key.rate, found)

    def keep(self, points: BackgroundPoints, reference: Array, rate: Array) -> None:
        """Make an image the reference.

        Args:
            points: seen in it.
            reference: (3, 3) camera to reference frame.
            rate: (3,) turn rate, camera axes, rad/s.
        """
        self._key = _Key(points, reference, rate)
        self._spent = False

    def turn_mounting(self, turn: Array) -> None:
        """Camera axes turn by (3, 3), old camera from new."""
        if self._key is not None:
            self._key = replace(self._key, reference=self._key.reference @ turn)

    def judge(self, agrees: bool) -> None:
        """Say whether the last turn agreed with the filter."""
        if agrees:
            self._disagreed = 0
            return
        self._counters["background_disagreements"] += 1
        self._disagreed += 1
        if self._disagreed >= _PATIENCE:
            self._disagreed = 0
            self._off_until_s = self._now_s + _OFF_S
            self._counters["background_switched_off"] += 1

    def forget(self) -> None:
        """No reference image any more; what disagreed with it is forgotten, too."""
        self._key = None
        self._spent = True
        self._disagreed = 0
        self._off_until_s = -math.inf
