"""Time offset and mounting found from turns that are seen, and brought in without a jump."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from humor_ros.inertial import InertialConfig
from humor_ros.inertial.self_calibration import SelfCalibrator, mounting_step, offset_step
from humor_ros.inertial.so3 import exp_so3, log_so3

MOUNT = exp_so3(np.array([0.4, -1.0, 0.7]))
DEGREE = np.pi / 180


def calibrator(rig, offset_s: float, wrong: np.ndarray, size: float, seconds: float = 20.0):
    """Fed with a moving camera whose IMU stamps are early by ``offset_s``."""
    random = np.random.default_rng(0)
    attitude = rig.hand_held(3, size=size)
    found = SelfCalibrator(InertialConfig(), exp_so3(wrong) @ MOUNT)
    bias = np.array([0.004, -0.006, 0.003])
    for stamp in np.arange(0.0, seconds, 0.005):
        rate = log_so3(attitude(stamp - 5e-4).T @ attitude(stamp + 5e-4)) / 1e-3
        found.add_imu(stamp - offset_s, MOUNT.T @ rate + bias + random.normal(size=3) * 0.003)
    for then in np.arange(1.0, seconds - 2.0, 1.0):
        for now in then + np.arange(0.1, 1.05, 0.1):
            error = random.normal(size=3) * 0.05 * DEGREE
            turn = exp_so3(error) @ attitude(then).T @ attitude(now)
            found.add_turn(then, now, turn, (0.05 * DEGREE) ** 2 * np.eye(3))
    return found.solve(seconds)


@pytest.mark.parametrize("offset_s", [0.0, 0.03, -0.02])
def test_offset_and_mounting_are_found(rig, offset_s):
    result = calibrator(rig, offset_s, np.array([0.05, -0.05, 0.05]), size=0.3)
    assert result.time_offset_s == pytest.approx(offset_s, abs=1.5e-3)
    wrong = log_so3(result.rotation_camera_imu @ MOUNT.T)
    assert np.linalg.norm(wrong) < 0.4 * DEGREE
    assert result.confident_offset
    assert result.confident_rotation
    np.testing.assert_allclose(result.gyroscope_bias, [0.004, -0.006, 0.003], atol=1e-3)


def test_a_camera_that_hardly_moves_tells_nothing(rig):
    result = calibrator(rig, 0.03, np.array([0.05, 0.0, 0.0]), size=0.001)
    assert not result.confident_rotation
    assert not result.confident_offset


def test_too_few_turns_give_no_answer():
    found = SelfCalibrator(InertialConfig(), MOUNT)
    for stamp in np.arange(0.0, 3.0, 0.005):
        found.add_imu(stamp, np.zeros(3))
    found.add_turn(0.5, 1.0, np.eye(3), 1e-6 * np.eye(3))
    assert found.solve(3.0) is None


def test_corrections_are_brought_in_slowly():
    applied, offsets = np.eye(3), [0.0]
    target = exp_so3(np.array([0.0, 0.1, 0.0]))
    turned = []
    for _ in range(600):
        turn = mounting_step(target, applied, 1 / 30)
        turned.append(np.linalg.norm(log_so3(turn)))
        applied = turn.T @ applied
        offsets.append(offset_step(0.03, offsets[-1], 1 / 30))
    assert max(turned) <= 1.01 * DEGREE / 30
    assert np.linalg.norm(log_so3(applied @ target.T)) < 1e-6
    assert max(b - a for a, b in itertools.pairwise(offsets)) <= 0.005 / 30 + 1e-12
    assert offsets[-1] == pytest.approx(0.03)
