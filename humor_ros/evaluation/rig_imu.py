"""A virtual IMU with the errors of real ones (IEEE Std 952: Allan parameters, and worse).

``humor_ros.inertial.simulation`` is the small cousin for players and demos; this one is for
studies of what errors cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from humor_ros.evaluation.rig_motion import CameraWay
from humor_ros.inertial.so3 import exp_so3
from humor_ros.types import Array, ImuSample

__all__ = ["ImuErrors", "RigImu"]

_GRAVITY = 9.80665


@dataclass(frozen=True)
class ImuErrors:
    """Sizes of an IMU's errors; single values are drawn with these as standard deviations.

    Attributes:
        rate_hz: samples a second.
        gyroscope_noise_density: rad/s/sqrt(Hz); default of a consumer MEMS part (Bosch BMI055).
        gyroscope_random_walk: of the bias, rad/s²/sqrt(Hz).
        gyroscope_bias: length of the bias at the start, rad/s; its direction is random.
        gyroscope_scale, gyroscope_misalignment: relative errors of the axes.
        accelerometer_noise_density: m/s²/sqrt(Hz).
        accelerometer_random_walk: m/s³/sqrt(Hz).
        accelerometer_bias: of each axis, m/s².
        accelerometer_scale: relative errors of the axes.
        gyroscope_range: rad/s, larger rates are cut off (2000 deg/s).
        accelerometer_range: m/s² (8 g).
        time_offset_s: the stamps are early by this (what ``imu_time_offset_s`` must be).
        rotation_error: angle between the mounting told and the true one, rad.
        stamp_jitter_s: of the stamps; the samples are true at the regular times.
        drop_share: share of samples lost, half of them in bursts of ten.
        lost: (start, end) seconds without any sample.
        vibration: of a moving robot's frame, white, m/s² (and a tenth of it in rad/s).
    """

    rate_hz: float = 200.0
    gyroscope_noise_density: float = 2.5e-4
    gyroscope_random_walk: float = 3.0e-5
    gyroscope_bias: float = 0.0
    gyroscope_scale: float = 0.003
    gyroscope_misalignment: float = 0.002
    accelerometer_noise_density: float = 2.0e-3
    accelerometer_random_walk: float = 3.0e-4
    accelerometer_bias: float = 0.05
    accelerometer_scale: float = 0.003
    gyroscope_range: float = 34.9
    accelerometer_range: float = 78.5
    time_offset_s: float = 0.0
    rotation_error: float = 0.0
    stamp_jitter_s: float = 5e-4
    drop_share: float = 0.005
    lost: tuple[tuple[float, float], ...] = ()
    vibration: float = 0.0


class RigImu:
    """All samples of one IMU on one way.

    Args:
        way: of the camera.
        errors: sizes of the errors.
        duration_s: length; samples begin a second before zero.
        random: source of all chance.

    Attributes:
        rotation_camera_imu: (3, 3) true mounting.
        told_rotation_camera_imu: (3, 3) mounting that the estimator is told.
        bias: (3,) of the gyroscope at the start, rad/s.
        arrival_s: (N,) when each sample arrives, seconds.
        samples: in the order of arrival.
    """

    def __init__(
        self, way: CameraWay, errors: ImuErrors, duration_s: float, random: Generator
    ) -> None:
        mount = exp_so3(random.normal(size=3) * 1.5)
        wrong = random.normal(size=3)
        wrong *= errors.rotation_error / np.linalg.norm(wrong)
        self.rotation_camera_imu = mount
        self.told_rotation_camera_imu: Array = exp_so3(wrong) @ mount
        period = 1.0 / errors.rate_hz
        times = np.arange(-1.0, duration_s + 0.2, period)
        rate, force = self._measure(way, times, errors, random)
        keep = self._kept(times, errors, random)
        stamps = times - errors.time_offset_s
        stamps = stamps + np.clip(random.normal(size=len(times)), -4, 4) * errors.stamp_jitter_s
        self.arrival_s = times[keep]
        self.samples = [
            ImuSample(float(stamp), w, f)
            for stamp, w, f in zip(stamps[keep], rate[keep], force[keep], strict=True)
        ]

    def _measure(
        self, way: CameraWay, times: Array, errors: ImuErrors, random: Generator
    ) -> tuple[Array, Array]:
        count, period = len(times), 1.0 / errors.rate_hz
        up = np.array([0.0, 0.0, _GRAVITY])
        rotation = way.rotation(times)
        body = np.einsum("nji,nj->ni", rotation, way.acceleration(times) + up)
        body = body @ self.rotation_camera_imu
        rate = way.rate(times) @ self.rotation_camera_imu

        def distorted(values: Array, scale: float, misalignment: float) -> Array:
            matrix = np.eye(3) + np.diag(random.normal(size=3) * scale)
            matrix += random.normal(size=(3, 3)) * misalignment * (1 - np.eye(3))
            return values @ matrix.T

        def walk(density: float) -> Array:
            steps = random.normal(size=(count, 3)) * density * np.sqrt(period)
            return np.cumsum(steps, 0)

        def white(density: float) -> Array:
            return random.normal(size=(count, 3)) * density / np.sqrt(period)

        rate = distorted(rate, errors.gyroscope_scale, errors.gyroscope_misalignment)
        direction = random.normal(size=3)
        direction /= np.linalg.norm(direction)
        self.bias = errors.gyroscope_bias * direction
        rate += self.bias + walk(errors.gyroscope_random_walk)
        rate += white(errors.gyroscope_noise_density)
        body = distorted(body, errors.accelerometer_scale, 0.0)
        body += errors.accelerometer_bias * random.normal(size=3)
        body += walk(errors.accelerometer_random_walk) + white(errors.accelerometer_noise_density)
        if errors.vibration > 0.0:
            moving = np.linalg.norm(np.asarray(way.place(times, 1)), axis=1)[:, None] > 0.05
            body += moving * random.normal(size=(count, 3)) * errors.vibration
            rate += moving * random.normal(size=(count, 3)) * 0.1 * errors.vibration
        return (
            np.clip(rate, -errors.gyroscope_range, errors.gyroscope_range),
            np.clip(body, -errors.accelerometer_range, errors.accelerometer_range),
        )

    @staticmethod
    def _kept(times: Array, errors: ImuErrors, random: Generator) -> NDArray[np.intp]:
        keep = random.uniform(size=len(times)) >= 0.5 * errors.drop_share
        for start in np.flatnonzero(random.uniform(size=len(times)) < 0.05 * errors.drop_share):
            keep[start : start + 10] = False
        for start_s, end_s in errors.lost:
            keep &= (times < start_s) | (times >= end_s)
        kept: NDArray[np.intp] = np.flatnonzero(keep)
        return kept
