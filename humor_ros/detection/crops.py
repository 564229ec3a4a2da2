"""Cuts a padded, scaled and turned crop out of an image and maps key-points back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from humor_ros.types import Array, Image

__all__ = ["MMPOSE_GRID", "UDP_GRID", "Crop", "PixelGrid"]

#: What one counter-clockwise quarter turn of the image does to x, y in the image.
_TURN = np.array([[0, 1], [-1, 0]])


@dataclass(frozen=True)
class PixelGrid:
    """Where a network places its input pixels: pixel j of n is at (j + offset) / (n - trim).

    Attributes:
        offset: 0.5 where pixels are areas, 0 where the first pixel is at the edge.
        trim: 1 where the last pixel is at the other edge, else 0.
    """

    offset: float = 0.0
    trim: int = 0


#: The plain warp of MMPose (RTMPose, models without UDP).
MMPOSE_GRID = PixelGrid(0.0, 0)
#: Unbiased data processing (Huang et al., "The Devil is in the Details", CVPR 2020, section 3).
UDP_GRID = PixelGrid(0.0, 1)


@dataclass(frozen=True)
class Crop:
    """An upright or turned rectangle of the image that a network sees.

    Attributes:
        centre: (2,) x, y, pixels of the image (pixel centres are whole numbers).
        extent: (2,) width and height as the network sees them, pixels of the image.
        quarter_turns: how often the image is turned by 90 degrees, counter-clockwise as
            seen, before the network sees it: upright again for people who lie or hang.
    """

    centre: Array
    extent: Array
    quarter_turns: int = 0

    @classmethod
    def around(
        cls, box_xyxy: Array, *, padding: float, aspect: float = 1.0, quarter_turns: int = 0
    ) -> Crop:
        """Smallest rectangle of width/height ``aspect`` around a box, grown by ``padding``.

        Args:
            box_xyxy: (4,) pixels.
            padding: factor on both sides, e.g. 1.25.
            aspect: width over height of what the network sees.
            quarter_turns: see the class.
        """
        sides = np.maximum(box_xyxy[2:] - box_xyxy[:2], 1.0)
        if quarter_turns % 2:
            sides = sides[::-1]
        width = max(sides[0], sides[1] * aspect) * padding
        extent = np.array([width, width / aspect])
        return cls((box_xyxy[:2] + box_xyxy[2:]) / 2.0, extent, quarter_turns % 4)

    @property
    def axes(self) -> Array:
        """(2, 2) maps x, y as the network sees them to the image: a turn by quarters."""
        return np.linalg.matrix_power(_TURN.T, self.quarter_turns).astype(np.float64)

    def to_image(self, points: Array) -> Array:
        """Maps (..., 2) points in [0, 1] of what the network sees to pixels of the image."""
        seen = (np.asarray(points, dtype=np.float64) - 0.5) * self.extent
        return np.asarray(self.centre + seen @ self.axes.T)

    def cut(self, image: Image, width: int, height: int, grid: PixelGrid) -> Image:
        """(height, width, 3) what the network sees, black outside the image.

        The part of the image under the crop is averaged down first where the crop shrinks it
        by two or more, so that thin limbs do not alias.
        """
        bounds = np.abs(self.axes @ self.extent) / 2.0
        size = np.array(image.shape[1::-1])
        low = np.clip(np.floor(self.centre - bounds).astype(int) - 2, 0, size)
        high = np.clip(np.ceil(self.centre + bounds).astype(int) + 3, 0, size)
        if (high <= low).any():
            return np.zeros((height, width, 3), dtype=np.uint8)
        part = image[low[1] : high[1], low[0] : high[0]]
        pixels = np.array([width, height]) - grid.trim
        reduce = int(max((self.extent / pixels).min(), 1.0))
        if reduce > 1:
            small = tuple(max(side // reduce, 1) for side in part.shape[1::-1])
            reduced = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
            part = np.asarray(reduced, dtype=np.uint8)
        step = (high - low) / np.array(part.shape[1::-1])
        # seen = pixels * (0.5 + axes^T (x - centre) / extent) - offset, and pixel i of the
        # reduced part is at x = low + step (i + 1/2) - 1/2.
        linear = (pixels / self.extent)[:, None] * self.axes.T
        start = low + step / 2.0 - 0.5 - self.centre
        matrix = np.column_stack([linear * step, linear @ start + pixels / 2.0 - grid.offset])
        warped = cv2.warpAffine(part, matrix, (width, height), flags=cv2.INTER_LINEAR)
        return np.asarray(warped, dtype=np.uint8)
