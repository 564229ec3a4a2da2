"""A virtual robot's odometry: the camera's pose in ``odom``, which drifts with the way driven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from humor_ros.inertial.so3 import rotation_about_z
from humor_ros.types import Array

__all__ = ["OdometryErrors", "RigOdometry"]


@dataclass(frozen=True)
class OdometryErrors:
    """Sizes of the errors.

    Attributes:
        drift: of position, share of the way driven.
        heading_drift: rad a metre.
        position_noise: white, metres.
    """

    drift: float = 0.01
    heading_drift: float = 0.005
    position_noise: float = 0.002


class RigOdometry:
    """Poses of the camera at every image.

    Args:
        rotation: (T, 3, 3) true attitude, z-up.
        position: (T, 3) true position, metres.
        errors: sizes of the errors.
        random: source of all chance.

    Attributes:
        rotation: (T, 3, 3) camera to ``odom``.
        position: (T, 3) in ``odom``, origin where the first image was taken.
    """

    def __init__(
        self, rotation: Array, position: Array, errors: OdometryErrors, random: Generator
    ) -> None:
        steps = np.diff(position, axis=0)
        scale = 1.0 + errors.drift * random.choice([-1.0, 1.0])
        way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps[:, :2], axis=1))])
        drift = errors.heading_drift * random.choice([-1.0, 1.0]) * way
        start = rotation_about_z(random.uniform(-np.pi, np.pi))
        turns = np.array([start @ rotation_about_z(angle) for angle in drift])
        moved = np.einsum("tij,tj->ti", turns[:-1], steps) * [scale, scale, 1.0]
        self.rotation: Array = turns @ rotation
        self.position: Array = np.concatenate([np.zeros((1, 3)), np.cumsum(moved, 0)])
        noise = random.normal(size=self.position.shape) * errors.position_noise
        self._measured = self.position + noise

    def at(self, index: int) -> tuple[Array, Array]:
        """Rotation (3, 3) and position (3,) at an image, as the robot tells them."""
        return self.rotation[index], self._measured[index]
