"""Lens distortion in normalised image coordinates: OpenCV's models under their ROS names."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from humor_ros.types import Array

__all__ = ["DISTORTION_LENGTHS", "distort", "is_distorting", "undistort"]

#: Accepted numbers of coefficients by model (``CameraInfo.distortion_model``), OpenCV's order.
DISTORTION_LENGTHS: dict[str, tuple[int, ...]] = {
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (0, 8, 12, 14),
    "equidistant": (0, 4),
}

_IDENTITY = np.eye(3)
#: Steps and target (normalised units) of OpenCV's fixed-point search.
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
#: A search that ends farther than this from where it should (normalised units) has failed.
_CONVERGED = 1e-5


def is_distorting(model: str, coefficients: tuple[float, ...]) -> bool:
    """Whether the lens differs from the ideal pinhole (``equidistant`` without terms does)."""
    return model == "equidistant" or any(coefficients)


def distort(points: Array, model: str, coefficients: tuple[float, ...]) -> Array:
    """Bend ideal rays as the lens does.

    Args:
        points: (N, 2) x/z, y/z.
        model: a key of :data:`DISTORTION_LENGTHS`.
        coefficients: as many as the model takes.

    Returns:
        (N, 2) distorted normalised coordinates.
    """
    if not len(points) or not is_distorting(model, coefficients):
        return points
    if model == "equidistant":
        bent = cv2.fisheye.distortPoints(points[:, None], _IDENTITY, _fisheye(coefficients))
    else:
        rays = np.column_stack((points, np.ones(len(points))))
        bent, _ = cv2.projectPoints(
            rays[:, None], np.zeros(3), np.zeros(3), _IDENTITY, np.array(coefficients)
        )
    return np.asarray(bent, dtype=np.float64)[:, 0]


def undistort(points: Array, model: str, coefficients: tuple[float, ...]) -> Array:
    """Straighten rays that the lens bent.

    Args:
        points: (N, 2) distorted normalised coordinates.
        model: a key of :data:`DISTORTION_LENGTHS`.
        coefficients: as many as the model takes.

    Returns:
        (N, 2) x/z, y/z; NaN where no ray in front of the lens lands there, as happens far
        outside the image.
    """
    if not len(points) or not is_distorting(model, coefficients):
        return points
    known = np.isfinite(points).all(axis=1, keepdims=True)
    start = np.where(known, points, 0.0)
    rays = np.asarray(_search(start[:, None], model, coefficients), dtype=np.float64)[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):
        missed = np.abs(distort(rays, model, coefficients) - start).max(axis=1, keepdims=True)
    return np.where(known & (missed < _CONVERGED), rays, np.nan)


def _search(points: Array, model: str, coefficients: tuple[float, ...]) -> ArrayLike:
    """Run OpenCV's search for the ideal rays; its releases 4 and 5 name that differently."""
    if model == "equidistant":
        return cv2.fisheye.undistortPoints(points, _IDENTITY, _fisheye(coefficients))
    terms = np.array(coefficients)
    if hasattr(cv2, "undistortPointsIter"):
        return cv2.undistortPointsIter(points, _IDENTITY, terms, None, None, _CRITERIA)
    return cv2.undistortPoints(points, _IDENTITY, terms, criteria=_CRITERIA)


def _fisheye(coefficients: tuple[float, ...]) -> Array:
    return np.array(coefficients or (0.0,) * 4, dtype=np.float64)
