"""From images at any rate and with jitter to the 30 Hz steps that the network was made for.

WHAM's recurrent networks step at 30 Hz (paper, section 3) and were trained on motion that is
played 0.66 to 1.49 times as fast as recorded. An interval between two images is therefore cut
into equal sub-steps that end exactly at the new image; every sub-step lasts between 22 and
50 ms, a change of speed inside the trained range, so no output is late or extrapolated.
Images that come sooner than 22 ms after the last processed one are skipped.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.transform import Rotation

from humor_ros.types import Array

__all__ = [
    "MAX_GAP_S",
    "MIN_INTERVAL_S",
    "NETWORK_RATE_HZ",
    "interpolate_keypoints",
    "split_rotation",
    "substep_count",
]

NETWORK_RATE_HZ = 30.0  #: rate of the published training data, spec: WHAM section 6
MIN_INTERVAL_S = 0.022  #: 1 / (30 Hz * 1.5); nearer images are skipped
MAX_GAP_S = 0.5  #: across a longer gap the recurrent state says nothing any more


def substep_count(interval_s: float) -> int:
    """Number of network steps for one interval between two processed images.

    Args:
        interval_s: time between the images, seconds, > 0.

    Returns:
        At least 1; ``round(interval * 30 Hz)`` with ties to the larger number.

    Raises:
        ValueError: if the interval is not positive and finite.
    """
    if not (math.isfinite(interval_s) and interval_s > 0.0):
        raise ValueError(f"interval_s must be positive and finite, got {interval_s}")
    return max(1, math.floor(interval_s * NETWORK_RATE_HZ + 0.5))


def interpolate_keypoints(previous: Array, current: Array, count: int) -> Array:
    """Key-points at the ends of ``count`` equal sub-steps; the last is ``current``.

    Args:
        previous: (J, 3) x, y, confidence at the previous image.
        current: (J, 3) the same now.
        count: number of sub-steps, >= 1.

    Returns:
        (count, J, 3). A joint in between is as confident as the less confident of its two
        ends, so that an unseen joint is never invented.
    """
    fraction = (np.arange(1, count + 1) / count)[:, None, None]
    points = previous[None] + fraction * (current - previous)[None]
    points[:-1, :, 2] = np.minimum(previous[:, 2], current[:, 2])
    points[-1] = current
    return points


def split_rotation(rotation_previous_current: Array, count: int) -> Array:
    """The constant rotation of one of ``count`` equal sub-steps.

    Args:
        rotation_previous_current: (3, 3) rotation over the whole interval.
        count: number of sub-steps, >= 1.

    Returns:
        (3, 3) whose ``count``-th power is the given rotation.
    """
    if count == 1:
        return rotation_previous_current
    vector = Rotation.from_matrix(rotation_previous_current).as_rotvec()
    return Rotation.from_rotvec(vector / count).as_matrix()
