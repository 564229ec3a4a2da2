"""Which detection belongs to which followed person: costs, gates and the best assignment.

The assignment is ours, with SciPy's Hungarian method, rather than a tracking library's:
those (norfair, boxmot, supervision) expect a full set of detections for each image, while
here most images bring one refined crop for each person and a search of the whole image only
now and then, and some carry torch or the AGPL.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from humor_ros.detection.appearance import appearance_similarity
from humor_ros.detection.boxes import (
    box_centre,
    box_iou,
    box_size,
)
from humor_ros.detection.followed_person import FollowedPerson
from humor_ros.detection.tracker_config import PeopleTrackerConfig
from humor_ros.types import Array, Detection

__all__ = ["assign", "detection_similarity", "match_cost"]

#: Cost of a pair that must not be matched.
FORBIDDEN = 1e3
_BOX_WEIGHT = 0.8
_SURE_COLOURS, _SURE_REACH = 0.8, 2.0


def detection_similarity(person: FollowedPerson, detection: Detection) -> float:
    """Likeness of a detection and a person in place and pose, in [0, 1]."""
    overlap = float(box_iou(detection.box_xyxy[None], person.box_xyxy[None])[0, 0])
    if detection.keypoints is None:
        return overlap
    points = person.likeness(detection.keypoints, person.reference)
    return max(points, _BOX_WEIGHT * overlap)


def match_cost(
    person: FollowedPerson,
    detection: Detection,
    appearance: Array | None,
    stamp_s: float,
    config: PeopleTrackerConfig,
) -> float:
    """Cost of "this detection is this person", below 2, or :data:`FORBIDDEN`.

    Someone measured in this image must be where it was measured. Someone unseen may have
    moved on, at most ``reach_speed`` (twice that if it surely wears the remembered colours: it
    may have been lost before it was missed), and must not wear quite other ones.
    """
    similarity = detection_similarity(person, detection)
    if person.measured:
        return 1.0 - similarity if similarity >= config.match_similarity else FORBIDDEN
    size = max(person.motion.size, 1.0)
    unseen_s = stamp_s - person.measured_stamp_s
    distance = np.linalg.norm(box_centre(detection.box_xyxy) - box_centre(person.box_xyxy)) / size
    reach = config.max_centre_jump + config.reach_speed * unseen_s
    colours = appearance_similarity(person.appearance, appearance)
    if colours is not None and colours > _SURE_COLOURS:
        reach *= _SURE_REACH
    ratio = box_size(detection.box_xyxy) / size
    if distance > reach or not config.min_size_ratio < ratio < config.max_size_ratio:
        return FORBIDDEN
    if colours is not None and colours < config.min_appearance:
        return FORBIDDEN
    away = float(distance / reach)
    return 0.5 * away + (0.5 * away if colours is None else 1.0 - colours)


def assign(costs: Array) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost among those that are not forbidden."""
    if costs.size == 0:
        return []
    rows, columns = linear_sum_assignment(costs)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if costs[r, c] < FORBIDDEN]
