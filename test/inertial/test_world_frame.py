"""Gravity, heading and covariance of the world that the camera's attitude is given in."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humor_ros.inertial import (
    LEVEL_WORLD_CAMERA,
    CameraMotionEstimator,
    ImuSimulation,
    InertialConfig,
    heading,
    simulate_imu,
    static_camera,
)
from humor_ros.inertial.so3 import exp_so3, log_so3
from humor_ros.types import CameraMotionMode, ImuSample

DEGREE = math.pi / 180
NOISY = ImuSimulation(gyroscope_noise_density=2e-4, accelerometer_noise_density=2e-3)


@settings(deadline=None, max_examples=40)
@given(st.floats(-1.4, 1.4), st.floats(-3.1, 3.1))
def test_first_image_is_upright_with_heading_zero(rig, pitch_down, roll):
    attitude = static_camera(pitch_down, roll)
    motion = rig.play(CameraMotionEstimator(), simulate_imu(attitude, -0.5, 0.1), [0.0])[0]
    assert motion.gravity_known
    assert rig.angle(motion.rotation_world_camera, attitude(0.0)) < 1e-6


@pytest.mark.parametrize("pitch_down", [math.pi / 2, -math.pi / 2, 1.55])
def test_straight_up_or_down_takes_the_upper_edge_for_heading(rig, pitch_down):
    samples = simulate_imu(static_camera(pitch_down), -0.2, 0.1)
    motion = rig.play(CameraMotionEstimator(), samples, [0.0])[0]
    upper_edge = -motion.rotation_world_camera[:, 1]
    np.testing.assert_allclose(upper_edge[:2], [abs(math.sin(pitch_down)), 0.0], atol=1e-6)


def test_one_sample_before_the_first_image_is_enough_for_tilt(rig):
    sample = next(simulate_imu(static_camera(0.4), -0.004, 0.0))
    motion = rig.play(CameraMotionEstimator(), [sample], [0.0])[0]
    assert motion.gravity_known
    assert rig.angle(motion.rotation_world_camera, static_camera(0.4)(0)) < 1e-9


def test_knocks_before_the_first_image_do_not_spoil_tilt(rig):
    samples = list(simulate_imu(static_camera(0.4), -0.5, 0.0, NOISY))
    for index in range(10, 40):
        force = np.array([8.0, -3.0, 30.0 if index % 2 else -30.0])
        samples[index] = ImuSample(samples[index].stamp_s, np.zeros(3), force)
    motion = rig.play(CameraMotionEstimator(), samples, [0.0])[0]
    assert rig.tilt(motion.rotation_world_camera, static_camera(0.4)(0)) < 1 * DEGREE


def test_turning_before_the_first_image_does_not_spoil_tilt(rig):
    attitude = rig.hand_held(3)
    motion = rig.play(CameraMotionEstimator(), simulate_imu(attitude, -0.5, 0.1), [0.0])[0]
    assert rig.tilt(motion.rotation_world_camera, attitude(0.0)) < 0.2 * DEGREE


def test_without_any_sensor_the_camera_is_level_and_says_so():
    motion = CameraMotionEstimator().motion_at(12.0)
    assert motion.mode is CameraMotionMode.STATIC
    assert not motion.gravity_known
    np.testing.assert_array_equal(motion.rotation_world_camera, LEVEL_WORLD_CAMERA)
    assert motion.rotation_covariance[0, 0] > (10 * DEGREE) ** 2


def test_moving_camera_keeps_attitude_in_the_world(rig):
    attitude = rig.panning(0.6)
    images = np.arange(0, 10, 1 / 30)
    motions = rig.play(CameraMotionEstimator(), simulate_imu(attitude, -0.5, 10.1), images)
    for stamp, motion in zip(images, motions, strict=True):
        assert rig.angle(motion.rotation_world_camera, attitude(stamp)) < 1e-5


def test_previous_current_composes_to_world_when_nothing_needs_correcting(rig):
    images = np.arange(0, 2, 1 / 30)
    motions = rig.play(
        CameraMotionEstimator(), simulate_imu(rig.panning(), -0.5, 2.1, NOISY), images
    )
    for before, now in itertools.pairwise(motions):
        composed = before.rotation_world_camera @ now.rotation_previous_current
        assert rig.angle(composed, now.rotation_world_camera) < 0.1 * DEGREE


def test_accelerometer_bounds_tilt_under_gyroscope_bias(rig):
    bias = 0.5 * DEGREE
    simulation = ImuSimulation(
        gyroscope_noise_density=2e-4,
        accelerometer_noise_density=2e-3,
        gyroscope_bias=(bias, -bias, bias),
    )
    attitude = rig.hand_held(1)
    images = np.arange(0, 20, 1 / 30)
    motions = rig.play(
        CameraMotionEstimator(), simulate_imu(attitude, -0.5, 20.1, simulation), images
    )
    tilts = [
        rig.tilt(motion.rotation_world_camera, attitude(stamp))
        for stamp, motion in zip(images, motions, strict=True)
    ]
    assert max(tilts) < 4 * DEGREE
    drift = rig.angle(motions[-1].rotation_world_camera, attitude(images[-1]))
    assert drift > 5 * DEGREE  # heading is not observable here


def test_short_strong_accelerations_do_not_tilt_the_world(rig):
    def bump(t: float) -> np.ndarray:
        return np.array([0.3 * math.sin(2 * math.pi * 1.5 * t), 0.1 * math.sin(9.0 * t), 0.0])

    attitude = static_camera(0.3)
    images = np.arange(0, 5, 1 / 30)
    samples = simulate_imu(attitude, -0.5, 5.1, NOISY, position_world_camera=bump)
    motions = rig.play(CameraMotionEstimator(), samples, images)
    tilt = rig.tilt(motions[-1].rotation_world_camera, attitude(0))
    assert tilt < 6 * DEGREE  # under 2.7 g of shaking
    assert tilt < 3 * math.sqrt(motions[-1].rotation_covariance[0, 0])


def test_corrections_of_tilt_are_not_reported_as_camera_motion(rig):
    """The camera stands still while a wrong first tilt is put right."""
    wrong = [ImuSample(-0.01, np.zeros(3), np.array([0.0, -9.8, 2.0]))]
    rest = list(simulate_imu(static_camera(), 0.005, 5.0))
    motions = rig.play(CameraMotionEstimator(), wrong + rest, np.arange(0, 4.9, 1 / 30))
    assert rig.tilt(motions[0].rotation_world_camera, LEVEL_WORLD_CAMERA) > 5 * DEGREE
    assert rig.tilt(motions[-1].rotation_world_camera, LEVEL_WORLD_CAMERA) < 0.5 * DEGREE
    for motion in motions:  # no more than the bias that is being learnt
        np.testing.assert_allclose(motion.rotation_previous_current, np.eye(3), atol=2e-4)


def test_gravity_that_comes_late_turns_the_world_slowly(rig):
    config = InertialConfig()
    attitude = static_camera(0.5)
    images = np.arange(0, 6, 1 / 30)
    motions = rig.play(CameraMotionEstimator(config), simulate_imu(attitude, 2.0, 6.1), images)
    assert not motions[0].gravity_known
    assert motions[-1].gravity_known
    assert rig.tilt(motions[-1].rotation_world_camera, attitude(0)) < 0.1 * DEGREE
    step = config.max_correction_rate / 30 + 1e-9
    for before, now in itertools.pairwise(motions):
        assert rig.angle(before.rotation_world_camera, now.rotation_world_camera) <= step


def test_gravity_just_after_the_first_image_is_shown_at_once(rig):
    motions = rig.play(
        CameraMotionEstimator(),
        simulate_imu(static_camera(0.5), 0.002, 1.0),
        np.arange(0, 0.2, 1 / 30),
        ahead_s=0.0,
    )
    assert not motions[0].gravity_known
    assert motions[1].gravity_known
    assert rig.angle(motions[1].rotation_world_camera, static_camera(0.5)(0)) < 1e-6


@pytest.mark.parametrize("scale", [0.0, 0.1, 3.0])
def test_accelerations_far_from_gravity_are_not_believed_and_counted(rig, scale):
    samples = [
        ImuSample(t, np.zeros(3), np.array([0.0, -9.8, 3.0]) * scale)
        for t in np.arange(-0.5, 1.0, 0.005)
    ]
    estimator = CameraMotionEstimator()
    motion = rig.play(estimator, samples, [0.0, 0.5])[-1]
    assert not motion.gravity_known
    assert motion.mode is CameraMotionMode.IMU
    assert estimator.counters["accelerometer_untrusted"] > 0


def test_gyroscope_alone_gives_rotation_without_gravity(rig):
    attitude = rig.panning(0.4, pitch_down=0.0)
    samples = [ImuSample(s.stamp_s, s.angular_velocity) for s in simulate_imu(attitude, -0.1, 2.1)]
    motion = rig.play(CameraMotionEstimator(), samples, np.arange(0, 2, 1 / 30))[-1]
    assert motion.mode is CameraMotionMode.IMU
    assert not motion.gravity_known
    assert rig.angle(motion.rotation_world_camera, attitude(motion.stamp_s)) < 1e-6


def test_heading_uncertainty_grows_and_tilt_stays_bounded(rig):
    images = np.arange(0, 20, 1 / 15)
    samples = simulate_imu(rig.hand_held(4), -0.5, 20.1, NOISY)
    motions = rig.play(CameraMotionEstimator(), samples, images)
    covariance = np.array([motion.rotation_covariance for motion in motions])
    assert np.all(np.diff(covariance[::15, 2, 2]) > 0)
    assert covariance[:, 0, 0].max() < (2.5 * DEGREE) ** 2
    for matrix in covariance[::50]:
        assert np.linalg.eigvalsh(matrix).min() >= 0


def test_stated_covariance_covers_the_error_under_the_stated_bias(rig):
    """Bias drawn from gyroscope_bias_stability: about 95 % of 3-sigma-square errors inside."""
    inside = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        config = InertialConfig()
        bias = tuple(random.normal(size=3) * config.gyroscope_bias_stability)
        simulation = ImuSimulation(
            rate_hz=100, gyroscope_noise_density=1.5e-4, gyroscope_bias=bias, seed=seed
        )
        attitude = rig.hand_held(seed, size=0.1)
        samples = simulate_imu(attitude, -0.5, 10.1, simulation)
        motion = rig.play(CameraMotionEstimator(config), samples, np.arange(0, 10, 0.1))[-1]
        start = attitude(0.0)
        truth = exp_so3(np.array([0, 0, -heading(start)])) @ attitude(motion.stamp_s)
        error = log_so3(motion.rotation_world_camera @ truth.T)
        distance = error @ np.linalg.solve(motion.rotation_covariance, error)
        inside += distance < 7.81
    assert inside >= 17
