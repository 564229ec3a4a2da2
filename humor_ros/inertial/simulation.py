"""A simulated IMU on a moving camera, for players, the demo and tests.

Not a study of sensors: white noise, a constant bias and jittered stamps on top of the exact
rates and specific force of a given motion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from humor_ros.field_checks import AT_LEAST_0, FINITE, POSITIVE, check_fields
from humor_ros.inertial.config import validated_rotation
from humor_ros.inertial.gravity import LEVEL_WORLD_CAMERA
from humor_ros.inertial.so3 import exp_so3, log_so3
from humor_ros.types import Array, ImuSample

__all__ = ["ImuSimulation", "simulate_imu", "static_camera"]

_STEP_S = 1e-3


@dataclass(frozen=True, eq=False)
class ImuSimulation:
    """Errors and mounting of a simulated IMU.

    Attributes:
        rate_hz: samples a second.
        rotation_camera_imu: (3, 3) IMU axes to optical camera axes.
        gyroscope_noise_density: rad/s/sqrt(Hz).
        gyroscope_bias: (3,) rad/s, IMU axes.
        accelerometer_noise_density: m/s²/sqrt(Hz).
        accelerometer_bias: (3,) m/s², IMU axes.
        stamp_jitter_s: standard deviation of the stamps around the regular ones; the
            samples are true at the jittered stamps. Kept below half a period.
        gravity: m/s².
        seed: of the random numbers.

    Raises:
        ValueError: naming the field that is out of range.
    """

    rate_hz: float = 200.0
    rotation_camera_imu: Array = field(default_factory=lambda: np.eye(3))
    gyroscope_noise_density: float = 0.0
    gyroscope_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    accelerometer_noise_density: float = 0.0
    accelerometer_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stamp_jitter_s: float = 0.0
    gravity: float = 9.80665
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, FINITE, "rate_hz")
        check_fields(self, POSITIVE, "rate_hz")
        noise = ("gyroscope_noise_density", "accelerometer_noise_density", "stamp_jitter_s")
        check_fields(self, AT_LEAST_0, *noise)
        validated_rotation(self.rotation_camera_imu, "ImuSimulation.rotation_camera_imu")


def simulate_imu(
    rotation_world_camera: Callable[[float], Array],
    start_s: float,
    end_s: float,
    simulation: ImuSimulation | None = None,
    position_world_camera: Callable[[float], Array] | None = None,
) -> Iterator[ImuSample]:
    """Samples that an IMU fixed to a camera would give.

    Args:
        rotation_world_camera: time in seconds to (3, 3), optical camera axes to z-up world.
        start_s: stamp of the first sample, seconds.
        end_s: no sample after this, seconds.
        simulation: rate, errors and mounting.
        position_world_camera: time in seconds to (3,) metres; at rest when None.

    Yields:
        samples with increasing stamps.
    """
    settings = simulation if simulation is not None else ImuSimulation()
    random = np.random.default_rng(settings.seed)
    mount = np.asarray(settings.rotation_camera_imu, dtype=np.float64)
    period = 1.0 / settings.rate_hz
    root_rate = math.sqrt(settings.rate_hz)
    up = np.array([0.0, 0.0, settings.gravity])
    for index in range(math.floor((end_s - start_s) / period + 1e-9) + 1):
        jitter = random.normal() * settings.stamp_jitter_s if index else 0.0
        stamp = start_s + index * period + min(max(jitter, -0.4 * period), 0.4 * period)
        if stamp > end_s + 1e-9:
            return
        before = rotation_world_camera(stamp - _STEP_S)
        after = rotation_world_camera(stamp + _STEP_S)
        rate = log_so3(before.T @ after) / (2.0 * _STEP_S)
        force = up
        if position_world_camera is not None:
            p = position_world_camera
            force = up + (p(stamp + _STEP_S) - 2.0 * p(stamp) + p(stamp - _STEP_S)) / _STEP_S**2
        gyroscope_noise = random.normal(size=3) * settings.gyroscope_noise_density * root_rate
        force_noise = random.normal(size=3) * settings.accelerometer_noise_density * root_rate
        yield ImuSample(
            stamp_s=stamp,
            angular_velocity=mount.T @ rate + settings.gyroscope_bias + gyroscope_noise,
            linear_acceleration=mount.T @ (rotation_world_camera(stamp).T @ force)
            + settings.accelerometer_bias
            + force_noise,
        )


def static_camera(pitch_down: float = 0.0, roll: float = 0.0) -> Callable[[float], Array]:
    """Attitude of a camera that does not move and looks along +x of the world.

    Args:
        pitch_down: angle of the optical axis below the horizon, rad.
        roll: turn of the image about the optical axis, rad.

    Returns:
        time in seconds to (3, 3) rotation_world_camera.
    """
    pitch = exp_so3(np.array([-pitch_down, 0.0, 0.0]))
    attitude: Array = LEVEL_WORLD_CAMERA @ pitch @ exp_so3(np.array([0.0, 0.0, roll]))
    return lambda _stamp_s: attitude
