"""Where key-points that are not seen for a moment would be seen.

A detector loses single key-points for a frame or a few: behind the other leg, in blur, below the
threshold. The network was trained with 2 % of them missing; with 30 % its own camera tells people
7 to 9 % nearer, and boxes around what is left shrink and jump. A missing key-point is therefore
carried along for a while: it turns with the camera and moves as the seen key-points around it do.
Nothing is fitted to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from humor_ros.geometry import PinholeCamera
from humor_ros.types import Array
from humor_ros.wham.keypoint_motion import turned_pixels
from humor_ros.wham.keypoints import MIN_CONFIDENCE

__all__ = ["KeypointMemory"]

#: Standard deviation of the weight of a seen key-point's motion, in sides of the person's extent.
_REACH = 0.25
#: Weight, beside that, of key-points far away: the person as a whole.
_FAR_WEIGHT = 1e-3
#: Of fewer seen key-points nobody is carried along.
_MIN_SEEN = 3
#: Nose, eyes and ears tell which way the face looks, and change fastest: on real video they are
#: worth carrying over one image and not over more.
_HEAD = slice(0, 5)
_HEAD_KEEP_S = 0.05


@dataclass(frozen=True)
class KeypointMemory:
    """Key-points of one person at one image, with those that were seen lately.

    Attributes:
        points: (17, 3) x, y in pixels of the virtual camera, seen or carried along; confidence
            when last seen.
        unseen_s: (17,) time since each was seen, 0 if it is; infinite if it never was.
    """

    points: Array
    unseen_s: Array

    @classmethod
    def start(cls, keypoints: Array) -> KeypointMemory:
        """Begin with one image's key-points (17, 3), virtual camera."""
        return cls(keypoints, np.where(_seen(keypoints), 0.0, np.inf))

    def after(
        self,
        keypoints: Array,
        rotation_previous_current: Array,
        camera: PinholeCamera,
        interval_s: float,
    ) -> KeypointMemory:
        """At the next image.

        Args:
            keypoints: (17, 3) measured, virtual camera.
            rotation_previous_current: (3, 3) of the camera since the image before.
            camera: the virtual camera.
            interval_s: since the image before, seconds.
        """
        seen = _seen(keypoints)
        known = np.isfinite(self.unseen_s)
        unseen_s = np.where(seen, 0.0, self.unseen_s + interval_s)
        carried = known & ~seen
        if not carried.any():
            return KeypointMemory(keypoints, unseen_s)
        size = torch.tensor([camera.width, camera.height], dtype=torch.float64)
        before = turned_pixels(
            torch.as_tensor(self.points[:, :2]),
            torch.as_tensor(rotation_previous_current, dtype=torch.float64),
            torch.tensor(camera.fx, dtype=torch.float64),
            size,
        ).numpy()
        points = keypoints.copy()
        points[carried, 2] = self.points[carried, 2]
        points[carried, :2] = before[carried]
        both = known & seen
        if both.sum() >= _MIN_SEEN:
            extent = max(float(np.ptp(before[known], axis=0).max()), 1.0)
            apart = np.linalg.norm(before[carried][:, None] - before[both][None], axis=2)
            weight = np.exp(-0.5 * np.square(apart / (_REACH * extent))) + _FAR_WEIGHT
            weight /= weight.sum(axis=1, keepdims=True)
            points[carried, :2] += weight @ (keypoints[both, :2] - before[both])
        return KeypointMemory(points, unseen_s)

    def told(self, keep_s: float) -> Array:
        """Key-points (17, 3) to go on with: confidence 0 for what was unseen longer than that.

        A person of whom fewer than three key-points are seen is hidden, and nothing is told.

        Args:
            keep_s: how long a key-point is carried along, seconds, those of the head for 0.05 at
                most; 0: none is.
        """
        points = self.points.copy()
        keep = self.unseen_s <= keep_s
        keep[_HEAD] &= self.unseen_s[_HEAD] <= _HEAD_KEEP_S
        if (self.unseen_s == 0.0).sum() < _MIN_SEEN:
            keep = self.unseen_s == 0.0
        points[~keep, 2] = 0.0
        return points


def _seen(keypoints: Array) -> NDArray[np.bool_]:
    return np.asarray(keypoints[:, 2] >= MIN_CONFIDENCE)
