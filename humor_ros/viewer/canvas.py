"""Anti-aliased strokes, discs and labels at sub-pixel places; what is off the map is skipped."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.types import Image
from humor_ros.viewer.palette import Color, ink_on

__all__ = ["blend", "disc", "fit_height", "label", "polyline", "ring", "segment", "text"]

#: Fractional bits of OpenCV's fixed-point drawing coordinates.
_SHIFT = 4
#: Places further away than this from the image's corner are not drawn (fixed-point range).
_FARTHEST_PX = 20_000.0


def _fixed(point: NDArray[Any]) -> tuple[int, int] | None:
    """Fixed-point coordinates, or None for a place that is not finite or far off the image."""
    x, y = float(point[0]), float(point[1])
    if not (abs(x) < _FARTHEST_PX and abs(y) < _FARTHEST_PX):  # NaN fails the comparison
        return None
    return round(x * (1 << _SHIFT)), round(y * (1 << _SHIFT))


def segment(
    image: Image, start: NDArray[Any], end: NDArray[Any], color: Color, width: float = 1.0
) -> None:
    """Draw a straight stroke with round ends, in place.

    Args:
        image: (H, W, 3) BGR.
        start: (2,) pixels.
        end: (2,) pixels.
        color: BGR.
        width: pixels.
    """
    first, last = _fixed(start), _fixed(end)
    if first is not None and last is not None:
        cv2.line(image, first, last, color, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def polyline(image: Image, points: NDArray[Any], color: Color, width: float = 1.0) -> None:
    """Draw strokes from point to point, (N, 2) pixels, in place; gaps at places not finite."""
    for start, end in pairwise(points):
        segment(image, start, end, color, width)


def disc(image: Image, centre: NDArray[Any], radius: float, color: Color) -> None:
    """Draw a filled disc, in place; ``centre`` (2,) and ``radius`` in pixels."""
    place = _fixed(centre)
    if place is not None:
        size = max(1, round(radius * (1 << _SHIFT)))
        cv2.circle(image, place, size, color, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def ring(
    image: Image, centre: NDArray[Any], radius: float, color: Color, width: float = 1.0
) -> None:
    """Draw a circle, in place; ``centre`` (2,), ``radius`` and ``width`` in pixels."""
    place = _fixed(centre)
    if place is not None:
        size = max(1, round(radius * (1 << _SHIFT)))
        cv2.circle(image, place, size, color, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def text(
    image: Image, words: str, left: float, baseline: float, color: Color, scale: float = 0.5
) -> None:
    """Write words, in place, with the left end of their base line at (left, baseline) pixels."""
    place = (round(left), round(baseline))
    cv2.putText(image, words, place, cv2.FONT_HERSHEY_SIMPLEX, scale, color, 1, cv2.LINE_AA)


def label(
    image: Image, words: str, left: float, bottom: float, color: Color, scale: float = 0.5
) -> None:
    """Write words on a filled plate, in place, moved so that the plate stays inside the image.

    Args:
        image: (H, W, 3) BGR.
        words: what to write.
        left: left edge of the plate, pixels.
        bottom: bottom edge of the plate, pixels.
        color: of the plate; the ink is black or white.
        scale: size of the letters; 0.5 is about 10 pixels high.
    """
    if not np.isfinite((left, bottom)).all():
        return
    (width, height), descent = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    pad = max(3, round(8 * scale))
    plate_width, plate_height = width + 2 * pad, height + descent // 2 + 2 * pad
    x = int(np.clip(round(left), 0, max(0, image.shape[1] - plate_width)))
    y = int(np.clip(round(bottom) - plate_height, 0, max(0, image.shape[0] - plate_height)))
    corner = (x + plate_width, y + plate_height)
    cv2.rectangle(image, (x, y), corner, color, cv2.FILLED, cv2.LINE_AA)
    text(image, words, x + pad, y + pad + height, ink_on(color), scale)


def blend(image: Image, layer: Image, share: float) -> None:
    """Lay ``layer`` over ``image`` in place, with ``share`` of the layer in the mixture."""
    cv2.addWeighted(layer, share, image, 1.0 - share, 0.0, dst=image)


def fit_height(image: Image, height: int) -> Image:
    """Resize to a height, in pixels, keeping the proportions."""
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    smaller = height < image.shape[0]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
