"""Square boxes (centre x, y in pixels, side / 200) around a person's key-points."""

from __future__ import annotations

import numpy as np
from scipy.signal import medfilt

from humor_ros.types import Array

__all__ = ["BOX_MARGIN", "box_of_keypoints", "box_of_xyxy", "boxes_of_track", "median_boxes"]

#: The box is so much larger than the key-points (published demo).
BOX_MARGIN = 1.2
_UNIT = 200.0


def box_of_keypoints(
    keypoints: Array, min_confidence: float = 0.3, margin: float = BOX_MARGIN
) -> Array | None:
    """Box around the key-points that are seen.

    Args:
        keypoints: (17, 3) x, y in pixels, confidence.
        min_confidence: only key-points more confident count; below 0 all of them do.
        margin: side of the box over the larger extent of the key-points.

    Returns:
        (3,) box, or None where nothing is seen.
    """
    seen = keypoints[keypoints[:, 2] > min_confidence, :2]
    if not len(seen):
        return None
    low, high = seen.min(axis=0), seen.max(axis=0)
    return np.append((low + high) / 2.0, margin * (high - low).max() / _UNIT)


def boxes_of_track(keypoints: Array, min_confidence: float = 0.3) -> Array:
    """Box of each frame of a track; a frame that shows nothing keeps the box before it.

    Args:
        keypoints: (T, 17, 3) x, y in pixels, confidence.
        min_confidence: only key-points more confident count.

    Returns:
        (T, 3).

    Raises:
        ValueError: no frame shows a key-point.
    """
    found = [box_of_keypoints(frame, min_confidence) for frame in keypoints]
    first = next((box for box in found if box is not None), None)
    if first is None:
        raise ValueError(
            f"keypoints: none of {len(keypoints)} frames has a key-point above confidence "
            f"{min_confidence}; leave the track out"
        )
    boxes = []
    for box in found:
        first = first if box is None else box
        boxes.append(first)
    return np.stack(boxes)


def box_of_xyxy(xyxy: Array, margin: float = 1.05) -> Array:
    """Square box around a rectangle (..., 4) of left, top, right, bottom; (..., 3)."""
    xyxy = np.asarray(xyxy, dtype=np.float64)
    size = xyxy[..., 2:] - xyxy[..., :2]
    centre = (xyxy[..., :2] + xyxy[..., 2:]) / 2.0
    side = margin * size.max(axis=-1, keepdims=True) / _UNIT
    return np.concatenate((centre, side), axis=-1)


def median_boxes(boxes: Array, frame_rate: float = 30.0) -> Array:
    """Smooth boxes as the published demo does: a centred median of half a second.

    Not causal, and zero-padded at both ends (as published: the first and last boxes shrink);
    for comparison with offline results only.

    Args:
        boxes: (T, 3).
        frame_rate: frames a second.

    Returns:
        (T, 3).
    """
    kernel = int(int(frame_rate / 2) / 2) * 2 + 1
    return np.stack([medfilt(column, kernel) for column in boxes.T], axis=1)
