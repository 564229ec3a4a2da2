"""Which way up a person is in the image, in quarter turns.

Pose networks know upright people best: MoveNet Thunder's median error on the evaluation
video grows from 6 px to 14 px when the image is turned by 90 degrees, to 46 px by 135 and to
16 px by 180. A crop turned the other way brings them back.
"""

from __future__ import annotations

import numpy as np

from humor_ros.types import Array

__all__ = ["upright_turns"]

_SHOULDERS, _HIPS = [5, 6], [11, 12]
_MIN_CONFIDENCE = 0.3
#: The torso must lean this much farther than halfway to the next quarter (hysteresis).
_STICKINESS_RAD = np.radians(15.0)


def upright_turns(keypoints: Array, current: int = 0) -> int:
    """Counter-clockwise quarter turns of the image that set the person upright.

    Args:
        keypoints: (17, 3) x, y, confidence.
        current: the turns in use; kept while the torso leans less than 60 degrees from
            upright under them, and where shoulders or hips are not seen.

    Returns:
        0, 1, 2 or 3.
    """
    if keypoints[_SHOULDERS + _HIPS, 2].min() < _MIN_CONFIDENCE:
        return current
    x, y = keypoints[_SHOULDERS, :2].mean(axis=0) - keypoints[_HIPS, :2].mean(axis=0)
    lean = float(np.arctan2(x, -y))  # clockwise from upright, as seen
    off = (lean - current * np.pi / 2.0 + np.pi) % (2.0 * np.pi) - np.pi
    if abs(off) < np.pi / 4.0 + _STICKINESS_RAD:
        return current
    return round(lean / (np.pi / 2.0)) % 4
