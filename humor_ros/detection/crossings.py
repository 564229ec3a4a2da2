"""Watches people who overlap and exchanges their ids where they came apart the wrong way."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from humor_ros.detection.appearance import appearance_similarity, torso_appearance
from humor_ros.detection.boxes import box_iou
from humor_ros.detection.followed_person import FollowedPerson
from humor_ros.types import Array, Image

__all__ = ["CrossingWatch"]

_TOGETHER = 0.25
_APART = 0.08
#: They must be apart and seen for so long that their new drift can be told.
_SETTLE_S = 0.2
#: What "goes on in the same direction" weighs against the likeness of colours.
_DRIFT_WEIGHT = 0.25
#: Slower drifts (sizes/s) have no direction.
_MIN_DRIFT = 0.2


@dataclass
class _Crossing:
    """Two people who met: their drifts before, by id, and since when they are apart."""

    drifts: dict[int, Array]
    apart_since_s: float | None = None


class CrossingWatch:
    """Compares two people's colours and directions before and after their boxes overlapped."""

    def __init__(self, margin: float, *, use_appearance: bool = True) -> None:
        """Starts without crossings.

        Args:
            margin: by how much an exchange must fit better than none; likeness of colours
                counts up to 1 for each person, direction up to 0.5.
            use_appearance: whether colours count.
        """
        self._margin = margin
        self._use_appearance = use_appearance
        self._crossings: dict[frozenset[int], _Crossing] = {}

    def reset(self) -> None:
        """Forgets every crossing under way."""
        self._crossings.clear()

    def update(self, image_bgr: Image, people: list[FollowedPerson], stamp_s: float) -> int:
        """Looks at one image; returns how many pairs exchanged their ids.

        Colours of isolated people only are learnt elsewhere, so that the memory of both is
        from before the crossing when it ends.
        """
        alive = {person.track_id for person in people}
        self._crossings = {pair: c for pair, c in self._crossings.items() if pair <= alive}
        exchanged = 0
        for first, second in combinations([p for p in people if p.confirmed], 2):
            pair = frozenset((first.track_id, second.track_id))
            overlap = float(box_iou(first.box_xyxy[None], second.box_xyxy[None])[0, 0])
            crossing = self._crossings.get(pair)
            if crossing is None:
                if overlap > _TOGETHER:
                    drifts = {p.track_id: p.drift.copy() for p in (first, second)}
                    self._crossings[pair] = _Crossing(drifts)
            elif overlap > _APART or not (first.measured and second.measured):
                crossing.apart_since_s = None
            elif crossing.apart_since_s is None:
                crossing.apart_since_s = stamp_s
            elif stamp_s - crossing.apart_since_s >= _SETTLE_S:
                del self._crossings[pair]
                evidence = self._colours(image_bgr, first, second)
                evidence += _DRIFT_WEIGHT * _directions(crossing.drifts, first, second)
                if evidence > self._margin:
                    first.exchange_identity(second)
                    exchanged += 1
        return exchanged

    def is_crossing(self, person: FollowedPerson) -> bool:
        """Whether the person is in a crossing that has not ended."""
        return any(person.track_id in pair for pair in self._crossings)

    def _colours(self, image: Image, first: FollowedPerson, second: FollowedPerson) -> float:
        """How much better the colours fit exchanged ids, in [-2, 2]; 0 if not known."""
        if not self._use_appearance:
            return 0.0
        now = [torso_appearance(image, person.keypoints) for person in (first, second)]
        fits = [
            appearance_similarity(person.appearance, seen)
            for person in (first, second)
            for seen in now
        ]
        known = [fit for fit in fits if fit is not None]
        if len(known) < len(fits):
            return 0.0
        return known[1] + known[2] - known[0] - known[3]


def _directions(before: dict[int, Array], first: FollowedPerson, second: FollowedPerson) -> float:
    """How much better directions fit exchanged ids: a sum of cosines, in [-4, 4]."""
    was = [before[person.track_id] for person in (first, second)]
    now = [person.drift for person in (first, second)]
    return (
        _cosine(was[0], now[1])
        + _cosine(was[1], now[0])
        - _cosine(was[0], now[0])
        - _cosine(was[1], now[1])
    )


def _cosine(first: Array, second: Array) -> float:
    speeds = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if min(speeds) < _MIN_DRIFT:
        return 0.0
    return float(first @ second) / (speeds[0] * speeds[1])
