"""Counts and rates of an image encoder at work, for diagnostics."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["COUNTERS", "FeatureStatistics", "FeatureStatus"]

#: Crops that were encoded; features that reached people; crops that a newer image's took the place
#: of; boxes that cannot be used; features of images longer ago than is remembered; features of
#: people who had gone or begun anew; images on which the encoder failed.
COUNTERS = ("encoded", "applied", "replaced", "unusable", "late", "gone", "failed")

#: Rates look so far back, seconds of the images' clock.
_HORIZON_S = 5.0


@dataclass(frozen=True)
class FeatureStatus:
    """Of the encoder at one image.

    Attributes:
        mode: ``off``, ``loop`` (every image waits for it) or ``thread``.
        rate_hz: features a second that have reached people, all together.
        ages_s: by track id, since the image of the last feature; infinite where there was none.
    """

    mode: str = "off"
    rate_hz: float = 0.0
    ages_s: Mapping[int, float] = field(default_factory=dict)


class FeatureStatistics:
    """What became of crops; written by the loop and the encoder's thread, each its own entries.

    Attributes:
        counts: running totals by the names of ``COUNTERS``.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._last_s: dict[int, float] = {}
        self._applied: deque[tuple[float, int]] = deque()

    def applied(self, track_ids: Iterable[int], image_s: float, now_s: float) -> None:
        """Note that features of an image at ``image_s`` have reached these people."""
        ids = list(track_ids)
        self.counts["applied"] += len(ids)
        self._last_s |= dict.fromkeys(ids, image_s)
        self._applied.append((now_s, len(ids)))

    def ages_s(self, track_ids: Iterable[int], now_s: float) -> dict[int, float]:
        """Age of the last feature of each person at a time; infinite where there was none.

        Everybody else is forgotten.
        """
        self._last_s = {t: self._last_s[t] for t in track_ids if t in self._last_s}
        return {t: now_s - self._last_s.get(t, float("-inf")) for t in track_ids}

    def rate_hz(self, now_s: float) -> float:
        """Features a second that have reached people, all together, over the last seconds."""
        while self._applied and not 0.0 <= now_s - self._applied[0][0] <= _HORIZON_S:
            self._applied.popleft()
        return sum(count for _, count in self._applied) / _HORIZON_S
