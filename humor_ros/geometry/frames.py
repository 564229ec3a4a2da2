"""Fixed rotations between the axis conventions of cameras, networks and ROS.

All are NumPy (3, 3) float64, read-only, named ``ROTATION_TARGET_SOURCE``.
"""

from __future__ import annotations

import numpy as np

from humor_ros.types import Array

__all__ = ["ROTATION_FLU_OPTICAL", "ROTATION_YUP_YDOWN"]


def _constant(rows: list[list[float]]) -> Array:
    matrix = np.array(rows, dtype=np.float64)
    matrix.setflags(write=False)
    return matrix


#: Optical axes (x right, y down, z forward) to REP-103 axes (x forward, y left, z up). It also
#: turns a y-down, z-forward world into the z-up world whose x axis is that forward.
ROTATION_FLU_OPTICAL = _constant([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])

#: Half a turn about x: a y-down world to the y-up world of graphics, and back.
ROTATION_YUP_YDOWN = _constant([[1, 0, 0], [0, -1, 0], [0, 0, -1]])
