"""Follows people through a video: who is where, under an id that stays."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from humor_ros.detection.appearance import torso_appearance
from humor_ros.detection.association import assign, match_cost
from humor_ros.detection.boxes import box_iou, person_score
from humor_ros.detection.crop_check import Verdict, judge, silence_outside
from humor_ros.detection.crossings import CrossingWatch
from humor_ros.detection.detector import Detector
from humor_ros.detection.duplicates import Claim, find_losers, is_double, is_same_body
from humor_ros.detection.followed_person import FollowedPerson
from humor_ros.detection.tracker_config import PeopleTrackerConfig
from humor_ros.image_check import check_image
from humor_ros.types import Array, Detection, Image, Track

__all__ = ["PeopleTracker"]

_COUNTERS = (
    *("newcomers", "confirmed", "lost", "reidentified", "ids_exchanged", "dropped_over_cap"),
    *("duplicates", "merged", "jumps_rejected", "low_scores", "joints_damped"),
    *("swaps_mended", "swaps_believed", "resolution_changes"),
    *("whole_image_searches", "crops_refined", "crops_turned", "crops_postponed"),
)

_LOGGER = logging.getLogger(__name__)

#: After a longer gap the predicted crops are not trusted before a look at the whole image.
_MAX_BLIND_GAP_S = 0.25
#: A person whose box is covered this much (IoU) by a measured one is hidden behind it.
_SHADOW = 0.3
#: A newcomer that so many searches, or crops, in a row do not show was no person.
_TENTATIVE_MISSES = 2
#: Overlap below which a torso's colours are surely its own.
_ISOLATED = 0.1
_ASPECT_TOLERANCE = 0.02
#: A routine search is used so many images after the one that it saw.
_ROUTINE_DELAY = 2
#: Of the thread that searches the whole image: newcomers can wait, the people followed cannot.
_SEARCH_NICENESS = 10
#: People unseen for longer count as found again.
_FLICKER_S = 0.1


def _step_back() -> None:
    """Lets everybody else's work go first (Linux: each thread has its own niceness)."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _SEARCH_NICENESS)


