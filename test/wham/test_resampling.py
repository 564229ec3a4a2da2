"""Images at any rate become network steps inside the trained range of speeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from humor_ros.wham.resampling import (
    MAX_GAP_S,
    MIN_INTERVAL_S,
    interpolate_keypoints,
    split_rotation,
    substep_count,
)


@given(st.floats(MIN_INTERVAL_S, MAX_GAP_S))
def test_every_substep_lasts_between_22_and_50_ms(interval_s: float) -> None:
    assert 0.022 <= interval_s / substep_count(interval_s) <= 0.0501


@pytest.mark.parametrize(
    ("rate_hz", "count"), [(45, 1), (30, 1), (29.97, 1), (25, 1), (15, 2), (10, 3), (5, 6)]
)
def test_usual_frame_rates(rate_hz: float, count: int) -> None:
    assert substep_count(1.0 / rate_hz) == count


@pytest.mark.parametrize("interval_s", [0.0, -0.1, float("nan"), float("inf")])
def test_an_interval_that_is_none_is_refused(interval_s: float) -> None:
    with pytest.raises(ValueError, match="interval_s"):
        substep_count(interval_s)


def test_substeps_end_at_the_new_image() -> None:
    rng = np.random.default_rng(0)
    before, now = rng.random((2, 17, 3))
    way = interpolate_keypoints(before, now, 4)
    np.testing.assert_array_equal(way[-1], now)
    np.testing.assert_allclose(way[1, :, :2], (before + now)[:, :2] / 2)


def test_a_joint_unseen_at_one_end_is_unseen_in_between() -> None:
    before, now = np.ones((17, 3)), np.ones((17, 3))
    before[3, 2] = 0.0
    way = interpolate_keypoints(before, now, 3)
    assert way[0, 3, 2] == way[1, 3, 2] == 0.0
    assert way[2, 3, 2] == 1.0


@given(st.integers(1, 8), st.integers(0, 2**31))
def test_a_split_rotation_multiplies_up_to_the_whole(count: int, seed: int) -> None:
    vector = np.random.default_rng(seed).uniform(-1.5, 1.5, 3)
    whole = Rotation.from_rotvec(vector).as_matrix()
    part = split_rotation(whole, count)
    np.testing.assert_allclose(np.linalg.matrix_power(part, count), whole, atol=1e-12)
