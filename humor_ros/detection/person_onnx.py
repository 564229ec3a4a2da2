"""A person detector as ONNX: boxes after suppression (RTMDet, YOLOX), or DETR's queries."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.detection.detector_config import DetectorConfig
from humor_ros.detection.onnx_session import ModelFileError, open_session
from humor_ros.detection.topdown import normalise_rgb
from humor_ros.types import Array, Detection, Image

__all__ = ["PersonOnnx", "detections_from_boxes"]

_DEFAULT_THRESHOLD = 0.5
_DEFAULT_SIDE = 640
_PADDING_GREY = 114


class PersonOnnx:
    """Boxes of people in a whole image.

    Two layouts are read, told apart by their outputs:

    - ``(1, n, 5)`` left, top, right, bottom (pixels of the input), score, and ``(1, n)``
      labels (0 is a person), as MMDeploy exports RTMDet and YOLOX. The image is scaled with
      its aspect and padded right and below. Pixels are BGR 0..255 unless set otherwise.
    - ``(1, n, classes)`` logits and ``(1, n, 4)`` centre x, y, width, height in [0, 1], as
      RT-DETR is exported. The image fills the input. Pixels are RGB 0..1 unless set
      otherwise. Class 0 is a person.
    """

    def __init__(self, config: DetectorConfig) -> None:
        """Opens ``config.person_path``.

        Raises:
            FileNotFoundError: no such file.
            ModelFileError: the file is no such model; the message gives the shapes found.
        """
        self._path = Path(str(config.person_path))
        self._session = open_session(self._path, threads=config.threads, providers=config.providers)
        threshold = config.person_threshold
        self._threshold = _DEFAULT_THRESHOLD if threshold is None else threshold
        self._most = config.max_detections
        inputs = self._session.get_inputs()
        shape = inputs[0].shape
        if len(shape) != 4:
            raise ModelFileError(f"'{self._path}': expected input (1, 3, H, W), got {shape}")
        self._input = inputs[0].name
        self._sides = tuple(side if isinstance(side, int) else _DEFAULT_SIDE for side in shape[2:])
        shapes = [np.shape(o) for o in self._run(np.zeros((3, *self._sides), np.float32))]
        ranks = [len(s) for s in shapes]
        self._queries = ranks == [3, 3] and 4 in (shapes[0][2], shapes[1][2])
        if not self._queries and not (ranks == [3, 2] and shapes[0][2] == 5):
            raise ModelFileError(
                f"'{self._path}': expected boxes (1, n, 5) and labels (1, n), or logits "
                f"(1, n, classes) and boxes (1, n, 4), got {shapes}"
            )
        self._boxes_first = self._queries and shapes[0][2] == 4
        self._pixels = config.person_input or ("rgb_unit" if self._queries else "bgr_255")

    def __call__(self, image_bgr: Image) -> list[Detection]:
        """People in a checked image, best first, without key-points."""
        height, width = image_bgr.shape[:2]
        rows, columns = self._sides
        if self._queries:
            filled = cv2.resize(image_bgr, (columns, rows), interpolation=cv2.INTER_AREA)
            outputs = self._run(self._normalise(np.asarray(filled, dtype=np.uint8)))
            boxes, logits = outputs if self._boxes_first else outputs[::-1]
            scores = 1.0 / (1.0 + np.exp(-logits[0][:, 0].astype(np.float64)))
            corners = _corners(boxes[0]) * np.array([width, height, width, height])
        else:
            scale = min(columns / width, rows / height)
            small = (max(round(width * scale), 1), max(round(height * scale), 1))
            seen = np.full((rows, columns, 3), _PADDING_GREY, dtype=np.uint8)
            seen[: small[1], : small[0]] = cv2.resize(
                image_bgr, small, interpolation=cv2.INTER_AREA
            )
            boxes, labels = self._run(self._normalise(seen))
            scores = np.where(labels[0] == 0, boxes[0][:, 4], 0.0).astype(np.float64)
            corners = boxes[0][:, :4].astype(np.float64) / scale
        return detections_from_boxes(
            corners, scores, (width, height), threshold=self._threshold, most=self._most
        )

    def _normalise(self, image_bgr: Image) -> NDArray[np.float32]:
        if self._pixels == "bgr_255":
            return np.ascontiguousarray(image_bgr.transpose(2, 0, 1), dtype=np.float32)
        if self._pixels == "rgb_unit":
            zero, one = np.zeros(3, np.float32), np.ones(3, np.float32)
            return normalise_rgb(image_bgr, zero, one)
        return normalise_rgb(image_bgr)

    def _run(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return list(self._session.run(None, {self._input: pixels[None]}))


def detections_from_boxes(
    boxes_xyxy: Array, scores: Array, image_size: tuple[int, int], *, threshold: float, most: int
) -> list[Detection]:
    """The ``most`` best of (N, 4) boxes above ``threshold``, cut to the image, best first."""
    width, height = image_size
    cut = np.clip(boxes_xyxy, 0.0, [width, height, width, height])
    found = []
    for index in np.argsort(scores)[::-1][:most]:
        box = cut[index]
        if scores[index] >= threshold and (box[2:] - box[:2] >= 1.0).all():
            found.append(Detection(box, float(min(scores[index], 1.0))))
    return found


def _corners(boxes: NDArray[np.float32]) -> Array:
    """(N, 4) left, top, right, bottom of (N, 4) centre x, y, width, height."""
    centre, half = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64) / 2.0
    return np.concatenate([centre - half, centre + half], axis=1)
