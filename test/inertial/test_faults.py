"""Late, missing, repeated, broken and ill-timed samples, and what the counters say of them."""

from __future__ import annotations

import itertools
import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humor_ros.inertial import (
    COUNTERS,
    CameraMotionEstimator,
    InertialConfig,
    heading,
    simulate_imu,
    static_camera,
)
from humor_ros.inertial.so3 import exp_so3
from humor_ros.types import CameraMotionMode, ImuSample

IMAGES = np.arange(0, 3, 1 / 30)
#: A gyroscope known to have no bias, so that none is sought.
UNBIASED = InertialConfig(gyroscope_bias_stability=0.0, gyroscope_random_walk=0.0)


def without(samples, start, end):
    return [item for item in samples if not start <= item.stamp_s < end]


def total(motions):
    product = np.eye(3)
    for motion in motions:
        product = product @ motion.rotation_previous_current
    return product


def test_every_counter_is_described_and_starts_at_zero():
    estimator = CameraMotionEstimator()
    assert estimator.counters == dict.fromkeys(COUNTERS, 0)
    assert all(COUNTERS.values())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e6])
@pytest.mark.parametrize("axis", [0, 2])
def test_broken_rates_are_left_out_and_counted(rig, bad, axis):
    attitude = rig.hand_held(4)
    samples = list(simulate_imu(attitude, -0.5, 3.1))
    broken = range(50, len(samples) - 50, 10)
    for index in broken:
        rate = samples[index].angular_velocity.copy()
        rate[axis] = bad
        samples[index] = ImuSample(samples[index].stamp_s, rate, samples[index].linear_acceleration)
    estimator = CameraMotionEstimator()
    motions = rig.play(estimator, samples, IMAGES)
    assert estimator.counters["imu_invalid"] == len(broken)
    assert rig.angle(attitude(IMAGES[0]).T @ attitude(IMAGES[-1]), total(motions)) < 1e-3


def test_broken_accelerations_leave_the_rate_in_use(rig):
    attitude = rig.panning()
    samples = [
        ImuSample(s.stamp_s, s.angular_velocity, np.full(3, np.nan))
        for s in simulate_imu(attitude, -0.5, 3.1)
    ]
    estimator = CameraMotionEstimator()
    motions = rig.play(estimator, samples, IMAGES)
    assert estimator.counters["imu_acceleration_invalid"] >= 690
    assert not motions[-1].gravity_known
    assert rig.angle(attitude(0).T @ attitude(IMAGES[-1]), total(motions)) < 1e-9


@pytest.mark.parametrize("stamp", [math.nan, math.inf])
def test_broken_stamps_are_left_out_and_counted(stamp):
    estimator = CameraMotionEstimator()
    estimator.add_imu(ImuSample(stamp, np.zeros(3)))
    assert estimator.counters["imu_invalid"] == 1
    assert not estimator.hears_imu


def test_a_vector_of_the_wrong_shape_is_the_callers_mistake():
    with pytest.raises(ValueError, match="angular_velocity"):
        CameraMotionEstimator().add_imu(ImuSample(0.0, np.zeros(4)))
    with pytest.raises(ValueError, match="linear_acceleration"):
        CameraMotionEstimator().add_imu(ImuSample(0.0, np.zeros(3), np.zeros(2)))


def test_an_image_stamp_that_is_not_finite_is_the_callers_mistake():
    with pytest.raises(ValueError, match="stamp_s"):
        CameraMotionEstimator().motion_at(math.nan)


def test_duplicates_change_nothing_and_are_counted(rig):
    samples = list(simulate_imu(rig.hand_held(1), -0.5, 3.1))
    doubled = [item for item in samples for _ in range(2)]
    once, twice = CameraMotionEstimator(), CameraMotionEstimator()
    first = rig.play(once, samples, IMAGES)
    second = rig.play(twice, doubled, IMAGES)
    assert rig.angle(total(first), total(second)) < 1e-9
    assert twice.counters["imu_duplicate"] > 600


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_samples_out_of_order_within_an_interval_change_nothing(rig, seed):
    samples = list(simulate_imu(rig.hand_held(seed), 0.0, 1.0))
    ordered, shuffled = CameraMotionEstimator(), CameraMotionEstimator()
    random = np.random.default_rng(seed)
    for low in range(0, len(samples) - 7, 7):
        block = samples[low : low + 7]
        stamp = block[-1].stamp_s - 1e-3
        for item in block:
            ordered.add_imu(item)
        for index in random.permutation(7):
            shuffled.add_imu(block[index])
        first, second = ordered.motion_at(stamp), shuffled.motion_at(stamp)
        np.testing.assert_allclose(
            first.rotation_world_camera, second.rotation_world_camera, atol=1e-12
        )
    assert shuffled.counters["imu_late"] == 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.0, 0.08))
