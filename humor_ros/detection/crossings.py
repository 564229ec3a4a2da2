"""Watches people who overlap and exchanges their ids where they came apart the wrong way."""

from __future__ import annotations

from itertools import combinations

from humor_ros.detection.appearance import appearance_similarity, torso_appearance
from humor_ros.detection.boxes import box_iou
from humor_ros.detection.followed_person import FollowedPerson
from humor_ros.types import Image

__all__ = ["CrossingWatch"]

_TOGETHER = 0.25
_APART = 0.08


class CrossingWatch:
    """Compares the colours of two people before and after their boxes overlapped."""

    def __init__(self, margin: float) -> None:
        """``margin``: by how much an exchange must fit better, sum of two similarities."""
        self._margin = margin
        self._crossing: set[frozenset[int]] = set()

    def reset(self) -> None:
        """Forgets every crossing under way."""
        self._crossing.clear()

    def update(self, image_bgr: Image, people: list[FollowedPerson]) -> int:
        """Looks at one image; returns how many pairs exchanged their ids.

        Colours of isolated people only are learnt elsewhere, so that the memory of both is
        from before the crossing when it ends.
        """
        exchanged = 0
        alive = {person.track_id for person in people}
        self._crossing = {pair for pair in self._crossing if pair <= alive}
        for first, second in combinations([p for p in people if p.confirmed], 2):
            pair = frozenset((first.track_id, second.track_id))
            overlap = float(box_iou(first.box_xyxy[None], second.box_xyxy[None])[0, 0])
            if overlap > _TOGETHER:
                self._crossing.add(pair)
            elif overlap < _APART and pair in self._crossing and first.measured and second.measured:
                self._crossing.discard(pair)
                if self._is_exchanged(image_bgr, first, second):
                    first.exchange_identity(second)
                    exchanged += 1
        return exchanged

    def is_crossing(self, person: FollowedPerson) -> bool:
        """Whether the person is in a crossing that has not ended."""
        return any(person.track_id in pair for pair in self._crossing)

    def _is_exchanged(
        self, image_bgr: Image, first: FollowedPerson, second: FollowedPerson
    ) -> bool:
        now = [torso_appearance(image_bgr, person.keypoints) for person in (first, second)]
        same = [
            appearance_similarity(first.appearance, now[0]),
            appearance_similarity(second.appearance, now[1]),
        ]
        other = [
            appearance_similarity(first.appearance, now[1]),
            appearance_similarity(second.appearance, now[0]),
        ]
        if None in same or None in other:
            return False
        return sum(s for s in other if s) > sum(s for s in same if s) + self._margin
