"""A stage of painted people and a detector that sees them perfectly, unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest

from humor_ros.detection import PeopleTracker, PeopleTrackerConfig
from humor_ros.detection.boxes import box_iou, keypoint_box
from humor_ros.types import Array, Detection, Image, Track

#: COCO-17 of a standing person of height 1, x to the right of the image, y down, about the hips.
STANDING = np.array(
    [
        *[(0.0, -0.42), (0.02, -0.44), (-0.02, -0.44), (0.04, -0.43), (-0.04, -0.43)],
        *[(0.1, -0.3), (-0.1, -0.3), (0.16, -0.15), (-0.16, -0.15), (0.18, 0.0), (-0.18, 0.0)],
        *[(0.06, 0.0), (-0.06, 0.0), (0.07, 0.25), (-0.07, 0.25), (0.08, 0.48), (-0.08, 0.48)],
    ]
)


@dataclass(frozen=True)
class Actor:
    """One painted person: where it is at each time, what it wears, how near it is."""

    path: Callable[[float], tuple[float, float]]
    colour: tuple[int, int, int] = (40, 40, 200)
    height: float = 200.0
    depth: float = 0.0
    present: Callable[[float], bool] = lambda _: True

    def keypoints(self, stamp_s: float) -> Array:
        swing = np.sin(2.0 * np.pi * stamp_s) * 0.05
        pose = STANDING.copy()
        pose[[13, 15], 0] += swing
        pose[[14, 16], 0] -= swing
        points = pose * self.height + np.array(self.path(stamp_s))
        return np.column_stack([points, np.full(17, 0.9)])


@dataclass
class Stage:
    """Actors before a camera of 640x480 pixels, and the tracker that watches them.

    As a detector it finds everybody who is not hidden (a nearer actor's box covers half of
    theirs), and a crop shows the nearest of the people whose box overlaps it most.
    """

    actors: list[Actor] = field(default_factory=list)
    size: tuple[int, int] = (640, 480)
    fps: float = 30.0
    noise_px: float = 1.0
    spoil: Callable[[Array, float], Array] | None = None
    boxes_only: bool = False
    frame: int = 0
    stamp_s: float = 0.0
    searches: int = 0
    crops: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(7)

    def image(self) -> Image:
        picture = np.full((self.size[1], self.size[0], 3), 90, dtype=np.uint8)
        for actor in sorted(self._present(), key=lambda a: -a.depth):
            box = keypoint_box(actor.keypoints(self.stamp_s)).astype(int).tolist()
            cv2.rectangle(picture, tuple(box[:2]), tuple(box[2:]), actor.colour, -1)
        return picture

    def detect(self, image_bgr: Image) -> list[Detection]:
        self.searches += 1
        found = []
        for actor in self._present():
            if not self._hidden(actor):
                keypoints = self._measure(actor)
                box = keypoint_box(keypoints)
                found.append(Detection(box, 0.8, None if self.boxes_only else keypoints))
        return found

    def refine(
        self, image_bgr: Image, boxes_xyxy: Array, quarter_turns: list[int] | None = None
    ) -> Array:
        self.crops.append(len(boxes_xyxy))
        return np.array([self._seen_in(box) for box in boxes_xyxy]).reshape(-1, 17, 3)

    def run(self, tracker: PeopleTracker, frames: int) -> list[list[Track]]:
        """Plays ``frames`` images; returns the tracks of each."""
        played = []
        for _ in range(frames):
            self.stamp_s = self.frame / self.fps
            played.append(tracker.update(self.image(), self.stamp_s))
            self.frame += 1
        return played

    def tracker(self, **settings: object) -> PeopleTracker:
        return PeopleTracker(self, replace(PeopleTrackerConfig(parallel_search=False), **settings))

    def actor_of(self, track: Track) -> int:
        """Index of the actor whose hips are nearest to the track's."""
        hips = track.keypoints[11:13, :2].mean(axis=0)
        away = [np.hypot(*(hips - np.array(actor.path(self.stamp_s)))) for actor in self.actors]
        return int(np.argmin(away))

    def _present(self) -> list[Actor]:
        return [actor for actor in self.actors if actor.present(self.stamp_s)]

    def _box(self, actor: Actor) -> Array:
        return keypoint_box(actor.keypoints(self.stamp_s))

    def _hidden(self, actor: Actor) -> bool:
        box = self._box(actor)
        area = (box[2:] - box[:2]).prod()
        for other in self._present():
            front = self._box(other)
            both = np.minimum(box[2:], front[2:]) - np.maximum(box[:2], front[:2])
            if other.depth < actor.depth and (both > 0).all() and both.prod() > 0.5 * area:
                return True
        return False

    def _measure(self, actor: Actor) -> Array:
        keypoints = actor.keypoints(self.stamp_s)
        keypoints[:, :2] += self._random.normal(0.0, self.noise_px, (17, 2))
        return keypoints if self.spoil is None else self.spoil(keypoints, self.stamp_s)

    def _seen_in(self, box: Array) -> Array:
        shown = [
            (float(box_iou(box[None], self._box(actor)[None])[0, 0]), -actor.depth, actor)
            for actor in self._present()
            if not self._hidden(actor)
        ]
        shown = [each for each in shown if each[0] > 0.1]
        if not shown:
            return np.column_stack([np.tile(box[:2], (17, 1)), np.full(17, 0.05)])
        return self._measure(max(shown, key=lambda each: each[:2])[2])


@pytest.fixture
def stage() -> Stage:
    """An empty stage."""
    return Stage()


@pytest.fixture
def actor() -> type[Actor]:
    """The class of actors."""
    return Actor