def test_samples_that_arrive_after_their_image_count_in_the_next_interval(rig, seed, delay):
    """Nothing is lost: after any delay within max_gap_s the sum is that of prompt samples."""
    attitude = rig.hand_held(seed)
    samples = list(simulate_imu(attitude, -0.5, 3.1))
    estimator = CameraMotionEstimator(UNBIASED)
    motions = rig.play(estimator, samples, IMAGES, ahead_s=-delay)
    for item in samples:
        if item.stamp_s > IMAGES[-1] - delay:
            estimator.add_imu(item)
    motions.append(estimator.motion_at(3.05))
    assert rig.angle(attitude(0.0).T @ attitude(3.05), total(motions)) < 2e-4
    assert {motion.mode for motion in motions} == {CameraMotionMode.IMU}


def test_motion_uses_no_sample_after_the_image_but_its_interpolation_partner(rig):
    attitude = rig.hand_held(6)
    samples = list(simulate_imu(attitude, -0.5, 3.1))
    just_enough, plenty = CameraMotionEstimator(), CameraMotionEstimator()
    first = rig.play(just_enough, samples, IMAGES, ahead_s=0.005)
    second = rig.play(plenty, samples, IMAGES, ahead_s=1.0)
    for one, other in zip(first, second, strict=True):
        assert rig.angle(one.rotation_world_camera, other.rotation_world_camera) < 1e-9


def test_a_short_silence_is_bridged(rig):
    attitude = rig.panning(1.0)
    samples = without(simulate_imu(attitude, -0.5, 3.1), 1.0, 1.09)
    estimator = CameraMotionEstimator()
    motions = rig.play(estimator, samples, IMAGES)
    assert {motion.mode for motion in motions} == {CameraMotionMode.IMU}
    assert estimator.counters["imu_gaps"] == 0
    assert rig.angle(attitude(0.0).T @ attitude(IMAGES[-1]), total(motions)) < 1e-6


def test_a_long_silence_is_static_counted_and_left_again(rig):
    attitude = rig.panning(1.0)
    samples = without(simulate_imu(attitude, -0.5, 3.1), 1.0, 2.0)
    estimator = CameraMotionEstimator()
    motions = rig.play(estimator, samples, IMAGES)
    modes = [motion.mode for motion in motions]
    assert modes[35] is CameraMotionMode.STATIC
    assert modes[-1] is CameraMotionMode.IMU
    assert modes.count(CameraMotionMode.STATIC) == pytest.approx(27, abs=2)
    assert estimator.counters["imu_gaps"] == 1
    assert estimator.counters["imu_missing_intervals"] == modes.count(CameraMotionMode.STATIC)
    assert motions[50].rotation_covariance[2, 2] > motions[30].rotation_covariance[2, 2]


def test_the_world_does_not_jump_when_the_imu_is_lost_and_comes_back(rig):
    attitude = rig.panning(1.0)
    samples = without(simulate_imu(attitude, -0.5, 3.1), 1.0, 2.0)
    config = InertialConfig()
    motions = rig.play(CameraMotionEstimator(config), samples, IMAGES)
    limit = 1.0 / 30 + config.max_correction_rate / 30 + 1e-6
    for before, now in itertools.pairwise(motions):
        assert rig.angle(before.rotation_world_camera, now.rotation_world_camera) <= limit


def test_tilt_recovers_soon_after_a_silence_in_which_the_camera_was_tilted(rig):
    def attitude(t):
        return static_camera(0.5 * min(max(t - 1.2, 0.0), 1.0))(t)

    images = np.arange(0, 6, 1 / 30)
    samples = without(simulate_imu(attitude, -0.5, 6.1), 1.0, 2.5)
    motions = rig.play(CameraMotionEstimator(), samples, images)
    assert rig.tilt(motions[-1].rotation_world_camera, attitude(6.0)) < math.radians(0.5)


