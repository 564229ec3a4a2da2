"""A virtual room whose corners a virtual tracker follows, with noise, losses and outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from humor_ros.evaluation.rig_motion import CameraWay
from humor_ros.geometry import PinholeCamera
from humor_ros.inertial.background import BackgroundPoints
from humor_ros.types import Array

__all__ = ["BackgroundErrors", "RigBackground"]

_NEAREST_M, _FARTHEST_M = 0.5, 15.0


@dataclass(frozen=True)
class BackgroundErrors:
    """What a tracker of corners is like.

    Attributes:
        interval_frames: every how many images it looks.
        points: corners followed at most.
        pixel_noise: white, pixels.
        pixel_drift: random walk of a corner, pixels a look.
        loss_share: share of corners lost at each look, for no reason.
        outlier_share: share of corners that sit on something that moves by itself.
        outlier_speed: of those, metres a second.
        landmarks: corners in the room.
    """

    interval_frames: int = 3
    points: int = 120
    pixel_noise: float = 0.4
    pixel_drift: float = 0.05
    loss_share: float = 0.02
    outlier_share: float = 0.1
    outlier_speed: float = 0.5
    landmarks: int = 4000


class RigBackground:
    """Corners on floor, walls and furniture around the camera's way, followed image by image.

    Args:
        way: of the camera.
        camera: intrinsics.
        errors: of the tracker.
        duration_s: length of the way.
        random: source of all chance.
    """

    def __init__(
        self,
        way: CameraWay,
        camera: PinholeCamera,
        errors: BackgroundErrors,
        duration_s: float,
        random: Generator,
    ) -> None:
        self._way, self._camera, self._errors, self._random = way, camera, errors, random
        centre = way.position(np.linspace(0.0, duration_s, 50)).mean(0)
        count = errors.landmarks
        direction = random.uniform(0, 2 * np.pi, count)
        distance = np.where(
            random.uniform(size=count) < 0.5,
            random.uniform(7.0, 9.0, count),
            random.uniform(1.0, 9.0, count),
        )
        height = np.where(random.uniform(size=count) < 0.25, 0.0, random.uniform(0.0, 3.0, count))
        self._points = np.stack(
            [
                centre[0] + distance * np.cos(direction),
                centre[1] + distance * np.sin(direction),
                height,
            ],
            1,
        )
        outlier = random.uniform(size=count) < errors.outlier_share
        heading = random.uniform(0, 2 * np.pi, count)
        self._velocity = errors.outlier_speed * np.stack(
            [np.cos(heading), np.sin(heading), np.zeros(count)], 1
        )
        self._velocity[~outlier] = 0.0
        self._ids: Array = np.zeros(0, dtype=np.int64)
        self._landmark: Array = np.zeros(0, dtype=np.int64)
        self._drift: Array = np.zeros((0, 2))
        self._next_id = 0

    def look(self, stamp_s: float, boxes: list[Array]) -> BackgroundPoints:
        """Corners in the image at an instant.

        Args:
            stamp_s: seconds.
            boxes: (4,) left, top, right, bottom of people, where nothing is followed.
        """
        errors, random = self._errors, self._random
        pixels, seen = self._project(stamp_s, boxes)
        kept = seen[self._landmark] & (random.uniform(size=len(self._ids)) >= errors.loss_share)
        self._ids, self._landmark = self._ids[kept], self._landmark[kept]
        self._drift = self._drift[kept] + random.normal(size=(int(kept.sum()), 2)) * (
            errors.pixel_drift
        )
        if len(self._ids) < 0.7 * errors.points:
            free = np.setdiff1d(np.flatnonzero(seen), self._landmark)
            fresh = random.permutation(free)[: errors.points - len(self._ids)]
            ids = self._next_id + np.arange(len(fresh))
            self._next_id += len(fresh)
            self._ids = np.concatenate([self._ids, ids])
            self._landmark = np.concatenate([self._landmark, fresh])
            self._drift = np.concatenate([self._drift, np.zeros((len(fresh), 2))])
        shown = pixels[self._landmark] + self._drift
        shown = shown + random.normal(size=shown.shape) * errors.pixel_noise
        return BackgroundPoints(
            stamp_s=stamp_s, ids=self._ids.copy(), rays=self._camera.undistort(shown)
        )

    def _project(self, stamp_s: float, boxes: list[Array]) -> tuple[Array, Array]:
        """Pixels (M, 2) of all corners and which of them (M,) can be seen."""
        at = np.array([stamp_s])
        rotation, place = self._way.rotation(at)[0], self._way.position(at)[0]
        # What moves by itself goes to and fro, so that it stays in the room.
        away = self._velocity * 2.0 * np.sin(0.5 * stamp_s)
        points = (self._points + away - place) @ rotation
        front = (points[:, 2] > _NEAREST_M) & (points[:, 2] < _FARTHEST_M)
        pixels = np.full((len(points), 2), -1.0)
        pixels[front] = self._camera.project(points[front])
        seen = front & (pixels >= 4.0).all(1)
        seen &= (pixels[:, 0] < self._camera.width - 4) & (pixels[:, 1] < self._camera.height - 4)
        for left, top, right, bottom in boxes:
            inside = (pixels[:, 0] > left) & (pixels[:, 0] < right)
            seen &= ~(inside & (pixels[:, 1] > top) & (pixels[:, 1] < bottom))
        return pixels, seen
