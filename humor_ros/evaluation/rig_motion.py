"""Ways of a virtual camera: carried by a person, on a robot, or panning on a tripod.

Every way is a pair of cubic splines through knots at 100 Hz, so that attitude, turn rate and
acceleration at any instant belong together exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.interpolate import CubicSpline

from humor_ros.inertial.gravity import LEVEL_WORLD_CAMERA
from humor_ros.inertial.so3 import exp_so3
from humor_ros.types import Array

__all__ = ["CAMERA_WAYS", "CameraWay", "hand_held", "panning", "robot_mounted", "wander"]

_KNOT_S = 0.01
_STEP_S = 5e-4
_MARGIN_S = 2.0
#: Half side of the square that a robot drives around the people, and its corners' radius, metres.
_SQUARE_M = 4.0
_CORNER_M = 0.8


@dataclass(frozen=True, eq=False)
class CameraWay:
    """Pose of a camera over time.

    Attributes:
        place: spline to (3,) camera centre, z-up world, metres.
        angles: spline to (3,) heading, pitch (looking down is positive) and roll, rad.
    """

    place: CubicSpline
    angles: CubicSpline

    def position(self, times_s: Array) -> Array:
        """Camera centre at N times: (N, 3) metres."""
        return np.asarray(self.place(times_s), dtype=np.float64)

    def acceleration(self, times_s: Array) -> Array:
        """Acceleration at N times: (N, 3) m/s², world axes."""
        return np.asarray(self.place(times_s, 2), dtype=np.float64)

    def rotation(self, times_s: Array) -> Array:
        """Attitude at N times: (N, 3, 3) optical camera axes to z-up world."""
        angles = np.asarray(self.angles(times_s), dtype=np.float64)
        zero = np.zeros(len(angles))
        turn = exp_so3(np.stack([zero, zero, angles[:, 0]], 1))
        tilt = exp_so3(np.stack([-angles[:, 1], zero, zero], 1))
        roll = exp_so3(np.stack([zero, zero, angles[:, 2]], 1))
        rotation: Array = turn @ LEVEL_WORLD_CAMERA @ tilt @ roll
        return rotation

    def rate(self, times_s: Array) -> Array:
        """Angular velocity at N times: (N, 3) rad/s, camera axes (central difference)."""
        turned = np.swapaxes(self.rotation(times_s - _STEP_S), 1, 2) @ self.rotation(
            times_s + _STEP_S
        )
        skew = turned - np.swapaxes(turned, 1, 2)
        return np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], 1) / (4.0 * _STEP_S)


def wander(
    random: Generator, times_s: Array, low_hz: float, high_hz: float, std: float, parts: int = 8
) -> Array:
    """A smooth random function: sines of log-uniform frequency, slower ones larger.

    Args:
        random: source of all chance.
        times_s: (N,).
        low_hz, high_hz: range of the frequencies.
        std: standard deviation over a long time.
        parts: number of sines.

    Returns:
        (N,).
    """
    frequency = low_hz * (high_hz / low_hz) ** random.uniform(size=parts)
    amplitude = random.uniform(0.3, 1.0, parts) / np.sqrt(frequency)
    amplitude *= std * np.sqrt(2.0) / np.linalg.norm(amplitude)
    phase = random.uniform(0, 2 * np.pi, parts)
    values: Array = np.sin(2 * np.pi * times_s[:, None] * frequency + phase) @ amplitude
    return values


def hand_held(random: Generator, duration_s: float, target: Callable[[Array], Array]) -> CameraWay:
    """Somebody who films people from about 4 m, strolling around them.

    Args:
        random: source of all chance.
        duration_s: length of the way.
        target: times (N,) to (N, 3) points that are filmed, metres.
    """
    times = _knots(duration_s)
    goal = target(times)
    around = random.uniform(0, 2 * np.pi) + wander(random, times, 0.02, 0.08, 0.5)
    distance = 4.0 + wander(random, times, 0.03, 0.2, 0.35)
    # Steps: up and down at 1.8 Hz, from side to side at half of that.
    step = 2 * np.pi * random.uniform(1.6, 2.0)
    gait = np.clip(0.5 + wander(random, times, 0.03, 0.1, 0.5), 0.0, 1.0)
    place = goal + np.stack(
        [
            distance * np.cos(around) + 0.012 * gait * np.sin(0.5 * step * times),
            distance * np.sin(around) + 0.012 * gait * np.cos(0.5 * step * times),
            1.5 - goal[:, 2] + 0.012 * gait * np.sin(step * times),
        ],
        1,
    )
    place += np.stack([wander(random, times, 0.3, 1.5, 0.02) for _ in range(3)], 1)
    heading, down = _look_at(place, goal)
    sway = [wander(random, times, 0.08, 1.0, np.radians(size)) for size in (3.5, 2.5, 2.5)]
    shake = [wander(random, times, 2.0, 6.0, np.radians(0.25)) for _ in range(3)]
    angles = np.stack([heading, down, np.zeros_like(down)], 1) + np.stack(sway, 1)
    return _way(times, place, angles + np.stack(shake, 1))


def panning(random: Generator, duration_s: float, target: Callable[[Array], Array]) -> CameraWay:
    """A camera on a tripod 4.5 m away that follows people by turning only; arguments as above."""
    times = _knots(duration_s)
    goal = target(times)
    around = random.uniform(0, 2 * np.pi)
    foot = goal.mean(0) + 4.5 * np.array([np.cos(around), np.sin(around), 0.0])
    place = np.broadcast_to([foot[0], foot[1], 1.4], goal.shape)
    heading, down = _look_at(place, goal)
    angles = np.stack(
        [
            heading + wander(random, times, 0.05, 0.3, np.radians(5.0)),
            down + wander(random, times, 0.05, 0.3, np.radians(2.0)),
            np.full_like(down, random.normal() * 0.02),
        ],
        1,
    )
    return _way(times, np.array(place), angles)


def robot_mounted(
    random: Generator, duration_s: float, target: Callable[[Array], Array]
) -> CameraWay:
    """A robot that drives a square around people, stops and jolts; its head looks at them.

    Arguments as of :func:`hand_held`.
    """
    times = _knots(duration_s)
    goal = target(times)
    speed = _drive_speed(random, times)
    way = np.concatenate([[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1])) * _KNOT_S])
    corner = _rounded_square(way + random.uniform(0, 8 * _SQUARE_M))
    turn = random.uniform(0, 2 * np.pi)
    spun = corner @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    place = np.concatenate([spun + goal.mean(0)[:2], np.full((len(times), 1), 1.1)], 1)
    heading, down = _look_at(place, goal)
    angles = np.stack([heading, down, np.zeros_like(down)], 1)
    for begin in random.uniform(0, times[-1], max(1, int(duration_s / 4.0))):
        since = np.clip(times - begin, 0.0, None)
        ring = np.exp(-since / 0.15) * np.sin(2 * np.pi * 5.0 * since)
        ring *= np.clip(np.interp(begin, times, speed) / 0.5, 0.0, 1.0)
        place[:, 2] += random.uniform(0.002, 0.008) * ring
        angles[:, 1] += np.radians(random.uniform(-1.0, 1.0)) * ring
        angles[:, 2] += np.radians(random.uniform(-1.0, 1.0)) * ring
    return _way(times, place, angles)


#: The ways by name.
CAMERA_WAYS: dict[str, Callable[[Generator, float, Callable[[Array], Array]], CameraWay]] = {
    "hand-held": hand_held,
    "robot": robot_mounted,
    "panning": panning,
}


def _knots(duration_s: float) -> Array:
    return np.arange(-_MARGIN_S, duration_s + _MARGIN_S, _KNOT_S)


def _way(times: Array, place: Array, angles: Array) -> CameraWay:
    return CameraWay(CubicSpline(times, place), CubicSpline(times, angles))


def _look_at(place: Array, goal: Array) -> tuple[Array, Array]:
    """Heading and downward pitch (N,) from places to goals, rad."""
    to = goal - place
    heading = np.unwrap(np.arctan2(to[:, 1], to[:, 0]))
    return heading, -np.arctan2(to[:, 2], np.hypot(to[:, 0], to[:, 1]))


def _drive_speed(random: Generator, times: Array) -> Array:
    """Speed of a robot, m/s: stretches of 4 to 10 s at 0.5 to 1 m/s with stops of 2 s."""
    speed = np.zeros_like(times)
    at = random.uniform(0.5, 1.5)
    while at < times[-1]:
        until = at + random.uniform(4.0, 10.0)
        pace = random.uniform(0.5, 1.0)
        inside = (times >= at) & (times < until)
        # Acceleration of at most 0.8 m/s².
        speed[inside] = np.minimum(
            pace, 0.8 * np.minimum(times[inside] - at, until - times[inside])
        )
        at = until + (2.0 if random.uniform() < 0.5 else 0.0)
    width = int(0.3 / _KNOT_S)
    return np.convolve(speed, np.ones(width) / width, mode="same")


def _rounded_square(way: Array) -> Array:
    """Points (N, 2) at lengths (N,) along a square with rounded corners around the origin."""
    straight = 2.0 * (_SQUARE_M - _CORNER_M)
    arc = 0.5 * np.pi * _CORNER_M
    side, along = np.divmod(way, straight + arc)
    bend = np.clip(along - straight, 0.0, None) / _CORNER_M
    x = np.minimum(along, straight) - 0.5 * straight + _CORNER_M * np.sin(bend)
    y = -_SQUARE_M + _CORNER_M * (1.0 - np.cos(bend))
    turn = 0.5 * np.pi * side
    return np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], 1)
