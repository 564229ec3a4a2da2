"""The 18 points of ``hri_msgs/Skeleton2D`` from COCO-17, and boxes as shares of an image."""

from __future__ import annotations

import numpy as np

from humor_ros.body.skeleton import COCO17_NAMES
from humor_ros.types import Array

__all__ = ["SKELETON18_NAMES", "normalised_box", "skeleton18"]

#: Order of ``hri_msgs/Skeleton2D``; "neck" is the middle of the shoulders.
SKELETON18_NAMES: tuple[str, ...] = (
    "nose",
    "neck",
    *(f"right_{name}" for name in ("shoulder", "elbow", "wrist")),
    *(f"left_{name}" for name in ("shoulder", "elbow", "wrist")),
    *(f"right_{name}" for name in ("hip", "knee", "ankle")),
    *(f"left_{name}" for name in ("hip", "knee", "ankle")),
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
)
_SOURCES = [COCO17_NAMES.index(name) if name != "neck" else -1 for name in SKELETON18_NAMES]
_SHOULDERS = [COCO17_NAMES.index("left_shoulder"), COCO17_NAMES.index("right_shoulder")]
_NECK = SKELETON18_NAMES.index("neck")


def skeleton18(keypoints: Array, image_size: tuple[int, int]) -> Array:
    """Re-order and normalise key-points.

    Args:
        keypoints: (17, 3) COCO-17 x, y in pixels, and confidence.
        image_size: width and height, pixels.

    Returns:
        (18, 3) x, y as shares of the image (clipped to [0, 1]), and confidence in [0, 1]; a point
        that was not measured has confidence 0.
    """
    points = np.asarray(keypoints, dtype=np.float64)[_SOURCES]
    points[_NECK, :2] = keypoints[_SHOULDERS, :2].mean(axis=0)
    points[_NECK, 2] = keypoints[_SHOULDERS, 2].min()
    points[:, :2] /= image_size
    points[~np.isfinite(points).all(axis=1)] = 0.0
    return np.clip(points, 0.0, 1.0)


def normalised_box(box_xyxy: Array, image_size: tuple[int, int]) -> Array:
    """A box as shares of the image.

    Args:
        box_xyxy: (4,) left, top, right, bottom, pixels.
        image_size: width and height, pixels.

    Returns:
        (4,) the same, clipped to [0, 1].
    """
    width, height = image_size
    shares = np.asarray(box_xyxy, dtype=np.float64) / (width, height, width, height)
    return np.clip(np.nan_to_num(shares), 0.0, 1.0)
