"""Judges what the pose network found in a person's crop: the person, or something else."""

from __future__ import annotations

from enum import Enum

import numpy as np

from humor_ros.detection.boxes import (
    box_centre,
    box_size,
    keypoint_box,
    person_score,
)
from humor_ros.detection.followed_person import FollowedPerson
from humor_ros.detection.tracker_config import PeopleTrackerConfig
from humor_ros.types import Array

__all__ = ["Verdict", "judge", "silence_outside"]

_UNSUPPORTED_STEP = 0.06
_UNSUPPORTED_CEILING = 0.5
_STOLEN_MARGIN = 0.25


class Verdict(Enum):
    """What a refined crop shows."""

    PERSON = "person"
    NOBODY = "nobody"  #: too little confidence
    JUMPED = "jumped"  #: too far away, grown or shrunk at once
    STOLEN = "stolen"  #: another followed person explains it far better


def silence_outside(keypoints: Array, width: int, height: int) -> Array:
    """(17, 3) with confidence 0 for joints outside the image: they are guesses."""
    x, y = keypoints[:, 0], keypoints[:, 1]
    outside = (x < 0) | (y < 0) | (x > width) | (y > height) | ~np.isfinite(keypoints).all(axis=1)
    if not outside.any():
        return keypoints
    silenced = np.nan_to_num(keypoints)
    silenced[outside, 2] = 0.0
    return silenced


def judge(
    person: FollowedPerson,
    keypoints: Array,
    others: list[FollowedPerson],
    unseen_s: float,
    config: PeopleTrackerConfig,
) -> Verdict:
    """Says whether (17, 3) ``keypoints`` are the ``person`` whose crop was searched.

    Args:
        person: predicted to the present image.
        keypoints: what the pose network found.
        others: the other followed people, predicted to the present image.
        unseen_s: time since the person was measured; wider gates after a gap.
        config: settings of the tracker.
    """
    needed = config.min_score + _UNSUPPORTED_STEP * person.unsupported
    if person_score(keypoints) < min(needed, max(_UNSUPPORTED_CEILING, config.min_score)):
        return Verdict.NOBODY
    size = max(person.motion.size, 1.0)
    box = keypoint_box(keypoints)
    jump = np.linalg.norm(box_centre(box) - box_centre(person.motion.box_xyxy)) / size
    ratio = box_size(box) / size
    allowed = config.max_centre_jump + config.reach_speed * max(unseen_s - 0.1, 0.0)
    if jump > allowed or not config.min_size_ratio < ratio < config.max_size_ratio:
        return Verdict.JUMPED
    own = person.likeness(keypoints)
    if any(other.likeness(keypoints) > own + _STOLEN_MARGIN for other in others):
        return Verdict.STOLEN
    return Verdict.PERSON
