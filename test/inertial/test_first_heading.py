"""What the first tilt errs, the first heading errs too: it is zero where the camera looks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from humor_ros.inertial import InertialConfig
from humor_ros.inertial.attitude_filter import AttitudeFilter
from humor_ros.inertial.gravity import LEVEL_WORLD_CAMERA, heading_axis, world_from_up
from humor_ros.inertial.so3 import exp_so3, log_so3


def started(pitch_down: float) -> tuple[np.ndarray, AttitudeFilter]:
    """True attitude of a camera that looks down, and a filter that has begun there."""
    attitude = LEVEL_WORLD_CAMERA @ exp_so3(np.array([-pitch_down, 0.0, 0.0]))
    state = AttitudeFilter(InertialConfig())
    state.world = attitude
    up = attitude.T @ [0.0, 0.0, 1.0]
    state.start_tilt(up * 9.80665, np.eye(3), 0.5, 0.5, heading_axis(attitude))
    return attitude, state


@pytest.mark.parametrize("pitch_down", [0.0, 0.3, 0.7])
def test_the_covariance_knows_how_heading_goes_with_tilt(pitch_down):
    attitude, state = started(pitch_down)
    errors = []
    for wrong in np.random.default_rng(0).normal(size=(200, 2)) * 0.01:
        up = attitude.T @ exp_so3(np.array([*wrong, 0.0])) @ [0.0, 0.0, 1.0]
        errors.append(log_so3(world_from_up(up) @ attitude.T))
    errors = np.array(errors)
    seen = (errors[:, 2] @ errors[:, 0]) / (errors[:, 0] @ errors[:, 0])
    covariance = state.covariance
    assert covariance[2, 0] / covariance[0, 0] == pytest.approx(seen, abs=0.02)
    assert seen == pytest.approx(-math.tan(pitch_down), abs=0.02)


def test_a_level_camera_s_heading_owes_nothing_to_its_tilt():
    _, state = started(0.0)
    covariance = state.covariance
    assert math.degrees(math.sqrt(covariance[2, 2])) < 1.0
    assert abs(covariance[2, 0]) < 1e-6
