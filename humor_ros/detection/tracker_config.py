"""Settings of the people tracker."""

from __future__ import annotations

from dataclasses import dataclass, fields

from humor_ros.field_checks import AT_LEAST_0, AT_LEAST_1, SHARE, Rule, check_fields

__all__ = ["PeopleTrackerConfig"]

_GROWTH = Rule("above 1", lambda value: value > 1)


@dataclass(frozen=True)
class PeopleTrackerConfig:
    """Settings of :class:`~humor_ros.detection.people_tracker.PeopleTracker`.

    "Size" is the longest side of a person's key-point box in the last seconds. Distances are
    parts of it, so that one setting serves people near and far.

    Attributes:
        max_people: most people followed at once; later ones are counted and left out.
        detect_every_frames: the whole image is searched at least this often.
        search_every_frames: the same while somebody is missing, unconfirmed or nobody is
            there.
        max_refines_per_frame: most crops that the pose network sees in one image. With more
            people than this the whole image is searched each frame, its key-points are
            used where the detector gives them, and the crops take turns, one fewer.
        confirm_hits: measurements before a newcomer counts as a person.
        confirm_detections: whole-image detections before it does.
        reid_window_s: how long an id waits for its person to come back; then it is LOST.
        crop_hold_s: how long an unseen person's predicted crop is still tried.
        min_score: least person score (mean of the eight best joints) of a measurement.
        max_centre_jump: farthest that a person's centre may be from its prediction, sizes.
        max_size_ratio: most that a person's box may grow at once, as a factor of its size.
        min_size_ratio: most that it may shrink (crouching, cut by the edge), the same.
        duplicate_similarity: key-point similarity above which two people are one.
        match_similarity: least similarity of a detection and a followed person.
        reach_speed: how fast an unseen person may move off its prediction, sizes/s.
        min_appearance: least colour similarity to give a waiting id to a person found.
        exchange_margin: by how much colours and directions must speak for an exchange of two
            ids after a crossing (see ``crossings``).
        swap_hold_s: how long a left/right swap is mended against the detector's word.
        parallel_search: whether the whole image is searched in a second thread while the crops
            are refined. The results are the same; an image with a search is late by less.
        mend_swaps: whether left/right swaps are mended.
        use_appearance: whether torso colours are used.
    """

    max_people: int = 8
    detect_every_frames: int = 10
    search_every_frames: int = 2
    max_refines_per_frame: int = 4
    confirm_hits: int = 3
    confirm_detections: int = 2
    reid_window_s: float = 1.0
    crop_hold_s: float = 0.3
    min_score: float = 0.3
    max_centre_jump: float = 0.35
    max_size_ratio: float = 1.8
    min_size_ratio: float = 0.3
    duplicate_similarity: float = 0.55
    match_similarity: float = 0.25
    reach_speed: float = 3.0
    min_appearance: float = 0.2
    exchange_margin: float = 0.3
    swap_hold_s: float = 0.5
    parallel_search: bool = True
    mend_swaps: bool = True
    use_appearance: bool = True

    def __post_init__(self) -> None:
        counts = (
            "max_people",
            "detect_every_frames",
            "search_every_frames",
            "max_refines_per_frame",
            "confirm_hits",
            "confirm_detections",
        )
        shares = (
            "min_score",
            "duplicate_similarity",
            "match_similarity",
            "min_appearance",
            "min_size_ratio",
        )
        check_fields(self, AT_LEAST_1, *counts)
        check_fields(self, SHARE, *shares)
        check_fields(self, _GROWTH, "max_size_ratio")
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        check_fields(self, AT_LEAST_0, *(n for n, v in values.items() if not isinstance(v, bool)))
