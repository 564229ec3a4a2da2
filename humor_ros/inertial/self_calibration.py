"""Camera-IMU time offset and mounting, from the gyroscope against the turns that the camera sees.

Least squares over the last minute of turns: what the camera saw between two images must be what
the gyroscope, turned by the mounting and shifted by the offset, says (Furgale et al. 2013 do so
with splines and a target; here the background is the target). A gyroscope bias is found with
them. Motion that excites nothing leaves the standard deviations wide, and nothing is applied.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.so3 import exp_so3, orthonormalised
from humor_ros.types import Array

__all__ = ["Calibration", "SelfCalibrator", "mounting_step", "offset_step"]

_WINDOW_S = 60.0
_SOLVE_EVERY_S = 1.0
_LEAST_TURNS = 40
_ITERATIONS = 3
#: Turns measured against one image share its errors.
_CORRELATED = 4.0
#: Huber's limit, standard deviations of the three axes together.
_HUBER = 3.0
#: Applied only when known this well (1 sigma), and known is what the data says, not the prior.
CONFIDENT_OFFSET_S, CONFIDENT_ANGLE = 1.5e-3, math.radians(0.4)
#: What scale and axes of the gyroscope and jitter of the stamps leave, whatever the data.
_FLOOR_ANGLE, _FLOOR_OFFSET_S = math.radians(0.2), 5e-4
#: How fast a correction is brought in, s/s and rad/s: nothing jumps.
_OFFSET_RATE, _ANGLE_RATE = 5e-3, math.radians(1.0)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is known of how IMU and camera belong together.

    Attributes:
        time_offset_s: found, to be added to IMU stamps beside the configured offset.
        time_offset_std_s: one standard deviation.
        rotation_camera_imu: (3, 3) found mounting.
        rotation_std: (3,) standard deviations about the camera's axes, rad.
        gyroscope_bias: (3,) found with them, IMU axes, rad/s.
        turns: measurements behind it.
        confident_offset, confident_rotation: whether each is good enough to be applied.
    """

    time_offset_s: float
    time_offset_std_s: float
    rotation_camera_imu: Array
    rotation_std: Array
    gyroscope_bias: Array
    turns: int
    confident_offset: bool
    confident_rotation: bool


