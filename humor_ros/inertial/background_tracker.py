"""Corners of the background followed from image to image, people left out.

Shi and Tomasi's corners, followed by pyramidal Lucas-Kanade in a reduced grey image (OpenCV),
there and back: a corner that does not come home is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from humor_ros.field_checks import POSITIVE, check_fields
from humor_ros.geometry import PinholeCamera
from humor_ros.inertial.background import BackgroundPoints
from humor_ros.types import Array, Image

__all__ = ["BackgroundConfig", "BackgroundTracker"]

_WINDOW = (15, 15)
_LEVELS = 3
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 12, 0.03)
#: A corner must come home within this, pixels of the reduced image.
_HOME = 0.7
#: Below this share of the wanted corners new ones are sought.
_REFILL = 0.7
#: People's boxes are widened by this share of their size: hair, bags and shadows move too.
_WIDEN = 0.08
#: Weight of the newest cost in its mean, and the longest interval, in multiples of the first.
_COST_SHARE, _SLOWEST = 0.1, 4.0


@dataclass(frozen=True)
class BackgroundConfig:
    """How the background is followed.

    Attributes:
        enabled: whether it is, where there is an IMU.
        interval_s: time between two looks.
        points: corners at most.
        width: of the reduced image, pixels.
        budget: share of one core that it may cost; above it looks become rarer, down to a
            quarter, and then cease.

    Raises:
        ValueError: naming the field that is out of range.
    """

    enabled: bool = True
    interval_s: float = 0.1
    points: int = 120
    width: int = 640
    budget: float = 0.08

    def __post_init__(self) -> None:
        check_fields(self, POSITIVE, "interval_s", "points", "width", "budget")


class BackgroundTracker:
    """Follows corners; belongs to the thread that looks at the images.

    Args:
        config: settings.
        timer: seconds of a clock for the budget; None means no budget.

    Attributes:
        switched_off: whether it cost too much and has ceased.
    """

    def __init__(
        self, config: BackgroundConfig | None = None, timer: Callable[[], float] | None = None
    ) -> None:
        self._config = config or BackgroundConfig()
        self._timer = timer
        self._interval_s = self._config.interval_s
        self._cost_s = 0.0
        self.switched_off = False
        self.reset()

    def reset(self) -> None:
        """Forget all corners."""
        self._stamp_s: float | None = None
        self._grey: Image | None = None
        self._corners = np.zeros((0, 2), np.float32)
        self._ids = np.zeros(0, np.int64)
        self._next_id = 0

    def update(
        self,
        image_bgr: Image,
        stamp_s: float,
        boxes_xyxy: Sequence[Array],
        camera: PinholeCamera,
        *,
        every_image: bool = False,
    ) -> BackgroundPoints | None:
        """Look at an image, if it is time.

        Args:
            image_bgr: (H, W, 3) uint8.
            stamp_s: exposure time, seconds.
            boxes_xyxy: (4,) left, top, right, bottom of people, pixels.
            camera: intrinsics of the image.
            every_image: it is time now: nothing else tells how the camera turns.

        Returns:
            the corners; None where the image was not looked at.
        """
        if not self._config.enabled or self.switched_off:
            return None
        last = self._stamp_s
        # Half a frame of slack: images do not come exactly at multiples of the interval.
        soon = last is not None and 0.0 <= stamp_s - last < self._interval_s - 0.015
        if soon and not every_image:
            return None
        start = 0.0 if self._timer is None else self._timer()
        points = self._look(image_bgr, stamp_s, boxes_xyxy, camera)
        if self._timer is not None:
            self._keep_budget(self._timer() - start)
        return points

    def _look(
        self, image_bgr: Image, stamp_s: float, boxes_xyxy: Sequence[Array], camera: PinholeCamera
    ) -> BackgroundPoints:
        height, width = image_bgr.shape[:2]
        scale = min(1.0, self._config.width / width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey: Any = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else grey
        free = _free_of_people(boxes_xyxy, size, scale)
        if self._grey is not None and self._grey.shape == grey.shape and len(self._corners):
            self._follow(self._grey, grey, free)
        else:
            self._corners, self._ids = self._corners[:0], self._ids[:0]
        if len(self._corners) < _REFILL * self._config.points:
            self._refill(grey, free)
        self._grey, self._stamp_s = grey, stamp_s
        ratio = np.array([width, height]) / size
        pixels = (self._corners.astype(np.float64) + 0.5) * ratio - 0.5
        rays = camera.undistort(pixels)
        good = np.isfinite(rays).all(1)
        return BackgroundPoints(stamp_s=stamp_s, ids=self._ids[good].copy(), rays=rays[good])

    def _follow(self, before: Image, grey: Image, free: Image) -> None:
        options: dict[str, Any] = {"winSize": _WINDOW, "maxLevel": _LEVELS, "criteria": _STOP}
        follow: Any = cv2.calcOpticalFlowPyrLK  # its stubs know no absent output
        there, found, _ = follow(before, grey, self._corners, None, **options)
        back, home, _ = follow(grey, before, there, None, **options)
        away = np.abs(back - self._corners).max(1)
        place = np.round(there).astype(int)
        inside = (place >= 0).all(1) & (place < [grey.shape[1], grey.shape[0]]).all(1)
        kept = (found.ravel() > 0) & (home.ravel() > 0) & (away < _HOME) & inside
        kept[kept] = free[place[kept, 1], place[kept, 0]] > 0
        self._corners, self._ids = there[kept], self._ids[kept]

    def _refill(self, grey: Image, free: Image) -> None:
        """Seek corners away from those that there are."""
        mask = free.copy()
        apart = max(6, round(0.5 * (grey.size / self._config.points) ** 0.5))
        for x, y in np.round(self._corners).astype(int):
            cv2.circle(mask, (int(x), int(y)), apart, 0, -1)
        wanted = self._config.points - len(self._corners)
        fresh = cv2.goodFeaturesToTrack(grey, wanted, 0.01, apart, mask=mask)
        if fresh is None:
            return
        fresh = fresh.reshape(-1, 2)
        ids = self._next_id + np.arange(len(fresh))
        self._next_id += len(fresh)
        self._corners = np.concatenate([self._corners, fresh.astype(np.float32)])
        self._ids = np.concatenate([self._ids, ids])

    def _keep_budget(self, cost_s: float) -> None:
        self._cost_s += _COST_SHARE * (cost_s - self._cost_s)
        if self._cost_s <= self._config.budget * self._interval_s:
            return
        self._cost_s = 0.0
        self._interval_s *= 2.0
        if self._interval_s > _SLOWEST * self._config.interval_s:
            self.switched_off = True


def _free_of_people(boxes_xyxy: Sequence[Array], size: tuple[int, int], scale: float) -> Image:
    """Mask of the reduced image, 0 where people are."""
    mask = np.full((size[1], size[0]), 255, np.uint8)
    for box in boxes_xyxy:
        left, top, right, bottom = np.asarray(box, dtype=np.float64) * scale
        wide, high = _WIDEN * (right - left), _WIDEN * (bottom - top)
        x0, y0 = max(0, int(left - wide)), max(0, int(top - high))
        x1, y1 = max(0, int(right + wide) + 1), max(0, int(bottom + high) + 1)
        mask[y0:y1, x0:x1] = 0
    return mask
