"""Tells when two crops, or a detection and a person, show one and the same body."""

from __future__ import annotations

from itertools import combinations

from humor_ros.detection.appearance import appearance_similarity, torso_appearance
from humor_ros.detection.association import detection_similarity
from humor_ros.detection.boxes import box_iou, keypoint_similarity
from humor_ros.detection.followed_person import FollowedPerson
from humor_ros.detection.tracker_config import PeopleTrackerConfig
from humor_ros.types import Array, Detection, Image

__all__ = ["Claim", "find_losers", "is_double", "is_same_body"]

#: A person and the (17, 3) key-points that its crop showed.
Claim = tuple[FollowedPerson, Array]

#: A detection this like a person who already has one is the same person twice.
_SAME_PERSON = 0.3
_SAME_BOX = 0.7
_UNKNOWN_COLOURS = 0.5


def find_losers(
    image_bgr: Image, claims: list[Claim], config: PeopleTrackerConfig
) -> list[FollowedPerson]:
    """People whose crop showed somebody whom another claim suits better.

    Crops of people who overlap both lock on the one in front. It is left to the person whom
    pose and colours suit better, and to a confirmed one before a newcomer.
    """
    losers: list[FollowedPerson] = []
    for (first, found), (second, also) in combinations(claims, 2):
        if first in losers or second in losers:
            continue
        size = min(first.motion.size, second.motion.size)
        if keypoint_similarity(found, also, size) < config.duplicate_similarity:
            continue
        first_suits = _suitability(image_bgr, first, found, config)
        second_suits = _suitability(image_bgr, second, also, config)
        losers.append(second if first_suits >= second_suits else first)
    return losers


def is_same_body(person: FollowedPerson, keypoints: Array, config: PeopleTrackerConfig) -> bool:
    """Whether (17, 3) ``keypoints`` are those that the person was just measured with."""
    alike = keypoint_similarity(keypoints, person.keypoints, person.motion.size)
    return alike > config.duplicate_similarity


def is_double(person: FollowedPerson, detection: Detection) -> bool:
    """Whether a detection that nobody claims is this measured person once more."""
    overlap = float(box_iou(detection.box_xyxy[None], person.box_xyxy[None])[0, 0])
    if overlap > _SAME_BOX:
        return True
    if detection.keypoints is None:
        return False
    return detection_similarity(person, detection) > max(_SAME_PERSON, overlap)


def _suitability(
    image: Image, person: FollowedPerson, keypoints: Array, config: PeopleTrackerConfig
) -> float:
    pose = person.likeness(keypoints)
    colours = None
    if config.use_appearance:
        colours = appearance_similarity(person.appearance, torso_appearance(image, keypoints))
    return pose + (_UNKNOWN_COLOURS if colours is None else colours) + float(person.confirmed)
