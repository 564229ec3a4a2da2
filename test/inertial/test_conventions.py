"""Mounting of the IMU and the direction of the rotation between images."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.inertial import (
    CameraMotionEstimator,
    ImuSimulation,
    InertialConfig,
    simulate_imu,
    static_camera,
)
from humor_ros.inertial.so3 import exp_so3
from humor_ros.types import CameraMotionMode, ImuSample

#: REP-103 body axes (x forward, y left, z up) to optical axes.
BODY_TO_OPTICAL = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize("mount", [BODY_TO_OPTICAL, exp_so3(np.array([0.3, -1.2, 2.0]))])
def test_mounting_does_not_matter_when_extrinsics_are_right(rig, mount):
    attitude = rig.hand_held(5)
    images = np.arange(0, 2, 1 / 30)
    simulation = ImuSimulation(rotation_camera_imu=mount)
    mounted = rig.play(
        CameraMotionEstimator(InertialConfig(rotation_camera_imu=mount)),
        simulate_imu(attitude, -0.5, 2.1, simulation),
        images,
    )
    optical = rig.play(CameraMotionEstimator(), simulate_imu(attitude, -0.5, 2.1), images)
    for first, second in zip(mounted, optical, strict=True):
        np.testing.assert_allclose(
            first.rotation_previous_current, second.rotation_previous_current, atol=1e-10
        )
        np.testing.assert_allclose(
            first.rotation_world_camera, second.rotation_world_camera, atol=1e-10
        )


def test_rotation_previous_current_is_exp_of_the_rate(rig):
    rate = np.array([0.1, -0.4, 0.7])
    samples = [ImuSample(t, rate) for t in np.arange(-0.1, 1.0, 0.01)]
    motion = rig.play(CameraMotionEstimator(), samples, [0.5, 0.533])[-1]
    np.testing.assert_allclose(motion.rotation_previous_current, exp_so3(rate * 0.033), atol=1e-12)
    assert motion.interval_s == pytest.approx(0.033)


def test_golden_angular_velocity_is_this_rotation_minus_identity_times_rate(shared_golden):
    """WHAM's 6D angular velocity from R_k R_{k+1}^T, spec section 2, with a gyro between."""
    golden = np.load(shared_golden / "wham" / "preproc_golden.npz")
    trajectory = golden["in/dpvo_traj_xyz_qxyzw"].astype(np.float64)
    expected = golden["out/cam_angvel_dpvo_fps30"]
    from scipy.spatial.transform import Rotation

    attitude = Rotation.from_quat(trajectory[:, 3:]).as_matrix()  # camera to world
    estimator = CameraMotionEstimator()
    steps = []
    for index in range(len(attitude)):
        estimator.add_camera_pose(index / 30, attitude[index], trajectory[index, :3])
        steps.append(estimator.motion_at(index / 30).rotation_previous_current)
    # first two rows, row-major; the published demo shifts by one: entry k is k to k + 1
    found = (np.array(steps)[1:, :2].reshape(-1, 6) - [1, 0, 0, 0, 1, 0]) * 30
    np.testing.assert_allclose(found, expected[:-1], atol=2e-4)


def test_a_gyroscope_between_golden_attitudes_gives_the_same_rotation(shared_golden):
    golden = np.load(shared_golden / "wham" / "preproc_golden.npz")
    from scipy.spatial.transform import Rotation

    attitude = Rotation.from_quat(golden["in/dpvo_traj_xyz_qxyzw"][:, 3:].astype(np.float64))
    between = (attitude[:-1].inv() * attitude[1:]).as_rotvec() * 30
    estimator = CameraMotionEstimator()
    estimator.motion_at(0.0)
    found = []
    for index, rate in enumerate(between):
        # two samples just inside each interval make the rate (nearly) constant over it
        for stamp in (index / 30 + 1e-7, (index + 1) / 30 - 1e-7):
            estimator.add_imu(ImuSample(stamp, rate))
        found.append(estimator.motion_at((index + 1) / 30).rotation_previous_current)
    rows = (np.array(found)[:, :2].reshape(-1, 6) - [1, 0, 0, 0, 1, 0]) * 30
    np.testing.assert_allclose(rows, golden["out/cam_angvel_dpvo_fps30"][:-1], atol=1e-3)


def test_unknown_extrinsics_keep_the_imu_out_and_are_counted(rig):
    estimator = CameraMotionEstimator(InertialConfig(rotation_camera_imu=None))
    motions = rig.play(estimator, simulate_imu(rig.panning(), -0.1, 0.5), [0.0, 0.2])
    assert motions[-1].mode is CameraMotionMode.STATIC
    assert not estimator.has_extrinsics
    assert estimator.counters["imu_without_extrinsics"] > 0


def test_extrinsics_that_come_late_bring_the_imu_in(rig):
    estimator = CameraMotionEstimator(InertialConfig(rotation_camera_imu=None))
    estimator.motion_at(0.0)
    estimator.set_extrinsics(BODY_TO_OPTICAL)
    simulation = ImuSimulation(rotation_camera_imu=BODY_TO_OPTICAL)
    attitude = static_camera(0.3)
    samples = simulate_imu(attitude, 0.1, 6.0, simulation)
    motions = rig.play(estimator, samples, np.arange(0.1, 5.9, 1 / 30))
    assert motions[-1].mode is CameraMotionMode.IMU
    assert rig.angle(motions[-1].rotation_world_camera, attitude(0)) < 1e-3


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((3, 3)),
        np.eye(4),
        np.diag([1.0, 1.0, -1.0]),
        np.full((3, 3), np.nan),
        2 * np.eye(3),
    ],
)
def test_extrinsics_that_are_no_rotation_are_refused_by_name(matrix):
    with pytest.raises(ValueError, match="rotation_camera_imu"):
        CameraMotionEstimator().set_extrinsics(matrix)
    with pytest.raises(ValueError, match="rotation_camera_imu"):
        InertialConfig(rotation_camera_imu=matrix)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_gap_s", 0.0),
        ("gravity", -1.0),
        ("buffer_s", float("nan")),
        ("gyroscope_noise_density", -1e-3),
        ("gyroscope_bias", (0.0, 1.0)),
    ],
)
def test_config_refuses_what_is_out_of_range_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        InertialConfig(**{field: value})


def test_known_bias_is_taken_off(rig):
    bias = (0.02, -0.03, 0.01)
    config = InertialConfig(gyroscope_bias=bias)
    samples = simulate_imu(static_camera(), -0.5, 2.1, ImuSimulation(gyroscope_bias=bias))
    for motion in rig.play(CameraMotionEstimator(config), samples, np.arange(0, 2, 1 / 30)):
        np.testing.assert_allclose(motion.rotation_previous_current, np.eye(3), atol=1e-9)


def test_time_offset_brings_the_imu_to_the_images_clock(rig):
    attitude = rig.hand_held(2)
    shifted = [
        ImuSample(s.stamp_s - 7.5, s.angular_velocity, s.linear_acceleration)
        for s in simulate_imu(attitude, -0.5, 2.1)
    ]
    images = np.arange(0, 2, 1 / 30)
    estimator = CameraMotionEstimator(InertialConfig(imu_time_offset_s=7.5))
    for sample in shifted:
        estimator.add_imu(sample)
    plain = rig.play(CameraMotionEstimator(), simulate_imu(attitude, -0.5, 2.1), images)
    for stamp, motion in zip(images, plain, strict=True):
        found = estimator.motion_at(stamp).rotation_previous_current
        assert rig.angle(found, motion.rotation_previous_current) < 1e-7
