"""Finds and mends left/right swaps by asking which naming continues the motion."""

from __future__ import annotations

import numpy as np

from humor_ros.detection.coco import LEFT_RIGHT_GROUPS
from humor_ros.types import Array

__all__ = ["mend_left_right"]

#: A joint this far off its prediction, in sizes, costs 1.
_SPREAD = 0.05
#: Farther than this many spreads costs no more: one wild joint decides nothing.
_CLIP = 3.0
#: How much better (in the same cost) the swapped names must be, for each group and pair.
_MARGIN = 2.0
_PRICE_OF_A_PAIR = 0.2
_MIN_CONFIDENCE = 0.15


def mend_left_right(
    keypoints: Array, predicted: Array, spread: Array, size: float
) -> tuple[Array, list[str]]:
    """Gives left and right the names that continue the motion.

    The cost of a naming is the clipped squared distance to the prediction, summed over the
    joints. The group (whole body, arms, legs, ...) whose exchange saves most is exchanged,
    then once more, so that arms and legs can be mended apart.

    Args:
        keypoints: (17, 3) measured x, y, confidence.
        predicted: (17, 3) predicted x, y and last confidence.
        spread: (17,) standard deviation of the prediction, pixels; the longer the last
            measurement is ago, the less the prediction has to say.
        size: longest side of the person's box, pixels.

    Returns:
        (17, 3) key-points, and the names of the groups exchanged (empty: none).
    """
    mended, names = keypoints, list[str]()
    scale = np.hypot(_SPREAD * max(size, 1.0), spread)
    for _ in range(2):
        gains = _gain_by_pair(mended, predicted, scale)
        best, best_gain = None, _MARGIN
        for name, pairs in LEFT_RIGHT_GROUPS.items():
            gain = sum(gains[pair] - _PRICE_OF_A_PAIR for pair in pairs)
            if gain > best_gain:
                best, best_gain = name, gain
        if best is None:
            break
        if mended is keypoints:
            mended = keypoints.copy()
        for left, right in LEFT_RIGHT_GROUPS[best]:
            mended[[left, right]] = mended[[right, left]]
        names.append(best)
    return mended, names


def _gain_by_pair(keypoints: Array, predicted: Array, scale: Array) -> dict[tuple[int, int], float]:
    """What exchanging each left-right pair saves; 0 for pairs not seen on both sides."""
    gains = {}
    for left, right in LEFT_RIGHT_GROUPS["body"]:
        both = [left, right]
        if min(keypoints[both, 2].min(), predicted[both, 2].min()) < _MIN_CONFIDENCE:
            gains[left, right] = 0.0
            continue
        kept = _cost(keypoints[both, :2] - predicted[both, :2], scale[both])
        swapped = _cost(keypoints[both[::-1], :2] - predicted[both, :2], scale[both])
        gains[left, right] = kept - swapped
    return gains


def _cost(errors: Array, scale: Array) -> float:
    return float(np.minimum((errors**2).sum(axis=1) / scale**2, _CLIP**2).sum())
