"""What top-down pose networks share: person crops in, heat maps or SimCC vectors out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.detection.boxes import check_boxes
from humor_ros.detection.coco import NUM_KEYPOINTS
from humor_ros.detection.crops import Crop, PixelGrid
from humor_ros.image_check import check_image
from humor_ros.types import Array, Detection, Image

__all__ = [
    "COCO_PREFIX_SETS",
    "TopDownDetector",
    "decode_heat_maps",
    "decode_simcc",
    "normalise_rgb",
]

Float32 = NDArray[np.float32]

#: Numbers of key-points of sets whose first 17 are COCO-17: COCO, Halpe-26, COCO-WholeBody.
COCO_PREFIX_SETS = (17, 26, 133)

#: Growth of the person's box before the crop, as in MMPose's top-down training.
_PADDING = 1.25

_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_BLUR_KERNEL = 11
_SMALLEST = 1e-3


def normalise_rgb(
    image_bgr: Image, mean: Float32 = _IMAGENET_MEAN, std: Float32 = _IMAGENET_STD
) -> Float32:
    """(3, H, W) float32 RGB, scaled to [0, 1], less ``mean``, over ``std`` (ImageNet's)."""
    scaled = image_bgr[..., ::-1].astype(np.float32) / 255.0
    return np.ascontiguousarray(((scaled - mean) / std).transpose(2, 0, 1))


class TopDownDetector(ABC):
    """What detectors that read a crop of each person share.

    Attributes:
        people: finds people in a checked image.
        input_size: width and height of the pose network's input.
        grid: where that network places its input pixels.
    """

    people: Callable[[Image], list[Detection]]
    input_size: tuple[int, int]
    grid: PixelGrid

    @abstractmethod
    def run(self, crops: Float32) -> tuple[Array, Array]:
        """The pose network: where joints are in crops.

        Args:
            crops: (N, 3, h, w) normalised.

        Returns:
            (N, 17, 2) places in [0, 1] of the crop and (N, 17) confidence.
        """

    def detect(self, image_bgr: Image) -> list[Detection]:
        """Everybody in the image, best first; with key-points where they come for free."""
        return self.people(check_image(image_bgr))

    def refine(
        self, image_bgr: Image, boxes_xyxy: Array, quarter_turns: Sequence[int] | None = None
    ) -> Array:
        """(N, 17, 3) key-points of the person in each of the (N, 4) boxes."""
        check_image(image_bgr)
        boxes, turns = check_boxes(boxes_xyxy, quarter_turns)
        if not len(boxes):
            return np.zeros((0, NUM_KEYPOINTS, 3))
        width, height = self.input_size
        crops = [
            Crop.around(box, padding=_PADDING, aspect=width / height, quarter_turns=turn)
            for box, turn in zip(boxes, turns, strict=True)
        ]
        inputs = [normalise_rgb(crop.cut(image_bgr, width, height, self.grid)) for crop in crops]
        places, confidence = self.run(np.stack(inputs))
        points = np.stack([crop.to_image(p) for crop, p in zip(crops, places, strict=True)])
        return np.concatenate([points, np.clip(confidence, 0.0, 1.0)[..., None]], axis=-1)


def decode_heat_maps(heat_maps: Float32, grid: PixelGrid) -> tuple[Array, Array]:
    """Finds the joint in each heat map, finer than its cells.

    Blurs, takes the logarithm and one Newton step from the greatest cell (DARK: Zhang et al.,
    "Distribution-Aware Coordinate Representation", CVPR 2020, section 3.1).

    Args:
        heat_maps: (N, K, h, w).
        grid: where the network places cells; the same as for its input pixels.

    Returns:
        (N, K, 2) x, y in [0, 1] of the crop and (N, K) confidence, the greatest value.
    """
    people, joints, height, width = heat_maps.shape
    flat = heat_maps.reshape(people * joints, height, width)
    best = flat.reshape(len(flat), -1).argmax(axis=1)
    rows, columns = np.divmod(best, width)
    confidence = flat[np.arange(len(flat)), rows, columns].astype(np.float64)
    cells = np.column_stack([columns, rows]).astype(np.float64)
    inside = (columns > 0) & (columns < width - 1) & (rows > 0) & (rows < height - 1)
    for index in np.flatnonzero(inside & (confidence > 0.0)):
        cells[index] += _newton_step(flat[index], rows[index], columns[index])
    places = (cells + grid.offset) / (np.array([width, height]) - grid.trim)
    return places.reshape(people, joints, 2), confidence.reshape(people, joints)


def _newton_step(heat_map: Float32, row: int, column: int) -> Array:
    """(2,) step in x, y from the greatest cell to the top of the fitted Gaussian."""
    blurred = cv2.GaussianBlur(heat_map, (_BLUR_KERNEL, _BLUR_KERNEL), 0)
    around = np.log(np.maximum(blurred[row - 1 : row + 2, column - 1 : column + 2], _SMALLEST))
    gradient = np.array([around[1, 2] - around[1, 0], around[2, 1] - around[0, 1]]) / 2.0
    xx = around[1, 2] - 2.0 * around[1, 1] + around[1, 0]
    yy = around[2, 1] - 2.0 * around[1, 1] + around[0, 1]
    xy = (around[2, 2] - around[2, 0] - around[0, 2] + around[0, 0]) / 4.0
    determinant = xx * yy - xy * xy
    if xx >= 0.0 or determinant <= 1e-9:
        return np.zeros(2)  # not the top of a hill
    step = -np.array([yy * gradient[0] - xy * gradient[1], xx * gradient[1] - xy * gradient[0]])
    return np.clip(step / determinant, -1.0, 1.0)


def decode_simcc(simcc_x: Float32, simcc_y: Float32) -> tuple[Array, Array]:
    """Finds joints in SimCC vectors (Li et al., "SimCC", ECCV 2022, section 3.1; RTMPose).

    Args:
        simcc_x: (N, K, bins) over the crop's width; any number of bins to a pixel.
        simcc_y: (N, K, bins) over the crop's height.

    Returns:
        (N, K, 2) x, y in [0, 1] of the crop and (N, K) confidence, the lesser of both peaks.
    """
    axes = (simcc_x, simcc_y)
    places = np.stack([v.argmax(axis=-1) / v.shape[-1] for v in axes], axis=-1)
    return places, np.minimum(*(v.max(axis=-1) for v in axes)).astype(np.float64)
