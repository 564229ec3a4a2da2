"""How a camera turned between two images, from the same background points in both.

The camera may also have moved, and a step to the side looks much like a turn. So turn and direction
of the way are fitted together to the epipolar constraint, in which the distances of the points play
no part (Longuet-Higgins 1981; Sampson's first-order error). How far the points miss it tells their
noise, and only where they shift by no more than that beside a turn, the turn alone is fitted (all
of each point's shift counts). Both are robust least squares, and tell their covariance: that of
the first is long across the way, as it must be. The gyroscope's turn is a good start. Without one
the epipolar constraint has wrong solutions, which put points behind the camera: several starts are
tried, among them the five-point method's (Nister 2004, OpenCV).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.inertial.so3 import exp_so3, log_so3, orthonormalised
from humor_ros.types import Array

__all__ = ["TurnEstimate", "fit_turn"]

_ITERATIONS = 8
#: Pairs of points that are tried for the direction of the way.
_TRIALS = 64
#: A smaller step ends the descent, rad.
_CONVERGED = 1e-5
#: Cauchy's scale for 95 % efficiency, in standard deviations.
_CAUCHY = 2.385
#: Shift beside the turn, in multiples of the points' noise, above which the camera has moved; and
#: what a smaller way that stays unseen may add to the turn, in standard deviations of a point.
_PARALLAX, _UNSEEN_PARALLAX = 1.25, 1.5
#: The noise stated for points may be too large by this much, not more.
_LEAST_NOISE = 0.35
#: Keeps a way of which nothing is known where it is.
_RIDGE = 1e-3
#: Fewer points tell nothing.
LEAST_POINTS = 12
#: Share of points that must agree with the fit.
_LEAST_AGREEING = 0.5
#: A camera does not turn further than this between two images that share points, rad.
_LARGEST_TURN = math.radians(75.0)


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


@dataclass(frozen=True, eq=False)
class _Fit:
    """A descent's end: the turn, its covariance for points of noise 1, and what is left."""

    rotation: Array
    unit_covariance: Array
    spread: float
    agreeing: int
    residuals: Array = field(default_factory=lambda: np.zeros(0))

    def cost(self, noise: float) -> float:
        """Robust sum of what is left, for points of this noise."""
        return float(np.log1p(np.square(self.residuals / (noise * _CAUCHY))).sum())


def fit_turn(
    rays_then: Array, rays_now: Array, guess: Array, noise: float, *, rough: bool = False
) -> TurnEstimate | None:
    """Fit the turn between two images.

    Args:
        rays_then: (N, 2) x/z, y/z of the points in the earlier image.
        rays_now: (N, 2) of the same points now.
        guess: (3, 3) camera now to camera then, by the gyroscope.
        noise: standard deviation of a ray in one image and axis, radians on the image plane.
        rough: the guess may be degrees off, so that others are tried too.

    Returns:
        the turn, or None where there are too few points or they do not agree.
    """
    if len(rays_then) < LEAST_POINTS:
        return None
    then, now = _unit(rays_then), _unit(rays_now)
    # The turn between the two images carries the noise of both.
    sigma = noise * math.sqrt(2.0)
    still = _fit_still(then, now, guess, sigma)
    starts = [guess]
    if rough:
        starts += [] if still is None else [still.rotation]
        starts += _five_point(rays_then, rays_now, guess, sigma)
    moving = [fit for start in starts if (fit := _fit_moving(then, now, start, sigma)) is not None]
    least = max(_LEAST_NOISE, min((fit.spread for fit in moving), default=1.0))
    best = min(moving, key=lambda fit: fit.cost(least), default=None)
    floor = 1.0 if best is None else max(best.spread, _LEAST_NOISE)
    if still is not None and still.spread <= _PARALLAX * floor:
        size = sigma * max(still.spread, _LEAST_NOISE)
        covariance = size**2 * (still.unit_covariance + _UNSEEN_PARALLAX**2 * np.eye(3))
        return TurnEstimate(orthonormalised(still.rotation), covariance, still.agreeing, False)
    if best is None:
        return None
    covariance = (sigma * floor) ** 2 * best.unit_covariance
    return TurnEstimate(orthonormalised(best.rotation), covariance, best.agreeing, True)