class SelfCalibrator:
    """Collects gyroscope samples and visual turns, and solves now and then.

    Args:
        config: first standard deviations of offset, mounting and bias.
        rotation_camera_imu: (3, 3) mounting as it was told.

    Attributes:
        result: the last solution; None before there was one.
    """

    def __init__(self, config: InertialConfig, rotation_camera_imu: Array) -> None:
        self._config = config
        self._told = rotation_camera_imu
        self._mount = rotation_camera_imu
        self._offset_s = 0.0
        self._bias: Array = np.zeros(3)
        self._stamps: deque[float] = deque()
        self._rates: deque[Array] = deque()
        self._attitudes: deque[Array] = deque()
        self._turns: deque[tuple[float, float, Array, Array]] = deque()
        self._solved_s = -math.inf
        self.result: Calibration | None = None

    def add_imu(self, stamp_s: float, rate: Array) -> None:
        """Take a sample in.

        Args:
            stamp_s: its time with the configured offset, seconds.
            rate: (3,) the configured bias taken off, IMU axes, rad/s.
        """
        if self._stamps and stamp_s <= self._stamps[-1]:
            if stamp_s < self._stamps[-1] - self._config.clock_jump_s:
                self.forget()
            return
        self._stamps.append(stamp_s)
        self._rates.append(rate)
        while self._stamps[-1] - self._stamps[0] > _WINDOW_S + 5.0:
            self._stamps.popleft()
            self._rates.popleft()
            if self._attitudes:
                self._attitudes.popleft()

    def add_turn(self, then_s: float, now_s: float, rotation: Array, covariance: Array) -> None:
        """Take a visual turn in.

        Args:
            then_s: exposure time of the earlier image, seconds.
            now_s: of the later one.
            rotation: (3, 3) camera now to camera then.
            covariance: (3, 3) of its error, camera axes then, rad².
        """
        self._turns.append((then_s, now_s, rotation, covariance))
        while self._turns[-1][1] - self._turns[0][0] > _WINDOW_S:
            self._turns.popleft()

    def forget(self) -> None:
        """Drop what was collected; the solution stays where it was."""
        self._stamps.clear()
        self._rates.clear()
        self._attitudes.clear()
        self._turns.clear()

    def solve(self, now_s: float) -> Calibration | None:
        """Solve, at most once a second.

        Args:
            now_s: time of the image, seconds.

        Returns:
            the newest solution, None where there is none yet.
        """
        if len(self._turns) < _LEAST_TURNS or 0.0 <= now_s - self._solved_s < _SOLVE_EVERY_S:
            return self.result
        self._solved_s = now_s
        self._integrate()
        stamps = np.array(self._stamps)
        # Turns whose ends lie within the samples, whatever the offset becomes.
        margin = 0.1
        rows = [
            turn
            for turn in self._turns
            if turn[0] - margin > stamps[0] and turn[1] + margin < stamps[-1]
        ]
        if len(rows) < _LEAST_TURNS:
            return self.result
        self.result = self._descend(stamps, rows)
        return self.result

    def _descend(self, stamps: Array, rows: list[tuple[float, float, Array, Array]]) -> Calibration:
        then_s, now_s = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
        turned = np.array([row[2] for row in rows])
        roots = np.linalg.cholesky(np.linalg.inv(_CORRELATED * np.array([row[3] for row in rows])))
        rates, attitudes = np.array(self._rates), np.array(self._attitudes)
        config = self._config
        prior = np.concatenate(
            [
                np.full(3, config.mounting_prior_std**-2),
                [config.time_offset_prior_std_s**-2],
                np.full(3, max(config.gyroscope_bias_stability, 1e-5) ** -2),
            ]
        )
        system = np.diag(prior)
        loss = np.ones(len(rows))
        for _ in range(_ITERATIONS):
            first, rate_first = _attitude_at(stamps, rates, attitudes, then_s - self._offset_s)
            last, rate_last = _attitude_at(stamps, rates, attitudes, now_s - self._offset_s)
            gyro = np.swapaxes(first, 1, 2) @ last
            span = now_s - then_s
            half = exp_so3(0.5 * _small_log(gyro))
            bias_turn = np.einsum("nij,j->ni", half, self._bias) * span[:, None]
            gyro = exp_so3(-bias_turn) @ gyro
            predicted = self._mount @ gyro @ self._mount.T
            residual = _small_log(turned @ np.swapaxes(predicted, 1, 2))
            by_mount = predicted - np.eye(3)
            swept = np.einsum("nij,nj->ni", gyro, rate_last) - rate_first
            by_offset = (swept @ self._mount.T)[:, :, None]
            by_bias = self._mount @ half * span[:, None, None]
            jacobian = np.concatenate([by_mount, by_offset, by_bias], 2)
            white = np.swapaxes(roots, 1, 2)
            residual = np.einsum("nij,nj->ni", white, residual)
            jacobian = white @ jacobian
            length = np.sqrt(np.square(residual).sum(1))
            loss = np.minimum(1.0, _HUBER / np.maximum(length, 1e-9))
            weighted = jacobian * loss[:, None, None]
            system = np.einsum("nij,nik->jk", jacobian, weighted) + np.diag(prior)
            error = np.concatenate([self._mount_error(), [self._offset_s], self._bias])
            moment = np.einsum("nij,ni->j", weighted, residual) + prior * error
            step = -np.linalg.solve(system, moment)
            self._mount = orthonormalised(exp_so3(step[:3]) @ self._mount)
            self._offset_s = float(np.clip(self._offset_s + step[3], -0.09, 0.09))
            self._bias = self._bias + step[4:]
        misfit = max(1.0, float((loss * np.square(length)).mean()) / 3.0)
        std = np.sqrt(np.diag(np.linalg.inv(system)) * misfit)
        std[:3] = np.hypot(std[:3], _FLOOR_ANGLE)
        std[3] = math.hypot(std[3], _FLOOR_OFFSET_S)
        return Calibration(
            time_offset_s=self._offset_s,
            time_offset_std_s=float(std[3]),
            rotation_camera_imu=self._mount,
            rotation_std=std[:3],
            gyroscope_bias=self._bias,
            turns=len(rows),
            confident_offset=bool(std[3] < CONFIDENT_OFFSET_S),
            confident_rotation=bool((std[:3] < CONFIDENT_ANGLE).all()),
        )

    def _mount_error(self) -> Array:
        error: Array = _small_log((self._mount @ self._told.T)[None])[0]
        return error

    def _integrate(self) -> None:
        """Attitudes (raw, from the oldest sample on) for the samples that have none yet."""
        done = len(self._attitudes)
        if done == 0:
            self._attitudes.append(np.eye(3))
            done = 1
        stamps, rates = list(self._stamps)[done - 1 :], np.array(list(self._rates)[done - 1 :])
        if len(stamps) < 2:
            return
        steps = exp_so3(0.5 * (rates[1:] + rates[:-1]) * np.diff(stamps)[:, None])
        attitude = self._attitudes[-1]
        for step in steps:
            attitude = attitude @ step
            self._attitudes.append(attitude)
        self._attitudes[-1] = orthonormalised(attitude)


