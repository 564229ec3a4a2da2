"""The packaged detector: MoveNet MultiPose for whole images, Thunder or Lightning for crops.

Source: MoveNet, Google 2021 (Apache-2.0); see ``humor_ros/assets/detection/README.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from humor_ros.detection.boxes import check_boxes
from humor_ros.detection.coco import NUM_KEYPOINTS
from humor_ros.detection.crops import Crop, PixelGrid
from humor_ros.detection.detector_config import DetectorConfig
from humor_ros.detection.multipose_decode import decode_multipose
from humor_ros.detection.onnx_session import open_session
from humor_ros.image_check import check_image
from humor_ros.types import Array, Detection, Image

__all__ = ["ASSETS", "MoveNetCrop", "MoveNetDetector", "MoveNetMultiPose"]

ASSETS = Path(__file__).resolve().parent.parent / "assets" / "detection"

#: Side of the square crop over the longest side of the key-point box.
CROP_PADDING = 1.3

_DEFAULT_THRESHOLD = 0.2
#: Measured: with it, key-points of an image and of its mirror image agree without bias.
_GRID_OF_CROPS = PixelGrid(offset=0.22)
_GRID = 32  # MultiPose takes sides that are multiples of this


class MoveNetMultiPose:
    """Several people in a whole image."""

    def __init__(self, config: DetectorConfig) -> None:
        self._session = open_session(
            ASSETS / "movenet_multipose_heads_f16.onnx",
            threads=config.threads,
            providers=config.providers,
        )
        self._size = config.full_frame_size
        threshold = config.person_threshold
        self._threshold = _DEFAULT_THRESHOLD if threshold is None else threshold
        self._max_people = config.max_detections

    def __call__(self, image_bgr: Image) -> list[Detection]:
        """People in a checked image, best first, with key-points."""
        height, width = image_bgr.shape[:2]
        scale = self._size / max(height, width)
        rows, columns = (max(round(side * scale), 1) for side in (height, width))
        padded = np.zeros((-(-rows // _GRID) * _GRID, -(-columns // _GRID) * _GRID, 3), np.uint8)
        small = cv2.resize(image_bgr, (columns, rows), interpolation=cv2.INTER_AREA)
        padded[:rows, :columns] = small[..., ::-1]
        heads = [head[0] for head in self._session.run(None, {"input": padded[None]})]
        return decode_multipose(
            heads,
            pixels_per_input=1.0 / scale,
            threshold=self._threshold,
            max_people=self._max_people,
        )


class MoveNetCrop:
    """One person in a square crop (Thunder 256x256 or Lightning 192x192)."""

    def __init__(self, config: DetectorConfig) -> None:
        self._session = open_session(
            ASSETS / f"movenet_{config.movenet_model}_f16.onnx",
            threads=config.threads,
            providers=config.providers,
        )
        self._side = int(self._session.get_inputs()[0].shape[1])

    def __call__(self, image_bgr: Image, box_xyxy: Array, quarter_turns: int = 0) -> Array:
        """(17, 3) key-points of the person in a (4,) box of a checked image."""
        crop = Crop.around(box_xyxy, padding=CROP_PADDING, quarter_turns=quarter_turns)
        patch = crop.cut(image_bgr, self._side, self._side, _GRID_OF_CROPS)
        rgb = np.ascontiguousarray(patch[..., ::-1])[None]
        output = self._session.run(None, {"input": rgb})[0].reshape(NUM_KEYPOINTS, 3)
        return np.column_stack([crop.to_image(output[:, 1::-1]), output[:, 2]]).astype(np.float64)


class MoveNetDetector:
    """:class:`~humor_ros.detection.detector.Detector` made of the packaged models."""

    def __init__(self, config: DetectorConfig | None = None) -> None:
        config = config or DetectorConfig()
        self._whole = MoveNetMultiPose(config)
        self._crop = MoveNetCrop(config)

    def detect(self, image_bgr: Image) -> list[Detection]:
        """Everybody in the image, best first, with key-points from MultiPose."""
        return self._whole(check_image(image_bgr))

    def refine(
        self, image_bgr: Image, boxes_xyxy: Array, quarter_turns: Sequence[int] | None = None
    ) -> Array:
        """(N, 17, 3) key-points of the person in each of the (N, 4) boxes."""
        check_image(image_bgr)
        boxes, turns = check_boxes(boxes_xyxy, quarter_turns)
        found = [self._crop(image_bgr, *each) for each in zip(boxes, turns, strict=True)]
        return np.array(found).reshape(len(boxes), NUM_KEYPOINTS, 3)
