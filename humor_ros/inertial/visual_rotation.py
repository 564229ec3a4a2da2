"""How a camera turned between two images, from the same background points in both.

The camera may also have moved, and a step to the side looks much like a turn. Where the points
shift by no more than their noise beside the turn, the turn alone is fitted (all of each point's
shift counts); else turn and direction of the way are fitted together to the epipolar constraint,
in which the distances of the points play no part (Longuet-Higgins 1981; Sampson's first-order
error). Both are robust least squares from the gyroscope's turn on, a good start, and tell their
covariance: that of the second is long across the way, as it must be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from humor_ros.inertial.so3 import exp_so3, orthonormalised
from humor_ros.types import Array

__all__ = ["TurnEstimate", "fit_turn"]

_ITERATIONS = 8
#: Pairs of points that are tried for the direction of the way.
_TRIALS = 64
#: A smaller step ends the descent, rad.
_CONVERGED = 1e-5
#: Cauchy's scale for 95 % efficiency, in standard deviations.
_CAUCHY = 2.385
#: Shift beside the turn, in standard deviations of a point, above which the camera has moved; and
#: what a smaller way that stays unseen may add to the turn, in the same unit.
_PARALLAX, _UNSEEN_PARALLAX = 1.25, 1.5
#: Keeps a way of which nothing is known where it is.
_RIDGE = 1e-3
#: Fewer points tell nothing.
LEAST_POINTS = 12
#: Share of points that must agree with the fit.
_LEAST_AGREEING = 0.5


@dataclass(frozen=True, eq=False)
class TurnEstimate:
    """A turn measured between two images.

    Attributes:
        rotation: (3, 3) maps the camera frame now to the camera frame then.
        covariance: (3, 3) of its error, axes of the camera then, rad².
        points: number of points that agree.
        moved: whether parallax was seen.
    """

    rotation: Array
    covariance: Array
    points: int
    moved: bool


def fit_turn(
    rays_then: Array, rays_now: Array, guess: Array, noise: float, *, rough: bool = False
) -> TurnEstimate | None:
    """Fit the turn between two images.

    Args:
        rays_then: (N, 2) x/z, y/z of the points in the earlier image.
        rays_now: (N, 2) of the same points now.
        guess: (3, 3) camera now to camera then, by the gyroscope.
        noise: standard deviation of a ray in one image and axis, radians on the image plane.
        rough: the guess may be degrees off; the points' own turn is the better start.

    Returns:
        the turn, or None where there are too few points or they do not agree.
    """
    if len(rays_then) < LEAST_POINTS:
        return None
    then = _unit(rays_then)
    now = _unit(rays_now)
    # The turn between the two images carries the noise of both.
    sigma = noise * math.sqrt(2.0)
    still = _fit_still(then, now, guess, sigma)
    if still is not None and still[1] <= _PARALLAX:
        return still[0]
    start = still[0].rotation if rough and still is not None else guess
    return _fit_moving(then, now, start, sigma)


def _fit_still(
    then: Array, now: Array, guess: Array, sigma: float
) -> tuple[TurnEstimate, float] | None:
    """Turn alone, and the median shift beside it in standard deviations."""
    rotation = guess
    weights = np.ones(len(then))
    for _ in range(_ITERATIONS):
        turned = now @ rotation.T
        # then = Exp(d) turned: residual = then - turned = d x turned.
        residual = then - turned
        length = np.sqrt(np.einsum("ij,ij->i", residual, residual)) / sigma
        scale = max(1.0, 1.1 * float(np.median(length)))
        weights = 1.0 / (1.0 + np.square(length / (scale * _CAUCHY)))
        step = _solve_rotation(turned, residual, weights)
        rotation = exp_so3(step) @ rotation
        if float(step[:3] @ step[:3]) < _CONVERGED**2:
            break
    turned = now @ rotation.T
    residual = then - turned
    length = np.sqrt(np.einsum("ij,ij->i", residual, residual)) / sigma
    # Two axes: the median of a Rayleigh length is 1.18 standard deviations.
    spread = float(np.median(length)) / 1.18
    agreeing = int((length < 3.5 * max(1.0, spread)).sum())
    if agreeing < LEAST_POINTS or agreeing < _LEAST_AGREEING * len(then):
        return None
    information = np.einsum("i,ijk->jk", weights, _normal_blocks(turned))
    variance = sigma * sigma * max(1.0, spread * spread)
    covariance: Array = np.asarray(variance * np.linalg.inv(information), np.float64)
    covariance += (_UNSEEN_PARALLAX * sigma) ** 2 * np.eye(3)
    return TurnEstimate(orthonormalised(rotation), covariance, agreeing, False), spread


def _fit_moving(then: Array, now: Array, rotation: Array, sigma: float) -> TurnEstimate | None:
    """Turn and direction of the way together."""
    way = _way(then, now @ rotation.T, sigma)
    system = np.eye(5)
    residual = np.zeros(len(then))
    for _ in range(_ITERATIONS):
        turned = now @ rotation.T
        normal = np.cross(turned, then)
        value = normal @ way
        # Sampson: the constraint over the length of its gradient in both rays, which is the
        # sine of the angle between way and ray, but for the parallax.
        along = turned @ way
        size = np.sqrt(np.maximum(1.0 - along * along, 1e-3))
        residual = value / size / sigma
        scale = max(1.0, 1.4826 * float(np.median(np.abs(residual))))
        weights = 1.0 / (1.0 + np.square(residual / (scale * _CAUCHY)))
        # d/dd of way . ((d x turned) x then) and, along two tangents, of the way itself.
        by_turn = (turned @ way)[:, None] * then
        by_turn -= np.einsum("ij,ij->i", turned, then)[:, None] * way
        tangents = _tangents(way)
        by_way = (normal + (value * along / (size * size))[:, None] * turned) @ tangents
        jacobian = np.concatenate([by_turn, by_way], 1) / size[:, None] / sigma
        weighted = jacobian * weights[:, None]
        system = jacobian.T @ weighted + _RIDGE * np.eye(5)
        step = np.linalg.solve(system, -weighted.T @ residual)
        rotation = exp_so3(step[:3]) @ rotation
        way = way + tangents @ step[3:]
        way /= np.linalg.norm(way)
        if float(step[:3] @ step[:3]) < _CONVERGED**2:
            break
    spread = max(1.0, 1.4826 * float(np.median(np.abs(residual))))
    agreeing = int((np.abs(residual) < 3.5 * spread).sum())
    if agreeing < LEAST_POINTS or agreeing < _LEAST_AGREEING * len(then) or spread > 4.0:
        return None
    covariance: Array = np.asarray(spread * spread * np.linalg.inv(system)[:3, :3], np.float64)
    return TurnEstimate(orthonormalised(rotation), covariance, agreeing, True)


def _way(then: Array, turned: Array, sigma: float) -> Array:
    """Direction of the way (3,) on which most points agree, given the turn.

    Two points tell a way; a fixed set of pairs is tried, so that the answer is repeatable.
    """
    normal = np.cross(turned, then)
    first, second = _pairs(len(then))
    ways = np.cross(normal[first], normal[second])
    length = np.sqrt(np.einsum("ij,ij->i", ways, ways))
    ways = ways[length > 1e-12] / length[length > 1e-12, None]
    if len(ways) == 0:
        return np.array([1.0, 0.0, 0.0])
    size = np.sqrt(np.maximum(1.0 - np.square(ways @ turned.T), 1e-3))
    residual = np.square(ways @ normal.T / size / sigma)
    best: Array = ways[int(np.argmin(np.minimum(residual, _CAUCHY**2).sum(1)))]
    return best


@lru_cache(maxsize=64)
def _pairs(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of pairs of ``count`` points."""
    random = np.random.default_rng(count)
    first = random.integers(0, count, _TRIALS)
    return first, (first + random.integers(1, count, _TRIALS)) % count


def _tangents(way: Array) -> Array:
    """(3, 2) unit vectors across a direction."""
    helper = np.eye(3)[int(np.argmin(np.abs(way)))]
    first = np.cross(way, helper)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(way, first)], 1)


def _unit(rays: Array) -> Array:
    points = np.column_stack((rays, np.ones(len(rays))))
    unit: Array = points / np.sqrt(np.einsum("ij,ij->i", points, points))[:, None]
    return unit


def _normal_blocks(rays: Array) -> Array:
    """(N, 3, 3) of [r]x^T [r]x = I - r r^T for unit rays."""
    blocks: Array = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    return blocks


def _solve_rotation(turned: Array, residual: Array, weights: Array) -> Array:
    """Small turn d (3,) with d x turned nearest to the residuals."""
    information = np.einsum("i,ijk->jk", weights, _normal_blocks(turned))
    moment = (np.cross(turned, residual) * weights[:, None]).sum(0)
    step: Array = np.linalg.solve(information, moment)
    return step
