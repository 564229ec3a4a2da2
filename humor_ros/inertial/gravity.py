"""Which way is up before there is a filter, and what a heading is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from humor_ros.inertial.interval import ForceSample, is_plausible
from humor_ros.inertial.so3 import rotation_about_z, rotation_aligning
from humor_ros.types import Array

__all__ = ["LEVEL_WORLD_CAMERA", "first_up", "heading", "heading_axis", "world_from_up"]

#: Camera to world of a level camera that looks along +x of the world.
LEVEL_WORLD_CAMERA: Array = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
_UP_WORLD = np.array([0.0, 0.0, 1.0])
_STRAIGHT = math.sin(math.radians(5.0))
#: Share of gravity by which a specific force may differ where the camera stands still.
_STILL_DEVIATION = 0.1
#: Turn rate below which a sample may count as standing still, rad/s.
_STILL_RATE = 1.0


def first_up(
    samples: Sequence[ForceSample], gravity: float
) -> tuple[Array, float, float, Array] | None:
    """Direction of "up" from the samples before the first image, robustly.

    Near-static samples are preferred; without any, all plausible ones are used. Those more than
    5 degrees off the median direction are left out.

    Args:
        samples: in the reference frame, oldest first; may be empty.
        gravity: m/s².

    Returns:
        (3,) unit vector in the reference frame, the seconds of samples behind it, the spread of
        each axis in them, m/s², and (3, 3) the IMU's axes in the reference frame; None where no
        sample is worth it.
    """
    if not samples:
        return None
    values = np.array([item.force for item in samples])
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    deviation = np.abs(norms / gravity - 1.0)
    still = np.array([item.rate for item in samples]) < _STILL_RATE
    good = still & (deviation < _STILL_DEVIATION)
    if not good.any():
        good = np.array([is_plausible(float(norm), gravity) for norm in norms])
    if not good.any():
        return None
    directions = values[good] / norms[good, None]
    median = np.median(directions, axis=0)
    length = math.sqrt(float(median @ median))
    if length < 0.5:
        return None
    near = directions @ (median / length) > math.cos(math.radians(5.0))
    chosen = directions[near] if near.any() else median[None]
    mean = chosen.mean(axis=0)
    duration = sum(item.interval_s for item in samples)
    averaged_s = max(1e-3, duration * len(chosen) / len(samples))
    up = mean / math.sqrt(float(mean @ mean))
    # Knocks are few: the median tells how the camera sways.
    away = np.square(values - gravity * up).sum(1)
    spread = math.sqrt(float(np.median(away)) / 3.0)
    return up, averaged_s, spread, samples[-1].rotation


def heading(rotation_world_camera: Array) -> float:
    """Heading of a camera: the direction of its optical axis on the ground.

    Where it looks within 5 degrees of straight up or down, the upper edge of the image
    stands for the optical axis.

    Args:
        rotation_world_camera: (3, 3) to a z-up world.

    Returns:
        angle from +x of the world towards +y, rad.
    """
    axis = heading_axis(rotation_world_camera)
    return math.atan2(axis[1], axis[0])


def heading_axis(rotation_world_camera: Array) -> Array:
    """The axis (3,) of a camera whose direction on the ground is its heading, world axes."""
    axis: Array = rotation_world_camera[:, 2]
    if math.hypot(axis[0], axis[1]) < _STRAIGHT:
        axis = -rotation_world_camera[:, 1]
    return axis


def world_from_up(up_camera: Array) -> Array:
    """Camera to a z-up world whose +x is where the camera looks.

    Args:
        up_camera: (3,) unit vector, "up" in camera axes.

    Returns:
        (3, 3) rotation_world_camera with heading zero.
    """
    tilted = rotation_aligning(LEVEL_WORLD_CAMERA @ up_camera, _UP_WORLD) @ LEVEL_WORLD_CAMERA
    rotation: Array = rotation_about_z(-heading(tilted)) @ tilted
    return rotation
