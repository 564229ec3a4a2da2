"""A small colour memory of a torso, to tell apart people who crossed."""

from __future__ import annotations

import cv2
import numpy as np

from humor_ros.detection.coco import TORSO
from humor_ros.types import Array, Image

__all__ = ["appearance_similarity", "torso_appearance"]

_SIDE = 24
_HUES, _SATURATIONS, _VALUES = 12, 4, 4
_MIN_CONFIDENCE = 0.3
_GREY_SATURATION = 40


def torso_appearance(image_bgr: Image, keypoints: Array) -> Array | None:
    """Colour histogram of the box around shoulders and hips.

    Colours of some saturation are binned by hue and saturation, grey ones by value.

    Args:
        image_bgr: (H, W, 3) uint8.
        keypoints: (17, 3) x, y, confidence.

    Returns:
        (52,) float32 histogram of sum 1; None if the torso is not well seen or too small.
    """
    torso = keypoints[list(TORSO)]
    if torso[:, 2].min() < _MIN_CONFIDENCE:
        return None
    low, high = torso[:, :2].min(axis=0), torso[:, :2].max(axis=0)
    # A torso seen side-on is a thin strip: keep at least a third of its height.
    margin = max((high[1] - low[1]) / 3.0 - (high[0] - low[0]), 0.0) / 2.0
    x0, x1 = np.clip([low[0] - margin, high[0] + margin + 1], 0, image_bgr.shape[1]).astype(int)
    y0, y1 = np.clip([low[1], high[1] + 1], 0, image_bgr.shape[0]).astype(int)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    patch = cv2.resize(image_bgr[y0:y1, x0:x1], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    hue, saturation, value = (
        channel.ravel().astype(int) for channel in cv2.split(cv2.cvtColor(patch, cv2.COLOR_BGR2HSV))
    )
    grey = (saturation < _GREY_SATURATION) | (value < _GREY_SATURATION)
    coloured = hue * _HUES // 180 * _SATURATIONS + saturation * _SATURATIONS // 256
    bins = np.where(grey, _HUES * _SATURATIONS + value * _VALUES // 256, coloured)
    counts = np.bincount(bins, minlength=_HUES * _SATURATIONS + _VALUES)
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def appearance_similarity(first: Array | None, second: Array | None) -> float | None:
    """Bhattacharyya coefficient of two histograms, in [0, 1]; None if one is unknown."""
    if first is None or second is None:
        return None
    return float(np.sqrt(first * second).sum())
