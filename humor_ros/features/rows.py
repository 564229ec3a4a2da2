"""Features of people in many images, in batches that are full whoever is in which image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from humor_ros.features.crop import crop_people, usable_boxes
from humor_ros.features.extractor import FeatureExtractor, ImageFeatures
from humor_ros.image_check import check_image
from humor_ros.types import Image

__all__ = ["EncodedRows", "encode_rows"]


@dataclass(frozen=True)
class EncodedRows:
    """What a batch of crops says.

    Attributes:
        rows: (P,) which boxes they are.
        found: one row each; boxes that cannot be used are not valid.
    """

    rows: NDArray[np.int64]
    found: ImageFeatures


def encode_rows(
    extractor: FeatureExtractor,
    images: Iterable[tuple[int, Image]],
    boxes: ArrayLike,
    *,
    batch: int = 4,
) -> Iterator[EncodedRows]:
    """Encode one box in each of many images.

    Crops are gathered over the images until there are enough, since the encoder needs less time
    for each of several at once.

    Args:
        extractor: runs the encoder.
        images: pairs of a row of ``boxes`` and its image (H, W, 3) uint8 BGR; read one by one.
        boxes: (N, 3) centre x, y (pixels) and side / 200.
        batch: crops at a time.

    Yields:
        Rows as soon as they are known, each once, in the order of ``images``.

    Raises:
        ValueError: an argument is not as stated.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 3:
        raise ValueError(
            f"boxes must have shape (rows, 3): centre x, y and side / 200, got {boxes.shape}"
        )
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    rows: list[int] = []
    crops: list[NDArray[np.float32]] = []
    for row, image in images:
        check_image(image)
        box = boxes[row : row + 1]
        if not usable_boxes(box, image.shape[1], image.shape[0])[0]:
            yield EncodedRows(np.array([row]), extractor.nothing(1))
            continue
        rows.append(row)
        crops.append(crop_people(image, box, extractor.crop_size))
        if len(rows) == batch:
            yield _encode(extractor, rows, crops)
            rows, crops = [], []
    if rows:
        yield _encode(extractor, rows, crops)


def _encode(
    extractor: FeatureExtractor, rows: list[int], crops: list[NDArray[np.float32]]
) -> EncodedRows:
    found = extractor.encode_crops(torch.from_numpy(np.concatenate(crops)))
    return EncodedRows(np.array(rows), found)
