"""Camera motions of known attitude, and a player, for the tests of the inertial room."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from humor_ros.inertial import LEVEL_WORLD_CAMERA, CameraMotionEstimator
from humor_ros.inertial.so3 import exp_so3, log_so3
from humor_ros.types import CameraMotion, ImuSample

Attitude = Callable[[float], np.ndarray]


class Rig:
    """Helpers that the tests share."""

    @staticmethod
    def angle(first: np.ndarray, second: np.ndarray) -> float:
        """Angle between two rotations, rad."""
        return float(np.linalg.norm(log_so3(first.T @ second)))

    @staticmethod
    def tilt(first: np.ndarray, second: np.ndarray) -> float:
        """Angle between the ups of two camera-to-world rotations, rad."""
        return float(np.arccos(np.clip(first[2] @ second[2], -1.0, 1.0)))

    @staticmethod
    def hand_held(seed: int = 0, size: float = 0.3) -> Attitude:
        """A smooth, wobbling camera: sums of sines up to 2 Hz about all axes."""
        random = np.random.default_rng(seed)
        frequency = random.uniform(0.2, 2.0, (3, 3))
        phase = random.uniform(0, 2 * np.pi, (3, 3))
        amplitude = size * random.uniform(0.2, 1.0, (3, 3)) / (1 + frequency)

        def attitude(t: float) -> np.ndarray:
            vector = (amplitude * np.sin(2 * np.pi * frequency * t + phase)).sum(axis=1)
            return LEVEL_WORLD_CAMERA @ exp_so3(vector)

        return attitude

    @staticmethod
    def panning(rate: float = 0.5, pitch_down: float = 0.2) -> Attitude:
        """A camera that turns left about the vertical at a constant rate, +x at time 0."""

        def attitude(t: float) -> np.ndarray:
            turn = exp_so3(np.array([0.0, 0.0, rate * t]))
            return turn @ LEVEL_WORLD_CAMERA @ exp_so3(np.array([-pitch_down, 0.0, 0.0]))

        return attitude

    @staticmethod
    def play(
        estimator: CameraMotionEstimator,
        samples: Iterable[ImuSample],
        stamps: Iterable[float],
        ahead_s: float = 0.02,
    ) -> list[CameraMotion]:
        """Feed samples up to ``ahead_s`` beyond each image, then ask for its motion."""
        queue = list(samples)
        motions = []
        for stamp in stamps:
            while queue and queue[0].stamp_s <= stamp + ahead_s:
                estimator.add_imu(queue.pop(0))
            motions.append(estimator.motion_at(stamp))
        return motions


@pytest.fixture(scope="session")
def rig() -> Rig:
    """See :class:`Rig`."""
    return Rig()
