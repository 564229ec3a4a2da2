"""A magnetometer holds the heading that a biased gyroscope loses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from humor_ros.inertial import CameraMotionEstimator, InertialConfig, heading
from humor_ros.inertial.gravity import LEVEL_WORLD_CAMERA
from humor_ros.types import ImuSample

#: µT, x forward, y left, z up, of central Europe; the camera looks 40 degrees off north.
FIELD = np.array([20.0 * math.cos(0.7), 20.0 * math.sin(0.7), -43.0])
BIAS = np.array([0.0, -0.01, 0.0])  # about the camera's down axis: 0.57 deg/s
IMAGES = np.arange(0.0, 20.0, 1 / 30)


def play(disturbance=None, magnetometer: bool = True) -> CameraMotionEstimator:
    """A camera at rest but for a tremble that no rest detector takes for rest."""
    estimator = CameraMotionEstimator(InertialConfig(gyroscope_noise_density=1e-3))
    random = np.random.default_rng(0)
    up = LEVEL_WORLD_CAMERA.T @ [0.0, 0.0, 9.80665]
    fields = LEVEL_WORLD_CAMERA.T @ FIELD
    stamp = -0.5
    for image in IMAGES:
        while stamp <= image:
            force = up + random.normal(size=3) * 0.5
            estimator.add_imu(ImuSample(stamp, BIAS + random.normal(size=3) * 0.05, force))
            if magnetometer:
                bent = np.zeros(3) if disturbance is None else disturbance(stamp)
                estimator.add_magnetic_field(stamp, fields + bent + random.normal(size=3) * 0.3)
            stamp += 0.02
        motion = estimator.motion_at(image)
    estimator.last = motion
    return estimator


def drift(estimator: CameraMotionEstimator) -> float:
    return abs(math.degrees(heading(estimator.last.rotation_world_camera)))


def test_the_field_holds_the_heading():
    assert drift(play(magnetometer=False)) > 8.0
    held = play()
    assert drift(held) < 4.0
    std = math.degrees(math.sqrt(held.last.rotation_covariance[2, 2]))
    assert drift(held) < 3.0 * std
    assert held.counters["magnetic_disturbed"] == 0


def test_a_field_bent_by_iron_is_not_believed():
    bent = play(lambda t: np.array([40.0, 5.0, 0.0]) if t > 5.0 else np.zeros(3))
    assert bent.counters["magnetic_disturbed"] > 400
    undisturbed = play(magnetometer=False)
    assert drift(bent) < drift(undisturbed) + 3.0


@pytest.mark.parametrize("field", [[np.nan, 0, 1], [0, 0, 0], [np.inf, 1, 1]])
def test_broken_samples_are_counted(field):
    estimator = CameraMotionEstimator()
    estimator.add_magnetic_field(0.0, np.array(field, dtype=float))
    assert estimator.counters["magnetic_invalid"] == 1


def test_a_field_of_the_wrong_shape_is_the_callers_mistake():
    with pytest.raises(ValueError, match="magnetometer"):
        CameraMotionEstimator().add_magnetic_field(0.0, np.zeros(2))