class PeopleTracker:
    """Followed people, one image at a time.

    Most images cost one crop of the pose network for each person. The whole image is
    searched every ``detect_every_frames`` images, and more often while somebody is missing,
    new or nobody is there. People hidden behind others are not measured but predicted, and
    found again by place, motion and torso colours within ``reid_window_s``.

    Attributes:
        counters: running totals since construction, by name, all present from the start.
            ``duplicates``: a crop showed a person who already had one; ``merged``: a
            newcomer was dropped as such; ``low_scores``: a crop showed nobody;
            ``swaps_believed``: a left/right swap the detector insisted on;
            ``crops_postponed``: more people than crops in one image. The others say what
            they are.
    """

    def __init__(self, detector: Detector, config: PeopleTrackerConfig | None = None) -> None:
        self._detector = detector
        self._config = config or PeopleTrackerConfig()
        self._crossings = CrossingWatch(
            self._config.exchange_margin, use_appearance=self._config.use_appearance
        )
        self._searcher = (
            ThreadPoolExecutor(1, thread_name_prefix="people_search", initializer=_step_back)
            if self._config.parallel_search
            else None
        )
        self._people: list[FollowedPerson] = []
        self._next_id = 1
        self._frame = 0
        self._last_search: int | None = None
        self._search_next = False
        self._routine_search: tuple[int, Future[list[Detection]]] | None = None
        self._stamp_s: float | None = None
        self._resolution: tuple[int, int] | None = None
        self._counters: Counter[str] = Counter(dict.fromkeys(_COUNTERS, 0))

    @property
    def counters(self) -> dict[str, int]:
        """A copy of the running totals, by name."""
        return dict(self._counters)

    def reset(self) -> None:
        """Forgets everybody. Ids go on from where they are, counters too."""
        self._people.clear()
        self._routine_search = None
        self._crossings.reset()
        self._stamp_s = None
        self._resolution = None
        self._last_search = None
        self._search_next = False

    def update(self, image_bgr: Image, stamp_s: float) -> list[Track]:
        """Follows everybody into the next image.

        Args:
            image_bgr: (H, W, 3) uint8.
            stamp_s: exposure time, seconds, later than the previous image's.

        Returns:
            One track for each person: TENTATIVE, TRACKED or OCCLUDED, and each confirmed
            person who was given up once as LOST. Key-points are as the network gave them, but
            for mended left/right names and lowered confidence of joints that teleport or lie
            outside the image.

        Raises:
            ValueError: ``image_bgr`` is no such image, or ``stamp_s`` is not finite or not
                later than the previous one (call ``reset`` when the clock jumps back).
        """
        check_image(image_bgr)
        interval_s = self._advance_clock(stamp_s)
        self._follow_resolution(image_bgr)
        self._frame += 1
        for person in self._people:
            person.predict(interval_s)
        blind = interval_s > _MAX_BLIND_GAP_S
        search = self._take_routine_search()
        if blind or self._search_is_due():
            begun, search = self._begin_search(image_bgr), None
            if self._is_calm() and not blind:
                self._routine_search = (self._frame + _ROUTINE_DELAY, begun)
            else:
                self._routine_search, search = None, begun
        if not blind:
            self._refine_known(image_bgr, stamp_s)
        if search is not None:
            found = search.result()
            self._use_search(
                image_bgr, self._sharpen(image_bgr, found) if blind else found, stamp_s
            )
        lost = self._retire(stamp_s)
        exchanged = self._crossings.update(image_bgr, self._people, stamp_s)
        self._counters["ids_exchanged"] += exchanged
        return [p.as_track(stamp_s) for p in self._people] + lost

    def _advance_clock(self, stamp_s: float) -> float:
        if not np.isfinite(stamp_s):
            raise ValueError(f"stamp_s: must be finite, got {stamp_s}")
        interval_s = 0.0 if self._stamp_s is None else stamp_s - self._stamp_s
        if self._stamp_s is not None and interval_s <= 0.0:
            raise ValueError(
                f"stamp_s: {stamp_s} is not later than the previous {self._stamp_s}; "
                "leave the image out, or call reset() when the clock has jumped back"
            )
        self._stamp_s = stamp_s
        return interval_s

    def _follow_resolution(self, image: Image) -> None:
        """Rescales everybody where only the scale changed; else forgets everybody."""
        now = (image.shape[1], image.shape[0])
        before, self._resolution = self._resolution, now
        if before is None or before == now:
            return
        self._counters["resolution_changes"] += 1
        self._routine_search = None
        factors = np.array(now) / np.array(before)
        if abs(factors[0] / factors[1] - 1.0) <= _ASPECT_TOLERANCE:
            for person in self._people:
                person.scale(factors)
        else:
            _LOGGER.warning(
                "the image went from %dx%d to %dx%d: everybody is searched anew", *before, *now
            )
            self._people.clear()
        self._search_next = True

    # -- crops of known people -------------------------------------------------------------

    def _refine_known(self, image: Image, stamp_s: float) -> None:
        """Measures people in their predicted crops, the longest unrefined first."""
        due = [p for p in self._people if self._crop_is_worth_it(p, stamp_s)]
        due.sort(key=lambda p: (p.refined_frame, not p.confirmed))
        limit = self._config.max_refines_per_frame
        if len(due) > limit > 1:
            limit -= 1  # the search of the whole image takes the time of one
        self._counters["crops_postponed"] += max(len(due) - limit, 0)
        due = due[:limit]
        if not due:
            return
        turns = [p.quarter_turns for p in due]
        found = self._refine(image, np.array([p.box_xyxy for p in due]), turns)
        claims: list[Claim] = []
        for person, keypoints in zip(due, found, strict=True):
            person.refined_frame = self._frame
            others = [p for p in self._people if p is not person]
            unseen_s = stamp_s - person.measured_stamp_s
            verdict = judge(person, keypoints, others, unseen_s, self._config)
            if verdict is Verdict.PERSON:
                person.crop_misses = 0
                claims.append((person, keypoints))
                continue
            person.crop_misses += 1
            if verdict is Verdict.NOBODY:
                self._counters["low_scores"] += 1
            else:
                self._counters["jumps_rejected"] += 1
        for person, keypoints in self._settle(image, claims):
            person.accept(keypoints, stamp_s, self._config, self._counters)
        self._drop_unshown()

    def _drop_unshown(self) -> None:
        """Forgets newcomers whom neither crops nor searches show."""
        self._people = [
            p
            for p in self._people
            if p.confirmed or max(p.unsupported, p.crop_misses) < _TENTATIVE_MISSES
        ]

    def _crop_is_worth_it(self, person: FollowedPerson, stamp_s: float) -> bool:
        if person.measured_before:
            return True
        unseen_s = stamp_s - person.measured_stamp_s
        if unseen_s > self._config.crop_hold_s:
            return False
        # Behind somebody else the crop would show the one in front.
        return not any(
            other is not person
            and other.measured_before
            and box_iou(other.box_xyxy[None], person.box_xyxy[None])[0, 0] > _SHADOW
            for other in self._people
        )

    def _settle(self, image: Image, claims: list[Claim]) -> list[Claim]:
        """Claims without those that show somebody else's person."""
        losers = find_losers(image, claims, self._config)
        for loser in losers:
            if loser.confirmed:
                self._counters["duplicates"] += 1
            else:
                self._counters["merged"] += 1
                self._people.remove(loser)
        return [claim for claim in claims if claim[0] not in losers]

    # -- the whole image -------------------------------------------------------------------

    def _search_is_due(self) -> bool:
        if self._last_search is None or self._search_next:
            return True
        if len(self._people) > self._config.max_refines_per_frame:
            return True
        calm = self._is_calm()
        wait = self._config.detect_every_frames if calm else self._config.search_every_frames
        return self._frame - self._last_search >= wait

    def _is_calm(self) -> bool:
        """Whether everybody is confirmed and in sight: a search is then for newcomers alone.

        It may take its time: what it finds is used some images later, so that none waits for it.
        """
        return 0 < len(self._people) <= self._config.max_refines_per_frame and all(
            p.measured_before and p.confirmed for p in self._people
        )

    def _take_routine_search(self) -> Future[list[Detection]] | None:
        """The routine search whose time has come."""
        if self._routine_search is None or self._frame < self._routine_search[0]:
            return None
        _, search = self._routine_search
        self._routine_search = None
        return search

    def _begin_search(self, image: Image) -> Future[list[Detection]]:
        """Starts to look at the whole image, beside the crops where there is a thread."""
        self._last_search = self._frame
        self._search_next = False
        self._counters["whole_image_searches"] += 1
        if self._searcher is not None:
            return self._searcher.submit(self._detector.detect, image)
        found: Future[list[Detection]] = Future()
        found.set_result(self._detector.detect(image))
        return found

    def _use_search(self, image: Image, detections: list[Detection], stamp_s: float) -> None:
        """Takes what the whole image shows: supports, finds again, and welcomes people."""
        pairs = self._match(image, detections, stamp_s)
        for row, column in pairs:
            self._use_match(image, self._people[row], detections[column], stamp_s)
        matched_people = {row for row, _ in pairs}
        for row, person in enumerate(self._people):
            if row not in matched_people:
                person.unsupported += 1
        self._drop_unshown()
        taken = {column for _, column in pairs}
        for column, detection in enumerate(detections):
            if column not in taken:
                self._welcome(image, detection, stamp_s)
        self._learn_appearances(image)

    def _sharpen(self, image: Image, detections: list[Detection]) -> list[Detection]:
        """Detections with the key-points of a crop each, as far as crops go in one image."""
        limit = self._config.max_refines_per_frame
        if not detections:
            return detections
        boxes = np.array([detection.box_xyxy for detection in detections[:limit]])
        refined = [
            Detection(detection.box_xyxy, detection.score, keypoints)
            for detection, keypoints in zip(detections, self._refine(image, boxes), strict=False)
            if person_score(keypoints) >= self._config.min_score
        ]
        return refined + detections[limit:]

    def _match(
        self, image: Image, detections: list[Detection], stamp_s: float
    ) -> list[tuple[int, int]]:
        waiting = self._config.use_appearance and any(not p.measured for p in self._people)
        colours = [
            torso_appearance(image, d.keypoints) if waiting and d.keypoints is not None else None
            for d in detections
        ]
        costs = np.array(
            [
                [
                    match_cost(p, d, c, stamp_s, self._config)
                    for d, c in zip(detections, colours, strict=True)
                ]
                for p in self._people
            ]
        ).reshape(len(self._people), len(detections))
        return assign(costs)

    def _use_match(
        self, image: Image, person: FollowedPerson, detection: Detection, stamp_s: float
    ) -> None:
        if not person.measured:
            keypoints = self._keypoints_of(image, detection)
            if keypoints is None:
                return
            unseen_s = stamp_s - person.measured_stamp_s
            person.accept(keypoints, stamp_s, self._config, self._counters, found_again=True)
            if unseen_s > _FLICKER_S:
                self._counters["reidentified"] += 1
        confirmed = person.confirmed
        person.support(self._config)
        self._counters["confirmed"] += int(person.confirmed and not confirmed)

    def _welcome(self, image: Image, detection: Detection, stamp_s: float) -> None:
        """Begins to follow a detection that nobody claims, unless it is somebody's double."""
        if any(p.measured and is_double(p, detection) for p in self._people):
            return
        if len(self._people) >= self._config.max_people:
            self._counters["dropped_over_cap"] += 1
            return
        keypoints = self._keypoints_of(image, detection)
        if keypoints is None:
            return
        if any(p.measured and is_same_body(p, keypoints, self._config) for p in self._people):
            self._counters["merged"] += 1
            return
        person = FollowedPerson.begin(self._next_id, keypoints, stamp_s)
        person.refined_frame = self._frame
        self._next_id += 1
        self._counters["newcomers"] += 1
        self._people.append(person)

    def _keypoints_of(self, image: Image, detection: Detection) -> Array | None:
        """Key-points of a detection: its own, else refined; None if they are too weak."""
        keypoints = detection.keypoints
        if keypoints is None:
            keypoints = self._refine(image, detection.box_xyxy[None])[0]
        keypoints = silence_outside(keypoints, image.shape[1], image.shape[0])
        return keypoints if person_score(keypoints) >= self._config.min_score else None

    def _learn_appearances(self, image: Image) -> None:
        """Learns the colours of measured people who overlap nobody."""
        if not self._config.use_appearance:
            return
        boxes = np.array([p.box_xyxy for p in self._people]).reshape(-1, 4)
        overlaps = box_iou(boxes, boxes) - np.eye(len(boxes))
        for person, overlap in zip(self._people, overlaps, strict=True):
            if (
                person.measured
                and overlap.max(initial=0.0) < _ISOLATED
                and not self._crossings.is_crossing(person)
            ):
                person.remember_appearance(torso_appearance(image, person.keypoints))

    # -- common ----------------------------------------------------------------------------

    def _refine(self, image: Image, boxes: Array, turns: list[int] | None = None) -> Array:
        self._counters["crops_refined"] += len(boxes)
        if turns is not None and any(turns):
            self._counters["crops_turned"] += sum(turn != 0 for turn in turns)
            found = self._detector.refine(image, boxes, turns)
        else:
            found = self._detector.refine(image, boxes)
        return np.array([silence_outside(k, image.shape[1], image.shape[0]) for k in found])

    def _retire(self, stamp_s: float) -> list[Track]:
        """Gives up people who are unseen too long; the confirmed ones as LOST tracks."""
        window = self._config.reid_window_s
        gone = [p for p in self._people if stamp_s - p.measured_stamp_s > window]
        self._people = [p for p in self._people if p not in gone]
        lost = [p.as_track(stamp_s, lost=True) for p in gone if p.confirmed]
        self._counters["lost"] += len(lost)
        return lost
