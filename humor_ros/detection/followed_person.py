"""The memory of one followed person: motion, colours and how it was measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from humor_ros.detection.boxes import keypoint_box, keypoint_similarity, person_score
from humor_ros.detection.coco import NUM_KEYPOINTS, TORSO
from humor_ros.detection.keypoint_motion import KeypointMotion
from humor_ros.detection.left_right import mend_left_right
from humor_ros.detection.posture import upright_turns
from humor_ros.detection.tracker_config import PeopleTrackerConfig
from humor_ros.types import Array, Track, TrackingState

__all__ = ["FollowedPerson"]

_APPEARANCE_GAIN = 0.2
#: Factor on COCO's spreads where key-points of two images are compared.
_TOLERANCE = 2.0
#: A joint this far off its prediction (sizes, and standard deviations) is a teleport.
_TELEPORT_SIZES = 0.12
_TELEPORT_SPREADS = 4.0
_DAMPED_CONFIDENCE = 0.3
#: A joint that stays "teleported" for this many images is believed.
_MAX_DAMPED_RUN = 3
#: Time constant of the drift.
_DRIFT_S = 0.15
_BODY = slice(5, NUM_KEYPOINTS)


@dataclass(eq=False)
class FollowedPerson:
    """One person, as the tracker remembers it.

    Attributes:
        track_id: positive integer, never reused.
        motion: predicted key-points, moved to the present image by ``predict``.
        first_stamp_s: time of the first detection.
        measured_stamp_s: time of the last measurement.
        keypoints: (17, 3) last measured key-points, pixels.
        score: confidence of the last measurement.
        appearance: (52,) torso colours, None until well seen.
        drift: (2,) smoothed velocity of the torso, sizes/s.
        measured: whether measured in the present image.
        measured_before: whether measured in the image before.
        refined_frame: number of the image in which the pose network last saw the person.
        hits: measurements so far.
        detections: whole-image detections so far.
        unsupported: whole-image searches in a row that did not find the person.
        quarter_turns: turns of the crop that set the person upright in it.
        crop_misses: crops in a row that did not show the person.
        confirmed: whether it counts as a person (no longer TENTATIVE).
    """

    track_id: int
    motion: KeypointMotion
    first_stamp_s: float
    measured_stamp_s: float
    keypoints: Array
    score: float
    appearance: Array | None = None
    drift: Array = field(default_factory=lambda: np.zeros(2))
    measured: bool = True
    measured_before: bool = False
    refined_frame: int = 0
    hits: int = 1
    detections: int = 1
    unsupported: int = 0
    crop_misses: int = 0
    quarter_turns: int = 0
    confirmed: bool = False
    _mended_since_s: float | None = None
    _damped_run: Array = field(default_factory=lambda: np.zeros(NUM_KEYPOINTS))

    @classmethod
    def begin(cls, track_id: int, keypoints: Array, stamp_s: float) -> FollowedPerson:
        """A newcomer, measured as (17, 3) ``keypoints`` at ``stamp_s``."""
        return cls(
            track_id=track_id,
            motion=KeypointMotion(keypoints),
            first_stamp_s=stamp_s,
            measured_stamp_s=stamp_s,
            keypoints=keypoints,
            score=person_score(keypoints),
        )

    @property
    def box_xyxy(self) -> Array:
        """(4,) box of the measured key-points now, else of the predicted ones."""
        return keypoint_box(self.keypoints) if self.measured else self.motion.box_xyxy

    @property
    def reference(self) -> Array:
        """(17, 3) best knowledge now: measured key-points, else predicted ones."""
        return self.keypoints if self.measured else self.motion.keypoints

    def likeness(self, keypoints: Array, own: Array | None = None) -> float:
        """Similarity of (17, 3) key-points with ``own``, or with the predicted ones, in [0, 1]."""
        own = self.motion.keypoints if own is None else own
        return keypoint_similarity(keypoints, own, self.motion.size, tolerance=_TOLERANCE)

    def predict(self, interval_s: float) -> None:
        """Moves on to the next image."""
        self.quarter_turns = upright_turns(self.motion.keypoints, self.quarter_turns)
        self.motion.predict(interval_s, unseen=not self.measured)
        self.measured_before, self.measured = self.measured, False

    def accept(
        self,
        keypoints: Array,
        stamp_s: float,
        config: PeopleTrackerConfig,
        counters: Counter[str],
        *,
        found_again: bool = False,
    ) -> None:
        """Takes a measurement: mends swaps, damps teleports, corrects the motion.

        Args:
            keypoints: (17, 3) x, y, confidence.
            stamp_s: time of the image.
            config: settings of the tracker.
            counters: raised by what had to be mended.
            found_again: the person comes back from being unseen; the motion starts afresh.
        """
        if found_again:
            self.motion = KeypointMotion(keypoints)
            self._damped_run[:] = 0
            self._mended_since_s = None
        else:
            if config.mend_swaps:
                keypoints = self._mend(keypoints, stamp_s, config, counters)
            keypoints = self._damp_teleports(keypoints, counters)
            gain = 1.0 - np.exp(-(stamp_s - self.measured_stamp_s) / _DRIFT_S)
            velocity = self.motion.velocities[list(TORSO)].mean(axis=0) / self.motion.size
            self.drift = self.drift + gain * (velocity - self.drift)
        self.keypoints = keypoints
        self.score = person_score(keypoints)
        self.measured_stamp_s = stamp_s
        self.measured = True
        self.hits += 1

    def support(self, config: PeopleTrackerConfig) -> None:
        """Notes that a whole-image search found the person."""
        self.detections += 1
        self.unsupported = 0
        if self.hits >= config.confirm_hits and self.detections >= config.confirm_detections:
            self.confirmed = True

    def remember_appearance(self, appearance: Array | None) -> None:
        """Blends (52,) torso colours into the memory; None is ignored."""
        if appearance is None:
            return
        if self.appearance is None:
            self.appearance = appearance
        else:
            self.appearance = self.appearance + _APPEARANCE_GAIN * (appearance - self.appearance)

    def exchange_identity(self, other: FollowedPerson) -> None:
        """Exchanges what belongs to the person, not to the place, with ``other``."""
        for name in ("track_id", "first_stamp_s", "appearance", "confirmed", "detections"):
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, theirs)
            setattr(other, name, mine)

    def scale(self, factors: Array) -> None:
        """Follows a change of the image's resolution by (2,) ``factors``."""
        self.motion.scale(factors)
        self.keypoints = self.keypoints * np.append(factors, 1.0)

    def as_track(self, stamp_s: float, *, lost: bool = False) -> Track:
        """The public value of this person at ``stamp_s``."""
        keypoints = self.reference.copy()
        if not self.measured:
            keypoints[:, 2] = 0.0
        if lost:
            state = TrackingState.LOST
        elif not self.confirmed:
            state = TrackingState.TENTATIVE
        else:
            state = TrackingState.TRACKED if self.measured else TrackingState.OCCLUDED
        return Track(
            track_id=self.track_id,
            state=state,
            keypoints=keypoints,
            box_xyxy=self.box_xyxy.copy(),
            age_s=stamp_s - self.first_stamp_s,
            unseen_s=stamp_s - self.measured_stamp_s,
            score=self.score if self.measured else 0.0,
        )

    def _mend(
        self,
        keypoints: Array,
        stamp_s: float,
        config: PeopleTrackerConfig,
        counters: Counter[str],
    ) -> Array:
        mended, names = mend_left_right(
            keypoints, self.motion.keypoints, self.motion.spread, self.motion.size
        )
        if not names:
            self._mended_since_s = None
            return keypoints
        if self._mended_since_s is None:
            self._mended_since_s = stamp_s
        if stamp_s - self._mended_since_s > config.swap_hold_s:
            # The detector insists: the memory was wrong, or the person has turned round.
            counters["swaps_believed"] += 1
            self._mended_since_s = None
            self.motion.restart(keypoints, np.ones(NUM_KEYPOINTS, dtype=bool))
            return keypoints
        counters["swaps_mended"] += 1
        return mended

    def _damp_teleports(self, keypoints: Array, counters: Counter[str]) -> Array:
        distance = np.linalg.norm(keypoints[:, :2] - self.motion.positions, axis=1)
        gate = np.maximum(
            _TELEPORT_SIZES * self.motion.size, _TELEPORT_SPREADS * self.motion.spread
        )
        wild = distance > gate
        if np.median(distance[_BODY] / gate[_BODY]) > 0.5:
            wild[:] = False  # the whole body moves: no joint stands out
        believed = wild & (self._damped_run >= _MAX_DAMPED_RUN)
        wild &= ~believed
        self._damped_run = np.where(wild, self._damped_run + 1, 0)
        if believed.any():
            self.motion.restart(keypoints, believed)
        if wild.any():
            counters["joints_damped"] += int(wild.sum())
            keypoints = keypoints.copy()
            keypoints[wild, 2] *= _DAMPED_CONFIDENCE
        self.motion.update(keypoints, ~wild)
        return keypoints
