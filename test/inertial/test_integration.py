"""Gyroscope integration between arbitrary instants, against motions known in closed form."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humor_ros.inertial import CameraMotionEstimator, ImuSimulation, simulate_imu
from humor_ros.inertial.integration import (
    RateSample,
    cumulative_rotations,
    rate_segments,
    uncovered_time,
)
from humor_ros.inertial.so3 import exp_so3


def turned(samples, start, end, max_gap=0.1):
    pieces = rate_segments(samples, start, end, max_gap)
    return cumulative_rotations(pieces, np.eye(3))[-1] if pieces else np.eye(3)


def jittered_stamps(random, start, end, rate_hz):
    count = int((end - start) * rate_hz) + 1
    stamps = start + (np.arange(count) + random.uniform(-0.4, 0.4, count)) / rate_hz
    return np.unique(stamps)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(50.0, 1000.0),
    st.floats(0.0, 0.4),
    st.floats(0.005, 0.3),
)
def test_constant_rate_is_integrated_exactly(seed, rate_hz, start, duration):
    random = np.random.default_rng(seed)
    rate = random.normal(size=3) * 2
    samples = [RateSample(t, rate) for t in jittered_stamps(random, -0.1, 1.0, rate_hz)]
    expected = exp_so3(rate * duration)
    np.testing.assert_allclose(turned(samples, start, start + duration), expected, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(50.0, 1000.0))
def test_moving_camera_between_jittered_images_is_followed(rig, seed, rate_hz):
    """The error is that of linear interpolation of the rate: it falls with the rate's square."""
    attitude = rig.hand_held(seed)
    random = np.random.default_rng(seed)
    settings = ImuSimulation(rate_hz=rate_hz, stamp_jitter_s=0.2 / rate_hz, seed=seed)
    images = np.cumsum(random.uniform(0.01, 0.06, 30))
    estimator = CameraMotionEstimator()
    samples = simulate_imu(attitude, -0.1, images[-1] + 0.1, settings)
    motions = rig.play(estimator, samples, images, ahead_s=0.03)
    limit = 1e-5 + 4e-3 * (50.0 / rate_hz) ** 2
    total = np.eye(3)
    for before, now, motion in zip(images, images[1:], motions[1:], strict=False):
        truth = attitude(before).T @ attitude(now)
        assert rig.angle(truth, motion.rotation_previous_current) < limit
        total = total @ motion.rotation_previous_current
    assert rig.angle(attitude(images[0]).T @ attitude(images[-1]), total) < 10 * limit


def test_coning_motion_needs_and_gets_its_second_order_term():
    """A rate that swings from x to y within one piece: without the cross term, 1e-3 rad off."""
    h = 0.02
    samples = [RateSample(0.0, np.array([10.0, 0, 0])), RateSample(h, np.array([0, 10.0, 0]))]
    fine = [
        RateSample(t, np.array([10.0 * (1 - t / h), 10.0 * t / h, 0.0]))
        for t in np.linspace(0, h, 2001)
    ]
    mean_only = exp_so3(np.array([5.0, 5.0, 0.0]) * h)
    truth = turned(fine, 0.0, h)
    assert np.abs(truth - turned(samples, 0.0, h)).max() < 1e-4
    assert np.abs(truth - mean_only).max() > 1e-3


def test_pieces_span_the_interval_without_holes():
    samples = [RateSample(t, np.ones(3) * t) for t in (0.1, 0.2, 0.9, 1.0)]
    pieces = rate_segments(samples, 0.0, 1.5, 0.1)
    assert pieces[0].start_s == 0.0
    assert pieces[-1].end_s == 1.5
    for first, second in itertools.pairwise(pieces):
        assert first.end_s == second.start_s
    assert uncovered_time(pieces, 0.0, 1.5) == pytest.approx(0.6 + 0.4)


def test_silence_holds_the_last_rate_for_a_while_and_then_stands_still():
    samples = [RateSample(0.0, np.array([0, 0, 1.0])), RateSample(1.0, np.array([0, 0, 1.0]))]
    np.testing.assert_allclose(
        turned(samples, 0.0, 0.9), exp_so3(np.array([0, 0, 0.1])), atol=1e-12
    )


def test_nothing_is_turned_without_samples():
    pieces = rate_segments([], 0.0, 1.0, 0.1)
    assert uncovered_time(pieces, 0.0, 1.0) == 1.0
    np.testing.assert_array_equal(cumulative_rotations(pieces, np.eye(3))[-1], np.eye(3))


def test_an_empty_interval_has_no_pieces():
    assert rate_segments([RateSample(0.0, np.ones(3))], 1.0, 1.0, 0.1) == []
