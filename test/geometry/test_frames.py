"""The fixed rotations take named axes to named axes."""

from __future__ import annotations

import numpy as np

from humor_ros.geometry import ROTATION_FLU_OPTICAL, ROTATION_YUP_YDOWN


def test_optical_axes_become_forward_left_up() -> None:
    right, down, forward = np.eye(3)
    np.testing.assert_array_equal(ROTATION_FLU_OPTICAL @ forward, [1, 0, 0])
    np.testing.assert_array_equal(ROTATION_FLU_OPTICAL @ right, [0, -1, 0])
    np.testing.assert_array_equal(ROTATION_FLU_OPTICAL @ down, [0, 0, -1])


def test_y_down_becomes_y_up() -> None:
    np.testing.assert_array_equal(ROTATION_YUP_YDOWN @ [1, 2, 3], [1, -2, -3])


def test_constants_are_rotations_and_read_only() -> None:
    for matrix in (ROTATION_FLU_OPTICAL, ROTATION_YUP_YDOWN):
        np.testing.assert_array_equal(matrix @ matrix.T, np.eye(3))
        assert np.linalg.det(matrix) == 1.0
        assert not matrix.flags.writeable