def test_a_burst_after_a_stall_puts_the_heading_right_without_a_violent_turn(rig):
    attitude = rig.panning(1.0)
    samples = list(simulate_imu(attitude, -0.5, 5.1))
    images = np.arange(0, 5, 1 / 30)
    estimator = CameraMotionEstimator()
    queue, motions = list(samples), []
    for stamp in images:
        stalled = 1.0 <= stamp < 1.5
        while not stalled and queue and queue[0].stamp_s <= stamp + 0.01:
            estimator.add_imu(queue.pop(0))
        motions.append(estimator.motion_at(stamp))
    assert estimator.counters["imu_catch_ups"] == 1
    assert rig.angle(motions[-1].rotation_world_camera, attitude(images[-1])) < 1e-6
    for motion in motions:
        assert rig.angle(np.eye(3), motion.rotation_previous_current) < 0.05
    for before, now in itertools.pairwise(motions):
        assert rig.angle(before.rotation_world_camera, now.rotation_world_camera) < 0.05


def test_a_single_stamp_far_ahead_does_not_stop_the_imu(rig):
    attitude = rig.panning(1.0)
    samples = list(simulate_imu(attitude, -0.5, 3.1))
    samples.insert(200, ImuSample(1e6, np.zeros(3)))
    samples.insert(300, ImuSample(-50.0, np.zeros(3)))
    estimator = CameraMotionEstimator()
    for item in samples:
        estimator.add_imu(item)
    motions = [estimator.motion_at(stamp) for stamp in IMAGES]
    assert estimator.counters["imu_stamp_outliers"] == 2
    assert rig.angle(attitude(0.0).T @ attitude(IMAGES[-1]), total(motions)) < 1e-6


def test_a_first_stamp_far_ahead_is_recovered_from(rig):
    estimator = CameraMotionEstimator()
    estimator.add_imu(ImuSample(1e6, np.zeros(3)))
    motions = rig.play(estimator, simulate_imu(rig.panning(1.0), -0.5, 3.1), IMAGES)
    assert motions[-1].mode is CameraMotionMode.IMU
    assert estimator.counters["imu_clock_resets"] == 1


def test_an_imu_clock_that_jumps_back_alone_is_counted_and_survived(rig, caplog):
    estimator = CameraMotionEstimator()
    samples = list(simulate_imu(rig.panning(0.0), -0.5, 3.1))
    shifted = [
        ImuSample(s.stamp_s + (500.0 if s.stamp_s < 1.0 else 0.0), s.angular_velocity)
        for s in samples
    ]
    motions = []
    for stamp in IMAGES:
        while shifted and samples[len(samples) - len(shifted)].stamp_s <= stamp + 0.01:
            estimator.add_imu(shifted.pop(0))
        motions.append(estimator.motion_at(stamp))
    assert motions[15].mode is CameraMotionMode.STATIC
    assert motions[-1].mode is CameraMotionMode.IMU
    assert estimator.counters["imu_clock_resets"] == 1
    assert "jumped back" in caplog.text


def test_image_stamps_that_go_back_start_a_new_world(rig):
    """A bag that loops: the second round gives what the first gave."""
    attitude = rig.hand_held(3)
    samples = list(simulate_imu(attitude, -0.5, 3.1))
    estimator = CameraMotionEstimator()
    first = rig.play(estimator, samples, IMAGES)
    second = rig.play(estimator, samples, IMAGES)
    assert estimator.counters["image_clock_resets"] == 1
    assert second[0].interval_s == 0.0
    for one, other in zip(first, second, strict=True):
        assert other.mode is CameraMotionMode.IMU
        assert rig.angle(one.rotation_world_camera, other.rotation_world_camera) < 0.02


def test_the_same_image_stamp_twice_is_no_motion_and_counted(rig):
    estimator = CameraMotionEstimator()
    first, second = rig.play(estimator, simulate_imu(rig.panning(), -0.5, 1.0), [0.5, 0.5])
    assert estimator.counters["image_duplicate_stamps"] == 1
    assert second.interval_s == 0.0
    np.testing.assert_array_equal(second.rotation_previous_current, np.eye(3))
    np.testing.assert_allclose(second.rotation_world_camera, first.rotation_world_camera)


@pytest.mark.parametrize("offset", [-1e5, -3.0, 1e5, 1e9])
def test_an_imu_on_another_clock_is_found_counted_and_said_once(rig, caplog, offset):
    shifted = [
        ImuSample(s.stamp_s + offset, s.angular_velocity, s.linear_acceleration)
        for s in simulate_imu(rig.panning(), -0.5, 3.1)
    ]
    estimator = CameraMotionEstimator()
    motions = []
    with caplog.at_level(logging.WARNING):
        for index, stamp in enumerate(IMAGES):
            for item in shifted[index * 7 : index * 7 + 7]:
                estimator.add_imu(item)
            motions.append(estimator.motion_at(stamp))
    assert {motion.mode for motion in motions} == {CameraMotionMode.STATIC}
    assert estimator.counters["imu_clock_mismatch"] > 50
    assert caplog.text.count("one clock") == 1


