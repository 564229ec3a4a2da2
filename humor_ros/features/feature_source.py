"""How features of people reach the stream: at once within the loop, or late from beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from humor_ros.features.extractor import FeatureExtractor
from humor_ros.features.feature_report import FeatureStatistics
from humor_ros.features.person_crops import PersonCrops, encode
from humor_ros.types import Image, Track
from humor_ros.wham.image_feature import PersonFeature
from humor_ros.wham.stream import WhamStream

__all__ = ["FeatureSource", "SynchronousFeatures"]


class FeatureSource(Protocol):
    """What the loop asks of an encoder, in this order for each image."""

    #: Counts and rates.
    statistics: FeatureStatistics

    def correct(self, stream: WhamStream) -> None:
        """Bring what has come late into the stream, before it steps."""

    def now(
        self, stamp_s: float, image_bgr: Image, tracks: Sequence[Track]
    ) -> Mapping[int, PersonFeature]:
        """Features of this image that are there at once, by track id."""

    def stepped(self, stamp_s: float, image_bgr: Image, tracks: Sequence[Track]) -> None:
        """Take note that the stream has stepped to this image."""

    def close(self) -> None:
        """End all work; may be called twice."""


class SynchronousFeatures:
    """Encodes within the loop: the same images give the same people, whatever the time.

    Args:
        extractor: the encoder.
        every: a person is encoded at every so many images, from its first on.
    """

    def __init__(self, extractor: FeatureExtractor, every: int = 1) -> None:
        self.statistics = FeatureStatistics()
        self._extractor = extractor
        self._crops = PersonCrops(every)

    def correct(self, stream: WhamStream) -> None:
        """Nothing comes late."""

    def now(
        self, stamp_s: float, image_bgr: Image, tracks: Sequence[Track]
    ) -> Mapping[int, PersonFeature]:
        """Encode who is due."""
        request = self._crops.request(stamp_s, image_bgr, tracks)
        if request is None:
            return {}
        self._crops.taken(request)
        features = encode(self._extractor, request)
        self.statistics.counts["encoded"] += len(features)
        self.statistics.counts["unusable"] += len(request.track_ids) - len(features)
        self.statistics.applied(features, stamp_s, stamp_s)
        return features

    def stepped(self, stamp_s: float, image_bgr: Image, tracks: Sequence[Track]) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Nothing is left to end."""
