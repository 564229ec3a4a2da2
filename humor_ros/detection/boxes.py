"""Boxes and key-point sets: checks, overlaps, sizes and similarities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humor_ros.detection.coco import COCO_SIGMAS
from humor_ros.types import Array

__all__ = [
    "box_centre",
    "box_iou",
    "box_size",
    "check_boxes",
    "keypoint_box",
    "keypoint_similarity",
    "person_score",
]


def check_boxes(
    boxes_xyxy: Array, quarter_turns: Sequence[int] | None = None
) -> tuple[Array, list[int]]:
    """Returns (N, 4) float64 boxes, finite, right >= left, bottom >= top, and N turns.

    Raises:
        ValueError: naming the argument, and the first box that is wrong.
    """
    boxes = np.asarray(boxes_xyxy, dtype=np.float64)
    if boxes.size == 0:
        return np.zeros((0, 4)), []
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes_xyxy: expected shape (N, 4), got {boxes.shape}")
    bad = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"boxes_xyxy: box {first} is not left, top, right, bottom: {boxes[first].tolist()}"
        )
    turns = [0] * len(boxes) if quarter_turns is None else [int(t) for t in quarter_turns]
    if len(turns) != len(boxes):
        raise ValueError(f"quarter_turns: expected {len(boxes)} (one a box), got {len(turns)}")
    return boxes, turns


def box_centre(box_xyxy: Array) -> Array:
    """(2,) centre of a (4,) box, pixels."""
    return (box_xyxy[:2] + box_xyxy[2:]) / 2.0


def box_size(box_xyxy: Array) -> float:
    """Longest side of a (4,) box, pixels, at least 1."""
    return float(max(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1], 1.0))


def box_iou(first_xyxy: Array, second_xyxy: Array) -> Array:
    """Intersection over union of (N, 4) with (M, 4) boxes, as (N, M) in [0, 1]."""
    first, second = np.asarray(first_xyxy)[:, None], np.asarray(second_xyxy)[None]
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=-1)
    areas = [(b[..., 2:] - b[..., :2]).prod(axis=-1) for b in (first, second)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, 1e-9))


def keypoint_box(keypoints: Array, min_confidence: float = 0.15) -> Array:
    """(4,) box around the key-points seen well enough; around all if fewer than 4 are."""
    seen = keypoints[keypoints[:, 2] >= min_confidence]
    points = (seen if len(seen) >= 4 else keypoints)[:, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float64)


def person_score(keypoints: Array) -> float:
    """Confidence that key-points are a person: mean of the eight best of (17, 3).

    The best eight, because a person cut by the image's edge shows half of the key-points
    and is still a person. Crops without anybody score below 0.1 with MoveNet.
    """
    return float(np.sort(keypoints[:, 2])[-8:].mean())


def keypoint_similarity(
    first: Array, second: Array, size: float, *, tolerance: float = 1.0, min_confidence: float = 0.1
) -> float:
    """Object key-point similarity (COCO's OKS) of two (17, 3) sets, in [0, 1].

    Args:
        first: (17, 3) x, y, confidence.
        second: (17, 3) the same.
        size: longest side of the person's box, pixels. The area in COCO's formula is taken
            as half the square of it, as of a person who fills a half of the square.
        tolerance: factor on COCO's spreads; above 1 forgives motion between two images.
        min_confidence: joints below it in either set do not count.

    Returns:
        Mean over the joints seen in both sets; 0 if fewer than three are.
    """
    seen = (first[:, 2] >= min_confidence) & (second[:, 2] >= min_confidence)
    if seen.sum() < 3:
        return 0.0
    squared = ((first[seen, :2] - second[seen, :2]) ** 2).sum(axis=1)
    spread = (2.0 * COCO_SIGMAS[seen] * tolerance) ** 2 * (size**2 / 2.0)
    return float(np.exp(-squared / (2.0 * np.maximum(spread, 1e-9))).mean())
