"""Camera motion and gravity from inertial samples, the background, odometry or neither."""

from __future__ import annotations

from humor_ros.inertial.background import BackgroundPoints
from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.counters import COUNTERS
from humor_ros.inertial.estimator import CameraMotionEstimator
from humor_ros.inertial.gravity import LEVEL_WORLD_CAMERA, heading
from humor_ros.inertial.self_calibration import Calibration
from humor_ros.inertial.simulation import ImuSimulation, simulate_imu, static_camera
from humor_ros.inertial.state import InertialState

__all__ = [
    "COUNTERS",
    "LEVEL_WORLD_CAMERA",
    "BackgroundPoints",
    "Calibration",
    "CameraMotionEstimator",
    "ImuSimulation",
    "InertialConfig",
    "InertialState",
    "heading",
    "simulate_imu",
    "static_camera",
]