def _fit_still(then: Array, now: Array, guess: Array, sigma: float) -> _Fit | None:
    """Turn alone."""
    rotation = guess
    weights = np.ones(len(then))
    for _ in range(_ITERATIONS):
        turned = now @ rotation.T
        # then = Exp(d) turned: residual = then - turned = d x turned.
        residual = then - turned
        length = np.sqrt(np.einsum("ij,ij->i", residual, residual)) / sigma
        scale = max(_LEAST_NOISE, 1.1 * _median(length))
        weights = 1.0 / (1.0 + np.square(length / (scale * _CAUCHY)))
        step = _solve_rotation(turned, residual, weights)
        rotation = exp_so3(step) @ rotation
        if float(step[:3] @ step[:3]) < _CONVERGED**2:
            break
    turned = now @ rotation.T
    residual = then - turned
    length = np.sqrt(np.einsum("ij,ij->i", residual, residual)) / sigma
    # Two axes: the median of a Rayleigh length is 1.18 standard deviations.
    spread = _median(length) / 1.18
    agreeing = int((length < 3.5 * max(_LEAST_NOISE, spread)).sum())
    if agreeing < LEAST_POINTS or agreeing < _LEAST_AGREEING * len(then):
        return None
    information = np.einsum("i,ijk->jk", weights, _normal_blocks(turned))
    return _Fit(rotation, np.linalg.inv(information), spread, agreeing)


def _fit_moving(then: Array, now: Array, rotation: Array, sigma: float) -> _Fit | None:
    """Turn and direction of the way together."""
    way = _way(then, now @ rotation.T, sigma)
    system = np.eye(5)
    residual = np.zeros(len(then))
    for _ in range(_ITERATIONS):
        turned = now @ rotation.T
        normal = _cross(turned, then)
        value = normal @ way
        # Sampson: the constraint over the length of its gradient in both rays, which is the
        # sine of the angle between way and ray, but for the parallax.
        along = turned @ way
        size = np.sqrt(np.maximum(1.0 - along * along, 1e-3))
        residual = value / size / sigma
        scale = max(_LEAST_NOISE, 1.4826 * _median(np.abs(residual)))
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
    spread = 1.4826 * _median(np.abs(residual))
    agreeing = int((np.abs(residual) < 3.5 * max(spread, 1.0)).sum())
    if agreeing < LEAST_POINTS or agreeing < _LEAST_AGREEING * len(then) or spread > 4.0:
        return None
    # The system is in units of the stated noise; what is handed back is per noise of 1.
    unit: Array = np.asarray(np.linalg.inv(system)[:3, :3] / sigma**2, np.float64)
    behind = _behind(then, now @ rotation.T, way, sigma)
    return _Fit(rotation, unit, spread, agreeing, np.concatenate([residual, behind]))


def _behind(then: Array, turned: Array, way: Array, sigma: float) -> Array:
    """How far (N,) points shift as only those behind the camera do, in standard deviations."""
    across = way - (then @ way)[:, None] * then
    across /= np.sqrt(np.maximum(np.einsum("ij,ij->i", across, across), 1e-6))[:, None]
    shift = np.einsum("ij,ij->i", then - turned, across) / sigma
    # The sign of the way is not known: the one that leaves less behind.
    backwards, forwards = np.maximum(-shift, 0.0), np.maximum(shift, 0.0)
    return backwards if _median(shift) >= 0.0 else forwards


def _five_point(rays_then: Array, rays_now: Array, guess: Array, sigma: float) -> list[Array]:
    """Turns (3, 3) by the five-point method; none where it fails."""
    estimate: Any = cv2.findEssentialMat
    try:
        found, _ = estimate(
            rays_then, rays_now, np.eye(3), method=cv2.USAC_ACCURATE, prob=0.99, threshold=2 * sigma
        )
    except cv2.error:
        return []
    if found is None or found.shape[0] < 3 or not np.isfinite(found).all():
        return []
    turns = []
    for matrix in (found[k : k + 3] for k in range(0, len(found) - 2, 3)):
        first, second, _ = cv2.decomposeEssentialMat(matrix)
        turns += [np.asarray(first, np.float64).T, np.asarray(second, np.float64).T]
    return [turn for turn in turns if np.linalg.norm(log_so3(turn @ guess.T)) < _LARGEST_TURN]


def _way(then: Array, turned: Array, sigma: float) -> Array:
    """Direction of the way (3,) on which most points agree, given the turn.

    Two points tell a way; a fixed set of pairs is tried, so that the answer is repeatable.
    """
    normal = _cross(turned, then)
    first, second = _pairs(len(then))
    ways = _cross(normal[first], normal[second])
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


def _cross(first: Array, second: Array) -> Array:
    """Cross products (N, 3) of (N, 3); NumPy's own spends most of its time on axes."""
    x, y, z = first.T
    u, v, w = second.T
    product: Array = np.stack((y * w - z * v, z * u - x * w, x * v - y * u), 1)
    return product


def _median(values: Array) -> float:
    """The upper median of (N,) values."""
    middle = len(values) // 2
    return float(np.partition(values, middle)[middle])


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
    moment = (_cross(turned, residual) * weights[:, None]).sum(0)
    step: Array = np.linalg.solve(information, moment)
    return step
