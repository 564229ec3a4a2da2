"""Cuts a padded, scaled crop out of an image and maps key-points back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from humor_ros.types import Array, Image

__all__ = ["Crop", "crop_image"]


@dataclass(frozen=True)
class Crop:
    """An axis-aligned rectangle of the image that a network sees.

    Attributes:
        centre: (2,) x, y, pixels of the image.
        extent: (2,) width and height, pixels of the image, before the turn.
        quarter_turns: how often the rectangle is turned by 90 degrees, counter-clockwise as
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
        if quarter_turns % 2:
            aspect = 1.0 / aspect
        sides = np.maximum(box_xyxy[2:] - box_xyxy[:2], 1.0)
        width = max(sides[0], sides[1] * aspect) * padding
        return cls(
            (box_xyxy[:2] + box_xyxy[2:]) / 2.0, np.array([width, width / aspect]), quarter_turns
        )

    def to_image(self, points: Array) -> Array:
        """Maps (..., 2) points in [0, 1] of what the network sees to pixels of the image."""
        turned = np.asarray(points, dtype=np.float64) - 0.5
        for _ in range(self.quarter_turns % 4):  # back: a clockwise turn, (x, y) -> (-y, x)
            turned = np.stack([-turned[..., 1], turned[..., 0]], axis=-1)
        return np.asarray(self.centre + turned * self.extent)


def crop_image(image: Image, crop: Crop, width: int, height: int) -> Image:
    """(height, width, C) view of ``crop``, black outside the image.

    ``width`` and ``height`` are those of what the network sees, after the quarter turns.
    Without turns, a point at (u, v) in [0, 1] of the crop lands at (u*width, v*height) in
    continuous pixel coordinates. The part of the image under the crop is averaged down first
    where the crop shrinks it by two or more, so that thin limbs do not alias.
    """
    if crop.quarter_turns % 4:
        swap = crop.quarter_turns % 2
        upright = Crop(crop.centre, crop.extent)
        seen = crop_image(image, upright, *((height, width) if swap else (width, height)))
        return np.ascontiguousarray(np.rot90(seen, crop.quarter_turns))
    low = crop.centre - crop.extent / 2.0
    scale = np.array([width, height]) / crop.extent
    rows, columns = image.shape[:2]
    x0, y0 = np.clip(np.floor(low).astype(int) - 2, 0, [columns, rows])
    x1, y1 = np.clip(np.ceil(low + crop.extent).astype(int) + 2, 0, [columns, rows])
    if x1 <= x0 or y1 <= y0:
        return np.zeros((height, width, image.shape[2]), dtype=image.dtype)
    part = image[y0:y1, x0:x1]
    reduce = np.maximum(np.floor(1.0 / scale).astype(int), 1)
    if (reduce > 1).any():
        small = (max(part.shape[1] // reduce[0], 1), max(part.shape[0] // reduce[1], 1))
        reduced = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
    else:
        reduced = part
    step = np.array([part.shape[1] / reduced.shape[1], part.shape[0] / reduced.shape[0]])
    # Pixel centres: image x = x0 + step (i + 1/2), crop pixel j = scale (x - low) - 1/2.
    shift = scale * (np.array([x0, y0]) + step / 2.0 - low) - 0.5
    matrix = np.array([[scale[0] * step[0], 0.0, shift[0]], [0.0, scale[1] * step[1], shift[1]]])
    warped = cv2.warpAffine(reduced, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=image.dtype).reshape(height, width, image.shape[2])
