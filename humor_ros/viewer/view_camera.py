"""The viewer's own camera on the world: from above (orthographic) or oblique (perspective)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humor_ros.types import Array

__all__ = ["ViewCamera"]

#: Nothing nearer than this to a perspective eye is drawn, metres.
_NEAREST_M = 0.1
#: Focal length of the perspective view, in heights of the picture (about 40 degrees).
_FOCAL_HEIGHTS = 1.4


@dataclass(frozen=True, eq=False)
class ViewCamera:
    """Maps the z-up world to pixels of a picture.

    Attributes:
        width: pixels.
        height: pixels.
        rotation_view_world: (3, 3) world to view axes (x right, y down, z away).
        eye_world: (3,) metres; in an orthographic view it stands in the picture's centre.
        focal_px: pixels (perspective), or pixels per metre (orthographic).
        orthographic: whether distance leaves size as it is.
    """

    width: int
    height: int
    rotation_view_world: Array
    eye_world: Array
    focal_px: float
    orthographic: bool

    @classmethod
    def from_above(
        cls, width: int, height: int, points_world: NDArray[Any], margin: float = 0.08
    ) -> ViewCamera:
        """Look straight down, world x to the right or up the picture, whichever fits larger.

        Args:
            width: pixels.
            height: pixels.
            points_world: (N, 3) what must be seen, metres; N >= 1.
            margin: free share of the picture on each side.
        """
        low, high = np.min(points_world, axis=0), np.max(points_world, axis=0)
        span = np.maximum(high - low, 1.0)
        room = 1.0 - 2.0 * margin
        x_right = room * min(width / span[0], height / span[1])
        x_up = room * min(width / span[1], height / span[0])
        eye = (low + high) / 2.0
        eye[2] = high[2] + 10.0
        right, down = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
        if x_up > x_right:
            right, down = (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)
        rotation = np.array((right, down, (0.0, 0.0, -1.0)))
        return cls(width, height, rotation, eye, float(max(x_right, x_up)), True)

    @classmethod
    def oblique(
        cls,
        width: int,
        height: int,
        points_world: NDArray[Any],
        azimuth: float = 0.75,
        elevation: float = 0.42,
        margin: float = 0.06,
    ) -> ViewCamera:
        """Look from behind and aside, slightly down, from as near as lets the points fit.

        Args:
            width: pixels.
            height: pixels.
            points_world: (N, 3) what must be seen, metres; N >= 1.
            azimuth: heading of the line of sight, radians, counter-clockwise from world x.
            elevation: angle of the line of sight below the horizon, radians.
            margin: free share of the picture on each side.
        """
        points = np.asarray(points_world, np.float64)
        forward = np.array(
            [
                np.cos(azimuth) * np.cos(elevation),
                np.sin(azimuth) * np.cos(elevation),
                -np.sin(elevation),
            ]
        )
        right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
        rotation = np.stack((right, np.cross(forward, right), forward))
        focal = _FOCAL_HEIGHTS * height
        target = (points.min(axis=0) + points.max(axis=0)) / 2.0
        half = np.array((width, height)) * (0.5 - margin)
        for _ in range(3):
            # A point fits when focal * |offset| <= half * (distance + depth).
            offsets = (points - target) @ rotation.T
            needed = focal * np.abs(offsets[:, :2]) / half - offsets[:, 2:]
            distance = max(2.0, float(needed.max()))
            view = cls(width, height, rotation, target - distance * forward, focal, False)
            pixels, depths = view.project(points)
            middle = (np.nanmin(pixels, axis=0) + np.nanmax(pixels, axis=0)) / 2.0
            shift = (middle - np.array((width, height)) / 2.0) / focal * float(np.median(depths))
            target = target + shift @ rotation[:2]
        return view

    def project(self, points_world: NDArray[Any]) -> tuple[Array, Array]:
        """Pixels and distances of points.

        Args:
            points_world: (N, 3) metres.

        Returns:
            (N, 2) pixels, NaN where behind the eye, and (N,) distance along the line of sight.
        """
        places = (np.asarray(points_world, np.float64) - self.eye_world) @ (
            self.rotation_view_world.T
        )
        depths = places[:, 2]
        centre = np.array((self.width, self.height)) / 2.0
        if self.orthographic:
            return centre + self.focal_px * places[:, :2], depths
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = centre + self.focal_px * places[:, :2] / depths[:, None]
        return np.where(depths[:, None] > _NEAREST_M, pixels, np.nan), depths

    def pixels_per_metre(self, depths: NDArray[Any]) -> Array:
        """Scale of the picture at distances (N,) along the line of sight."""
        if self.orthographic:
            return np.full(len(depths), self.focal_px)
        return self.focal_px / np.maximum(depths, _NEAREST_M)

    def project_segment(self, start: NDArray[Any], end: NDArray[Any]) -> Array | None:
        """Pixels (2, 2) of a world segment, cut at the eye's plane; None when all behind it."""
        ends = np.stack((start, end)).astype(np.float64)
        if not self.orthographic:
            depths = (ends - self.eye_world) @ self.rotation_view_world[2]
            nearest = 1.01 * _NEAREST_M
            if (depths < nearest).all():
                return None
            if (depths < nearest).any():
                share = (nearest - depths[0]) / (depths[1] - depths[0])
                ends[int(np.argmin(depths))] = ends[0] + share * (ends[1] - ends[0])
        return self.project(ends)[0]
