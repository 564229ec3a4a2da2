"""TF jumps (REP-105): the world follows slowly, and says meanwhile that it is off."""

from __future__ import annotations

import math

import numpy as np

from humor_ros.inertial import CameraMotionEstimator, ImuSimulation, heading, simulate_imu
from humor_ros.inertial.so3 import log_so3, rotation_about_z

IMAGES = np.arange(0.0, 6.0, 1 / 30)
JUMP_S = 3.0
TURN = math.radians(25.0)


def poses(estimator, attitude, low, high):
    """Odometry at 30 Hz, which turns and shifts at once at ``JUMP_S``."""
    for stamp in np.arange(low, high, 1 / 30):
        jumped = stamp >= JUMP_S
        turn = rotation_about_z(TURN if jumped else 0.0)
        place = np.array([2.0, 0.0, 0.0]) * jumped
        estimator.add_camera_pose(float(stamp), turn @ attitude(stamp), place)


def test_odometry_alone_that_jumps_is_no_turn_of_the_camera(rig):
    attitude = rig.panning(0.3)
    estimator = CameraMotionEstimator()
    poses(estimator, attitude, 0.0, 6.1)
    motions = [estimator.motion_at(stamp) for stamp in IMAGES]
    turns = [np.linalg.norm(log_so3(m.rotation_previous_current)) for m in motions[1:]]
    assert max(turns) < math.radians(2.0)
    assert estimator.counters["pose_jumps"] >= 1
    shown = [heading(m.rotation_world_camera) for m in motions]
    steps = np.abs(np.diff(np.unwrap(shown)))
    assert steps.max() < 0.35 / 30 + 0.3 / 30 + 1e-3
    end = heading(rotation_about_z(TURN) @ attitude(IMAGES[-1]))
    assert abs(math.remainder(shown[-1] - end, 2 * math.pi)) < math.radians(4.0)


def test_beside_an_imu_a_jump_of_heading_is_taken_in_slowly_and_stated(rig):
    attitude = rig.panning(0.3)
    samples = list(simulate_imu(attitude, -0.5, 6.1, ImuSimulation()))
    estimator = CameraMotionEstimator()
    poses(estimator, attitude, 0.0, 6.1)
    motions = rig.play(estimator, samples, IMAGES)
    inside = []
    for stamp, motion in zip(IMAGES, motions, strict=True):
        turn = rotation_about_z(TURN if stamp >= JUMP_S else 0.0)
        error = log_so3(motion.rotation_world_camera @ (turn @ attitude(stamp)).T)
        inside.append(error[2] ** 2 < 9.0 * motion.rotation_covariance[2, 2])
    assert np.mean(inside) > 0.95
    shown = np.unwrap([heading(m.rotation_world_camera) for m in motions])
    assert np.abs(np.diff(shown)).max() < 0.35 / 30 + 0.3 / 30 + 1e-3
