"""The filter of what is told: less jitter at rest, little lag in motion, exact rotations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from humor_ros.wham.output_filter import RotationFilter

DT = 1 / 30


def run(measured: list[np.ndarray], cutoff: float, per_speed: float) -> list[np.ndarray]:
    state = RotationFilter.start(measured[0])
    told = [state.rotations]
    for rotations in measured[1:]:
        state = state.step(rotations, DT, cutoff, per_speed)
        told.append(state.rotations)
    return told


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (Rotation.from_matrix(a).inv() * Rotation.from_matrix(b)).magnitude()


def test_jitter_at_rest_shrinks_several_times():
    rng = np.random.default_rng(0)
    rest = Rotation.random(24, random_state=1)
    noisy = [
        (rest * Rotation.from_rotvec(0.005 * rng.normal(size=(24, 3)))).as_matrix()
        for _ in range(200)
    ]
    told = run(noisy, 0.5, 0.5)
    steps = [angles(a, b).mean() for a, b in pairwise(told[50:])]
    before = [angles(a, b).mean() for a, b in pairwise(noisy[50:])]
    assert np.mean(steps) < 0.4 * np.mean(before)
    assert angles(told[-1], rest.as_matrix()).max() < 0.01


def test_a_fast_turn_is_followed_within_a_frame():
    turning = [Rotation.from_rotvec([[0.0, 0.0, 6.0 * DT * k]]).as_matrix() for k in range(60)]
    told = run(turning, 1.0, 2.0)
    assert angles(told[-1], turning[-1])[0] < 6.0 * DT


def test_rotations_stay_rotations_and_a_constant_stays():
    start = Rotation.random(5, random_state=3).as_matrix()
    told = run([start] * 20, 1.0, 1.0)[-1]
    np.testing.assert_allclose(told, start, atol=1e-9)
    np.testing.assert_allclose(
        told @ told.transpose(0, 2, 1), np.eye(3)[None].repeat(5, 0), atol=1e-9
    )


@pytest.mark.parametrize("interval_s", [0.0, -1.0])
def test_without_time_between_it_starts_anew(interval_s):
    first = Rotation.random(2, random_state=4).as_matrix()
    second = Rotation.random(2, random_state=5).as_matrix()
    state = RotationFilter.start(first).step(second, interval_s, 1.0, 1.0)
    assert np.array_equal(state.rotations, second)
