"""Whom to encode in which image, and the box of each: causal, and from the tracked key-points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humor_ros.features.extractor import FeatureExtractor, ImageFeatures
from humor_ros.types import Array, Image, Track, TrackingState
from humor_ros.wham.boxes import box_of_xyxy
from humor_ros.wham.image_feature import PersonFeature
from humor_ros.wham.observation import smoothed_boxes, tight_box

__all__ = ["CropRequest", "PersonCrops", "encode"]

#: Weight of a person's previous box in the next one. The published demo takes a centred median of
#: half a second, which looks ahead; this is the causal smoothing of WHAM's own boxes in the stream.
BOX_SMOOTHING = 0.3


@dataclass(frozen=True)
class CropRequest:
    """People of one image who shall be encoded.

    Attributes:
        stamp_s: of the image.
        image_bgr: (H, W, 3) uint8, not to be written to.
        track_ids: who, P of them.
        boxes: (P, 3) centre x, y (pixels of the image) and side / 200.
        frame: running number of the image.
    """

    stamp_s: float
    image_bgr: Image
    track_ids: tuple[int, ...]
    boxes: Array
    frame: int


class PersonCrops:
    """Follows the box of everybody and tells who is due.

    Args:
        every: a person is due again after so many images.
        max_people: most people of one image; None for no limit. Those never encoded go first,
            then those who have waited longest.
    """

    def __init__(self, every: int = 1, max_people: int | None = None) -> None:
        self._every, self._max_people = every, max_people
        self._boxes: dict[int, Array] = {}
        self._last: dict[int, int] = {}
        self._frame = 0

    def request(
        self, stamp_s: float, image_bgr: Image, tracks: Sequence[Track]
    ) -> CropRequest | None:
        """Take the people of the next image.

        Only people who were measured in the image can be encoded; boxes of the others wait.

        Args:
            stamp_s: of the image.
            image_bgr: (H, W, 3) uint8.
            tracks: everybody who is followed; who is not in the list is forgotten.

        Returns:
            Who is due, or None.
        """
        self._frame += 1
        known = {track.track_id for track in tracks}
        self._boxes = {track: box for track, box in self._boxes.items() if track in known}
        self._last = {track: frame for track, frame in self._last.items() if track in known}
        due = []
        for track in tracks:
            if track.state is not TrackingState.TRACKED:
                continue
            self._boxes[track.track_id] = self._box(track)
            last = self._last.get(track.track_id)
            if last is None or self._frame - last >= self._every:
                due.append((-1 if last is None else last, track.track_id))
        ids = tuple(track_id for _, track_id in sorted(due)[: self._max_people])
        if not ids:
            return None
        boxes = np.stack([self._boxes[track] for track in ids])
        return CropRequest(stamp_s, image_bgr, ids, boxes, self._frame)

    def taken(self, request: CropRequest) -> None:
        """Note that this request is being encoded."""
        self._last = {**self._last, **dict.fromkeys(request.track_ids, request.frame)}

    def _box(self, track: Track) -> Array:
        before = self._boxes.get(track.track_id)
        keypoints = np.array(track.keypoints, dtype=float)
        keypoints[~np.isfinite(keypoints).all(axis=1)] = 0.0
        if before is not None:
            box: Array = smoothed_boxes(before, keypoints[None], BOX_SMOOTHING)[-1]
            return box
        tight = tight_box(keypoints)
        return box_of_xyxy(track.box_xyxy) if tight is None else tight


def encode(extractor: FeatureExtractor, request: CropRequest) -> dict[int, PersonFeature]:
    """Encode the people of a request; those whose box cannot be used are left out.

    Returns:
        By track id.
    """
    found = extractor.extract(request.image_bgr, request.boxes)
    good = found.valid.tolist()
    return {track: _person(found, row) for row, track in enumerate(request.track_ids) if good[row]}


def _person(found: ImageFeatures, row: int) -> PersonFeature:
    def of(people: ImageFeatures, mirrored: bool) -> PersonFeature | None:
        output = people.mirrored if mirrored else people.people
        if output is None:
            return None
        one = output.select(slice(row, row + 1))
        other = None if mirrored else of(people, True)
        return PersonFeature(one.feature[0], one.rotations[0], one.betas[0], other)

    person = of(found, False)
    if person is None:
        raise ValueError("the extractor gave nobody")
    return person
