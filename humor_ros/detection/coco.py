"""The COCO-17 facts that detection needs: left-right pairs, limbs and key-point spreads."""

from __future__ import annotations

import numpy as np

from humor_ros.types import Array

__all__ = [
    "COCO_FLIP",
    "COCO_PAIRS",
    "COCO_SIGMAS",
    "LEFT_RIGHT_GROUPS",
    "NUM_KEYPOINTS",
    "TORSO",
]

NUM_KEYPOINTS = 17

#: Left-right pairs: eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
COCO_PAIRS: tuple[tuple[int, int], ...] = tuple((i, i + 1) for i in range(1, 17, 2))

#: Index of each key-point's mirror image.
COCO_FLIP = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])

#: Pairs that a network confuses together, by the name of the group.
LEFT_RIGHT_GROUPS: dict[str, tuple[tuple[int, int], ...]] = {
    "body": COCO_PAIRS,
    "below_head": COCO_PAIRS[2:],
    "arms_and_legs": ((7, 8), (9, 10), (13, 14), (15, 16)),
    "arms": ((7, 8), (9, 10)),
    "upper": ((5, 6), (7, 8), (9, 10)),
    "legs": ((13, 14), (15, 16)),
    "lower": ((11, 12), (13, 14), (15, 16)),
    "wrists": ((9, 10),),
    "ankles": ((15, 16),),
}

#: Left shoulder, right shoulder, right hip, left hip: the torso's outline.
TORSO = (5, 6, 12, 11)

#: Per-key-point constants of the object key-point similarity (COCO key-point evaluation,
#: https://cocodataset.org/#keypoints-eval): standard deviation of human labels over the
#: square root of the person's area.
COCO_SIGMAS: Array = np.array(
    # nose, eyes, ears; shoulders, elbows, wrists; hips, knees, ankles
    [
        *(0.026, 0.025, 0.025, 0.035, 0.035),
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ]
)
