"""Camera poses from odometry or TF: alone, beside an IMU, and in its place."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from humor_ros.inertial import (
    LEVEL_WORLD_CAMERA,
    CameraMotionEstimator,
    ImuSimulation,
    InertialConfig,
    heading,
    simulate_imu,
    static_camera,
)
from humor_ros.inertial.so3 import exp_so3, rotation_about_z
from humor_ros.types import CameraMotionMode

IMAGES = np.arange(0, 3, 1 / 30)


def place(t: float) -> np.ndarray:
    return np.array([2.0 + 0.5 * t, -1.0, 0.3])


def feed(estimator, attitude, start, end, rate_hz=40.0):
    for stamp in np.arange(start, end, 1 / rate_hz):
        estimator.add_camera_pose(stamp, attitude(stamp), place(stamp))


def test_odometry_alone_gives_rotation_position_and_its_own_heading(rig):
    pan = rig.panning(0.6)

    def attitude(t):
        return rotation_about_z(2.0) @ pan(t)

    estimator = CameraMotionEstimator()
    feed(estimator, attitude, -0.1, 3.1)
    previous = None
    for stamp in IMAGES:
        motion = estimator.motion_at(stamp)
        assert motion.mode is CameraMotionMode.ODOMETRY
        assert motion.gravity_known
        assert motion.position_known
        assert rig.angle(motion.rotation_world_camera, attitude(stamp)) < 1e-6
        np.testing.assert_allclose(motion.position_world_camera, place(stamp), atol=1e-9)
        if previous is not None:
            truth = attitude(previous).T @ attitude(stamp)
            assert rig.angle(truth, motion.rotation_previous_current) < 1e-6
        previous = stamp


def test_poses_are_extrapolated_a_little_and_then_given_up():
    estimator = CameraMotionEstimator(InertialConfig(max_pose_age_s=0.1))
    turn = rotation_about_z(0.1)
    estimator.add_camera_pose(0.0, LEVEL_WORLD_CAMERA, None)
    estimator.add_camera_pose(0.1, turn @ LEVEL_WORLD_CAMERA, None)
    assert estimator.motion_at(0.1).mode is CameraMotionMode.ODOMETRY
    near = estimator.motion_at(0.15)
    assert near.mode is CameraMotionMode.ODOMETRY
    assert heading(near.rotation_world_camera) == pytest.approx(0.15)
    assert not near.position_known
    far = estimator.motion_at(0.3)
    assert far.mode is CameraMotionMode.STATIC
    np.testing.assert_allclose(far.rotation_previous_current, np.eye(3), atol=1e-12)


def test_poses_far_apart_are_not_interpolated():
    estimator = CameraMotionEstimator()
    estimator.add_camera_pose(0.0, LEVEL_WORLD_CAMERA, None)
    estimator.add_camera_pose(5.0, LEVEL_WORLD_CAMERA, None)
    assert estimator.motion_at(2.0).mode is CameraMotionMode.STATIC


def test_the_position_is_held_when_odometry_is_lost(rig):
    estimator = CameraMotionEstimator()
    feed(estimator, rig.panning(), 0.0, 1.0)
    motions = [estimator.motion_at(stamp) for stamp in IMAGES]
    assert not motions[-1].position_known
    np.testing.assert_allclose(motions[-1].position_world_camera, place(1.05), atol=0.06)


def test_odometry_gives_the_heading_beside_an_imu(rig):
    pan = rig.panning(0.6)

    def attitude(t):
        return rotation_about_z(-2.5) @ pan(t)

    estimator = CameraMotionEstimator()
    feed(estimator, attitude, -0.1, 3.1)
    motions = rig.play(estimator, simulate_imu(attitude, -0.5, 3.1), IMAGES)
    for stamp, motion in zip(IMAGES, motions, strict=True):
        assert motion.mode is CameraMotionMode.IMU
        assert rig.angle(motion.rotation_world_camera, attitude(stamp)) < 1e-5


def test_odometry_bounds_the_heading_of_a_biased_gyroscope(rig):
    attitude = rig.panning(0.3)
    simulation = ImuSimulation(gyroscope_bias=(0.0, 0.01, 0.0))
    images = np.arange(0, 30, 0.1)
    estimator = CameraMotionEstimator(InertialConfig(buffer_s=60.0))
    feed(estimator, attitude, -0.1, 30.1)
    motions = rig.play(estimator, simulate_imu(attitude, -0.5, 30.1, simulation), images)
    assert rig.angle(motions[-1].rotation_world_camera, attitude(images[-1])) < 0.02
    assert math.sqrt(motions[-1].rotation_covariance[2, 2]) < math.radians(2)


def test_odometry_takes_over_from_a_lost_imu_and_gives_back_without_a_jump(rig):
    attitude = rig.panning(0.8)
    samples = [s for s in simulate_imu(attitude, -0.5, 3.1) if not 1.0 < s.stamp_s < 2.0]
    estimator = CameraMotionEstimator()
    feed(estimator, attitude, -0.1, 3.1)
    motions = rig.play(estimator, samples, IMAGES)
    modes = [motion.mode for motion in motions]
    assert modes[15] is CameraMotionMode.IMU
    assert modes[45] is CameraMotionMode.ODOMETRY
    assert modes[75] is CameraMotionMode.IMU
    for stamp, motion in zip(IMAGES, motions, strict=True):
        assert rig.angle(motion.rotation_world_camera, attitude(stamp)) < 1e-3


def test_odometry_that_comes_late_joins_the_world_there_is(rig):
    """Its own heading and origin differ: the world shown neither turns nor moves at once."""
    attitude = rig.panning(0.5)

    def in_odom(t):
        return rotation_about_z(1.0) @ attitude(t)

    estimator = CameraMotionEstimator()
    feed(estimator, in_odom, 1.0, 3.1)
    motions = rig.play(estimator, simulate_imu(attitude, -0.5, 3.1), IMAGES)
    for stamp, motion in zip(IMAGES, motions, strict=True):
        assert rig.angle(motion.rotation_world_camera, attitude(stamp)) < 1e-4
    positions = np.array([motion.position_world_camera for motion in motions])
    assert np.abs(np.diff(positions, axis=0)).max() < 0.03
    expected = rotation_about_z(-1.0) @ (place(IMAGES[-1]) - place(1.0))
    np.testing.assert_allclose(positions[-1] - positions[29], expected, atol=0.03)


def test_a_pose_that_disagrees_after_an_absence_turns_the_world_slowly(rig):
    config = InertialConfig()
    estimator = CameraMotionEstimator(config)
    for stamp in np.arange(0, 1, 0.05):
        estimator.add_camera_pose(stamp, LEVEL_WORLD_CAMERA, np.zeros(3))
    turned = rotation_about_z(1.5) @ LEVEL_WORLD_CAMERA
    for stamp in np.arange(2, 12, 0.05):
        estimator.add_camera_pose(stamp, turned, np.zeros(3))
    motions = [estimator.motion_at(stamp) for stamp in np.arange(0, 11.9, 1 / 30)]
    limit = config.max_correction_rate / 30 + 1e-9
    for before, now in itertools.pairwise(motions):
        assert rig.angle(before.rotation_world_camera, now.rotation_world_camera) <= limit
    assert rig.angle(motions[-1].rotation_world_camera, turned) < 0.01


def test_accelerometer_rules_tilt_where_odometry_is_tilted(rig):
    attitude = static_camera(0.2)
    estimator = CameraMotionEstimator()
    leaning = exp_so3(np.array([0.05, 0.1, 0.0]))
    feed(estimator, lambda t: leaning @ attitude(t), -0.1, 3.1)
    motions = rig.play(estimator, simulate_imu(attitude, -0.5, 3.1), IMAGES)
    assert rig.tilt(motions[-1].rotation_world_camera, attitude(0)) < 1e-6


def test_broken_poses_are_counted_and_left_out():
    estimator = CameraMotionEstimator()
    estimator.add_camera_pose(0.0, np.full((3, 3), np.nan), None)
    estimator.add_camera_pose(0.0, np.diag([1.0, 1.0, -1.0]), None)
    estimator.add_camera_pose(math.nan, np.eye(3), None)
    estimator.add_camera_pose(0.0, np.eye(3), np.array([0.0, math.inf, 0.0]))
    assert estimator.counters["pose_invalid"] == 4
    assert estimator.motion_at(0.0).mode is CameraMotionMode.STATIC


def test_repeated_and_unordered_poses_are_sorted_and_counted():
    estimator = CameraMotionEstimator()
    for stamp in (0.0, 0.2, 0.1, 0.1):
        turn = rotation_about_z(stamp)
        estimator.add_camera_pose(stamp, turn @ LEVEL_WORLD_CAMERA, np.zeros(3))
    assert estimator.counters["pose_out_of_order"] == 1
    assert estimator.counters["pose_duplicate"] == 1
    assert heading(estimator.motion_at(0.15).rotation_world_camera) == pytest.approx(0.15)


def test_a_pose_clock_that_jumps_back_is_counted_and_survived():
    estimator = CameraMotionEstimator()
    estimator.add_camera_pose(1000.0, LEVEL_WORLD_CAMERA, np.zeros(3))
    estimator.add_camera_pose(0.0, LEVEL_WORLD_CAMERA, np.zeros(3))
    assert estimator.counters["pose_clock_resets"] == 1
    assert estimator.motion_at(0.0).mode is CameraMotionMode.ODOMETRY


def test_a_position_of_the_wrong_shape_is_the_callers_mistake():
    with pytest.raises(ValueError, match="position_world_camera"):
        CameraMotionEstimator().add_camera_pose(0.0, np.eye(3), np.zeros(2))