def offset_step(target_s: float, applied_s: float, interval_s: float) -> float:
    """The offset to apply next, nearer to the one found, at a bounded rate, seconds."""
    limit = _OFFSET_RATE * interval_s
    return applied_s + min(max(target_s - applied_s, -limit), limit)


def mounting_step(target: Array, applied: Array, interval_s: float) -> Array:
    """Turn (3, 3) of the camera's axes towards a mounting found, at a bounded rate.

    Args:
        target: (3, 3) camera<-imu found.
        applied: (3, 3) camera<-imu in use.
        interval_s: seconds.

    Returns:
        new camera axes to old ones.
    """
    vector = _small_log((applied @ target.T)[None])[0]
    angle = math.sqrt(float(vector @ vector))
    limit = _ANGLE_RATE * interval_s
    return exp_so3(vector * min(1.0, limit / max(angle, 1e-12)))


def _small_log(rotations: Array) -> Array:
    """Rotation vectors (N, 3) of rotations (N, 3, 3) by less than half a turn."""
    twice_sine = np.stack(
        [
            rotations[:, 2, 1] - rotations[:, 1, 2],
            rotations[:, 0, 2] - rotations[:, 2, 0],
            rotations[:, 1, 0] - rotations[:, 0, 1],
        ],
        1,
    )
    sine = 0.5 * np.sqrt(np.square(twice_sine).sum(1))
    cosine = 0.5 * (np.trace(rotations, axis1=1, axis2=2) - 1.0)
    angle = np.arctan2(sine, cosine)
    factor = np.where(sine < 1e-7, 0.5, 0.5 * angle / np.maximum(sine, 1e-12))
    vectors: Array = twice_sine * factor[:, None]
    return vectors


def _attitude_at(
    stamps: Array, rates: Array, attitudes: Array, times_s: Array
) -> tuple[Array, Array]:
    """Attitudes (N, 3, 3) and rates (N, 3) at some times, rates linear between samples."""
    row = np.clip(np.searchsorted(stamps, times_s, side="right") - 1, 0, len(stamps) - 2)
    since = times_s - stamps[row]
    slope = (rates[row + 1] - rates[row]) / (stamps[row + 1] - stamps[row])[:, None]
    rate = rates[row] + slope * since[:, None]
    turn = exp_so3(0.5 * (rates[row] + rate) * since[:, None])
    return attitudes[row] @ turn, rate
