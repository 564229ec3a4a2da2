"""The crop of a person as HMR2's features for WHAM were made: exact in its rounding.

A square around the person is cut out (black outside the image), resized bilinearly without
anti-aliasing, and normalised with the means of ImageNet.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from humor_ros.image_check import check_image
from humor_ros.types import Array, Image

__all__ = [
    "CROP_SIZE",
    "MAX_SIDE_PX",
    "crop_corners",
    "crop_people",
    "cut_out",
    "normalise",
    "usable_boxes",
]

#: Side of a crop, pixels.
CROP_SIZE = 256
#: Boxes with a longer side are refused: a crop is cut at full size before it is resized.
MAX_SIDE_PX = 8192

_UNIT = 200.0
_MEAN = np.array((0.485, 0.456, 0.406), dtype=np.float32)
_STD = np.array((0.229, 0.224, 0.225), dtype=np.float32)


def usable_boxes(boxes: ArrayLike, width: int, height: int) -> NDArray[np.bool_]:
    """Whether each box can be cropped and shows a part of the image.

    Args:
        boxes: (P, 3) centre x, y (pixels) and side / 200.
        width: of the image, pixels.
        height: of the image, pixels.

    Returns:
        (P,) false where a box is not finite, has no area, a side above ``MAX_SIDE_PX``, or lies
        outside the image.

    Raises:
        ValueError: boxes has another shape.
    """
    boxes = _checked_shape(boxes)
    side = boxes[:, 2] * _UNIT
    good = np.isfinite(boxes).all(axis=1) & (side > 0.0) & (side <= MAX_SIDE_PX)
    corners = np.zeros((len(boxes), 4), dtype=np.int64)
    near = good & (np.abs(boxes[:, :2]) < 1e9).all(axis=1)
    corners[near] = crop_corners(boxes[near])
    left, top, right, bottom = corners.T
    area = (right > left) & (bottom > top)
    return near & area & (right > 0) & (bottom > 0) & (left < width) & (top < height)


def crop_corners(boxes: ArrayLike, size: int = CROP_SIZE) -> NDArray[np.int64]:
    """Whole pixels that a box cuts out.

    The corners of the crop go through the inverse of the crop's affine map and are rounded half
    to even, as published; the closed form c -+ side / 2 differs by a pixel on ties.

    Args:
        boxes: (P, 3) centre x, y (pixels) and side / 200.
        size: side of the crop, pixels.

    Returns:
        (P, 4) left, top, right, bottom; right and bottom are exclusive. Width and height may
        differ by a pixel.

    Raises:
        ValueError: boxes has another shape, or a box is not finite or has no area.
    """
    boxes = _checked_shape(boxes)
    good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > 0.0)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"boxes[{row}] is {boxes[row].tolist()}; centre and side / 200 must be finite and the "
            "side above 0 (leave people without a box out, see usable_boxes)"
        )
    width = _UNIT * boxes[:, 2]
    to_crop = np.zeros((len(boxes), 3, 3))
    to_crop[:, 0, 0] = to_crop[:, 1, 1] = size / width
    to_crop[:, :2, 2] = size * (-boxes[:, :2] / width[:, None] + 0.5)
    to_crop[:, 2, 2] = 1.0
    to_image = np.linalg.inv(to_crop)
    low = np.round(to_image @ np.array((0.0, 0.0, 1.0)))[:, :2]
    high = np.round(to_image @ np.array((float(size), float(size), 1.0)))[:, :2]
    return np.concatenate((low, high), axis=1).astype(np.int64)


def cut_out(image_rgb: Image, corners: ArrayLike, size: int = CROP_SIZE) -> NDArray[np.float32]:
    """Cut a rectangle out, black outside the image, and resize it.

    Args:
        image_rgb: (H, W, 3).
        corners: (4,) left, top, right, bottom, whole pixels.
        size: side of the crop, pixels.

    Returns:
        (size, size, 3) of 0 to 255.

    Raises:
        ValueError: the rectangle has no area or is longer than ``MAX_SIDE_PX``.
    """
    left, top, right, bottom = (int(value) for value in np.asarray(corners))
    longest = max(right - left, bottom - top)
    if min(right - left, bottom - top) <= 0 or longest > MAX_SIDE_PX + 1:
        raise ValueError(
            f"corners {(left, top, right, bottom)} must enclose 1 to {MAX_SIDE_PX} pixels a side"
        )
    height, width = image_rgb.shape[:2]
    patch = np.zeros((bottom - top, right - left, 3), dtype=np.float32)
    rows = slice(max(top, 0), min(bottom, height))
    columns = slice(max(left, 0), min(right, width))
    if rows.start < rows.stop and columns.start < columns.stop:
        patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = (
            image_rgb[rows, columns]
        )
    return np.asarray(cv2.resize(patch, (size, size)), dtype=np.float32)


def normalise(crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """RGB of 0 to 255 (S, S, 3) to the network's (3, S, S), by ImageNet's means."""
    unit = crop / np.float32(255.0)
    return np.ascontiguousarray(((unit - _MEAN) / _STD).transpose(2, 0, 1))


def crop_people(image_bgr: Image, boxes: ArrayLike, size: int = CROP_SIZE) -> NDArray[np.float32]:
    """Crop people out of one image.

    Args:
        image_bgr: (H, W, 3) uint8, as OpenCV reads it.
        boxes: (P, 3) centre x, y (pixels) and side / 200; one that lies outside the image gives
            a black crop, as published.
        size: side of the crops, pixels.

    Returns:
        (P, 3, size, size) normalised RGB.

    Raises:
        ValueError: the image or the boxes are not as stated.
    """
    check_image(image_bgr)
    image_rgb = image_bgr[..., ::-1]
    corners = crop_corners(boxes, size)
    crops = np.empty((len(corners), 3, size, size), dtype=np.float32)
    for row, rectangle in enumerate(corners):
        crops[row] = normalise(cut_out(image_rgb, rectangle, size))
    return crops


def _checked_shape(boxes: ArrayLike) -> Array:
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 3:
        raise ValueError(
            f"boxes must have shape (people, 3): centre x, y and side / 200, got {boxes.shape}"
        )
    return boxes
