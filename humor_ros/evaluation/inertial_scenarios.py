"""The scenarios of ``humor-ros evaluate inertial``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from humor_ros.evaluation.rig import RigScenario
from humor_ros.evaluation.rig_background import BackgroundErrors
from humor_ros.evaluation.rig_imu import ImuErrors
from humor_ros.evaluation.rig_odometry import OdometryErrors

__all__ = ["SCENARIOS", "InertialScenario"]

_HALF_DEGREE = math.radians(0.5)


@dataclass(frozen=True)
class InertialScenario:
    """A scenario with what the estimator is told.

    Attributes:
        rig: what is simulated.
        told: fields of ``InertialConfig`` beside the mounting.
        settled_s: scores count from here on, seconds.
        lost: start and end of a loss of the IMU, seconds, scored on its own; None without.
    """

    rig: RigScenario
    told: dict[str, Any] = field(default_factory=dict)
    settled_s: float = 0.0
    lost: tuple[float, float] | None = None


def _all() -> dict[str, InertialScenario]:
    # A calibrated rig: what is told of mounting and time offset errs as much as is said.
    bias = ImuErrors(gyroscope_bias=_HALF_DEGREE, rotation_error=_HALF_DEGREE, time_offset_s=0.001)
    told = {
        "mounting_std": math.radians(0.3),
        "time_offset_std_s": 0.001,
        "gyroscope_bias_stability": _HALF_DEGREE / math.sqrt(3.0),
    }
    off = replace(bias, time_offset_s=0.03, rotation_error=math.radians(5.0))
    rough = told | {"mounting_std": math.radians(3.0), "time_offset_std_s": 0.03}
    seen = BackgroundErrors()
    chosen = [
        InertialScenario(RigScenario("ideal", "ideal IMU, hand-held", imu=_ideal())),
        InertialScenario(RigScenario("bias", "0.5 °/s bias, bare walls", imu=bias), told),
        InertialScenario(
            RigScenario("background", "0.5 °/s bias, background", imu=bias, background=seen), told
        ),
        InertialScenario(
            RigScenario("offset", "30 ms and 5° off, background", imu=off, background=seen),
            rough,
            settled_s=20.0,
        ),
        InertialScenario(
            RigScenario(
                "robot",
                "robot drives past, odometry 1 %",
                way="robot",
                imu=replace(bias, vibration=0.2),
                background=seen,
                odometry=OdometryErrors(),
                people=2,
            ),
            told,
        ),
        InertialScenario(
            RigScenario("panning", "tripod that pans", way="panning", imu=bias, background=seen),
            told,
        ),
        InertialScenario(
            RigScenario(
                "lost",
                "IMU lost for 2 s",
                duration_s=40.0,
                imu=replace(bias, lost=((20.0, 22.0),)),
                background=seen,
            ),
            told,
            lost=(20.0, 22.0),
        ),
    ]
    return {scenario.rig.name: scenario for scenario in chosen}


def _ideal() -> ImuErrors:
    return ImuErrors(
        gyroscope_noise_density=0.0,
        gyroscope_random_walk=0.0,
        gyroscope_scale=0.0,
        gyroscope_misalignment=0.0,
        accelerometer_noise_density=0.0,
        accelerometer_random_walk=0.0,
        accelerometer_bias=0.0,
        accelerometer_scale=0.0,
        stamp_jitter_s=0.0,
        drop_share=0.0,
    )


#: By name.
SCENARIOS: dict[str, InertialScenario] = _all()
