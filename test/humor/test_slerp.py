"""Rotations between stamps against SciPy's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from humor_ros.humor.slerp import rotations_at

STAMPS = np.array([0.0, 0.1, 0.35, 0.4])
TIMES = np.array([-1.0, 0.0, 0.02, 0.1, 0.3, 0.39, 0.4, 2.0])


def turns(*shape: int) -> np.ndarray:
    rotations = Rotation.random(int(np.prod(shape)), random_state=1)
    return rotations.as_matrix().reshape(*shape, 3, 3)


@pytest.mark.parametrize("many", [(), (5,), (2, 3)])
def test_every_joint_turns_as_scipy_says(many: tuple[int, ...]) -> None:
    matrices = turns(4, *many)
    found = rotations_at(STAMPS, matrices, TIMES)
    assert found.shape == (len(TIMES), *many, 3, 3)
    inside = np.clip(TIMES, STAMPS[0], STAMPS[-1])
    for index in np.ndindex(*many):
        one = Slerp(STAMPS, Rotation.from_matrix(matrices[(slice(None), *index)]))
        np.testing.assert_allclose(
            found[(slice(None), *index)], one(inside).as_matrix(), atol=1e-12
        )


def test_a_single_stamp_holds_for_all_times() -> None:
    matrices = turns(1, 3)
    found = rotations_at(np.array([5.0]), matrices, TIMES)
    np.testing.assert_allclose(found, np.repeat(matrices, len(TIMES), axis=0), atol=1e-12)


def test_no_times_give_no_rotations() -> None:
    assert rotations_at(STAMPS, turns(4, 2), np.zeros(0)).shape == (0, 2, 3, 3)
