"""Rotations of many joints between stamps, all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from humor_ros.types import Array

__all__ = ["rotations_at"]


def rotations_at(stamps: Array, matrices: NDArray[Any], times: Array) -> Array:
    """Go along the shortest turn from one stamp to the next (Slerp).

    SciPy's own takes one rotation a stamp; calls for each of a body's joints cost ten times as
    much as the turns do.

    Args:
        stamps: (m,) growing.
        matrices: (m, ..., 3, 3) rotations at the stamps.
        times: (n,); those beyond the stamps take the nearest.

    Returns:
        (n, ..., 3, 3).
    """
    right = np.clip(np.searchsorted(stamps, times), 1, max(1, len(stamps) - 1))
    right = np.minimum(right, len(stamps) - 1)
    left = np.maximum(right - 1, 0)
    span = stamps[right] - stamps[left]
    share = np.divide(times - stamps[left], span, out=np.zeros(len(times)), where=span > 0)
    share = np.clip(share, 0.0, 1.0)
    many = matrices.shape[1:-2]
    turns = np.repeat(share, int(np.prod(many)))[:, None]
    start = Rotation.from_matrix(matrices[left].astype(np.float64).reshape(-1, 3, 3))
    end = Rotation.from_matrix(matrices[right].astype(np.float64).reshape(-1, 3, 3))
    between = start * Rotation.from_rotvec((start.inv() * end).as_rotvec() * turns)
    result: Array = between.as_matrix().reshape(len(times), *many, 3, 3)
    return result