def test_samples_are_bounded_while_no_image_comes():
    config = InertialConfig(buffer_s=2.0)
    estimator = CameraMotionEstimator(config)
    for sample in simulate_imu(static_camera(), 0.0, 20.0):
        estimator.add_imu(sample)
    assert estimator.counters["imu_buffer_overflows"] > 0
    assert estimator.motion_at(20.0).mode is CameraMotionMode.IMU


def test_images_that_pause_lose_no_rotation(rig):
    attitude = rig.panning(0.7)
    motions = rig.play(
        CameraMotionEstimator(), simulate_imu(attitude, -0.5, 12.1), [0.0, 0.1, 12.0]
    )
    assert rig.angle(attitude(0.0).T @ attitude(12.0), total(motions)) < 1e-6


def test_reset_starts_a_new_world_and_keeps_the_counts(rig):
    attitude = rig.panning(1.0)
    estimator = CameraMotionEstimator()
    rig.play(estimator, simulate_imu(attitude, -0.5, 1.02), [0.0, 0.5])
    estimator.add_imu(ImuSample(math.nan, np.zeros(3)))
    estimator.reset("test")
    motion = estimator.motion_at(0.52)
    assert motion.interval_s == 0.0
    assert estimator.counters["imu_invalid"] == 1
    assert estimator.counters["resets"] == 1
    assert heading(motion.rotation_world_camera) == pytest.approx(0.0, abs=1e-9)


def test_reset_keeps_the_samples_that_tell_the_gravity_of_the_next_image(rig):
    estimator = CameraMotionEstimator()
    rig.play(estimator, simulate_imu(static_camera(0.4), -0.5, 1.0), [0.0, 0.95])
    estimator.reset("test")
    motion = estimator.motion_at(0.99)
    assert motion.gravity_known
    assert rig.angle(motion.rotation_world_camera, static_camera(0.4)(0)) < 1e-6


def test_reset_drops_the_samples_of_another_time(rig):
    """The owner resets because its clock went back, before the IMU's did."""
    estimator = CameraMotionEstimator()
    rig.play(estimator, simulate_imu(static_camera(0.4), 99.0, 101.0), [100.0, 100.5])
    estimator.reset("stamps went back")
    assert not estimator.motion_at(2.0).gravity_known
    motions = rig.play(
        estimator, simulate_imu(static_camera(0.4), 2.0, 3.1), np.arange(2.03, 3.0, 0.03)
    )
    assert motions[-1].mode is CameraMotionMode.IMU
    assert motions[-1].gravity_known


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_whatever_comes_the_answers_are_rotations(seed):
    """Random order of samples, poses and images with wild stamps and values."""
    random = np.random.default_rng(seed)
    estimator = CameraMotionEstimator(InertialConfig(buffer_s=2.0))
    clock = 0.0
    wild = [0.0, 0.0, 0.0, 0.0, 1e-12, -0.02, 0.5, -0.5, 3.0, -3.0, 1e5, -1e5, math.nan]
    for _ in range(150):
        clock += random.uniform(0.0, 0.03)
        stamp = clock + random.choice(wild)
        kind = random.integers(0, 10)
        if kind < 6:
            rate = random.normal(size=3) * random.choice([0.1, 1.0, 50.0, math.inf])
            force = random.normal(size=3) * random.choice([0.0, 5.0, 9.8, 1e4])
            estimator.add_imu(ImuSample(stamp, rate, force if random.uniform() < 0.7 else None))
        elif kind < 8:
            estimator.add_camera_pose(stamp, exp_so3(random.normal(size=3)), random.normal(size=3))
        elif kind == 8 and random.uniform() < 0.05:
            estimator.reset("test")
        elif math.isfinite(stamp):
            motion = estimator.motion_at(stamp)
            for rotation in (motion.rotation_previous_current, motion.rotation_world_camera):
                np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
                assert np.linalg.det(rotation) > 0
            assert np.isfinite(motion.position_world_camera).all()
            assert np.linalg.eigvalsh(motion.rotation_covariance).min() > -1e-12
            assert motion.interval_s >= 0
