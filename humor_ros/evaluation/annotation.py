"""Entries of data sets' annotation files, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from humor_ros.types import Array

__all__ = ["annotation_array", "image_size_of"]


def annotation_array(path: Path, key: str, value: Any, shape: tuple[int | None, ...]) -> Array:
    """One entry as float64.

    Args:
        path: of the file, for messages.
        key: name of the entry, for messages.
        value: the entry.
        shape: expected; None stands for any length.

    Raises:
        ValueError: it is of another shape or no array of numbers.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {key} is not an array of numbers ({error})") from error
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("N" if size is None else str(size) for size in shape)
        raise ValueError(f"{path}: {key} has shape {array.shape}, expected ({wanted})")
    return array


def image_size_of(image: Path, matrix: Array) -> tuple[int, int]:
    """Width and height: of an image, or where there is none twice the principal point of K."""
    if image.is_file():
        import cv2

        picture = cv2.imread(str(image))
        if picture is not None:
            return picture.shape[1], picture.shape[0]
    return round(2.0 * float(matrix[0, 2])), round(2.0 * float(matrix[1, 2]))
