"""What every detector offers, and the factory that makes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from humor_ros.detection.detector_config import DetectorConfig
from humor_ros.types import Array, Detection, Image

__all__ = ["Detector", "create_detector"]


@runtime_checkable
class Detector(Protocol):
    """Finds people in whole images and their key-points in boxes.

    Both calls block until the result is there, keep no state between images and raise
    ``ValueError`` for an image that is not (H, W, 3) uint8 with at least one pixel.
    """

    def detect(self, image_bgr: Image) -> list[Detection]:
        """Everybody in the image, best first; key-points only where they come for free."""

    def refine(
        self, image_bgr: Image, boxes_xyxy: Array, quarter_turns: Sequence[int] | None = None
    ) -> Array:
        """Key-points of the person in each box.

        Args:
            image_bgr: (H, W, 3) uint8.
            boxes_xyxy: (N, 4) tight boxes, pixels; the detector adds its own padding.
            quarter_turns: N times how often to turn the crop by 90 degrees, counter-clockwise
                as seen, so that the person stands upright in it; None turns nothing.
                Key-points come back in the image as given.

        Returns:
            (N, 17, 3) COCO-17 x, y (pixels of the image) and confidence in [0, 1].
        """


def create_detector(config: DetectorConfig | None = None) -> Detector:
    """Makes the detector that ``config`` names; the packaged MoveNet by default.

    Raises:
        FileNotFoundError: a model file or folder is missing.
        ModelFileError: a model file cannot be used.
        ImportError: an optional library is missing; the message names the extra to install.
    """
    config = config or DetectorConfig()
    if config.kind == "vitpose":
        from humor_ros.detection.vitpose import VitPoseDetector

        return VitPoseDetector(config)
    if config.kind == "onnx":
        from humor_ros.detection.topdown_onnx import TopDownOnnxDetector

        return TopDownOnnxDetector(config)
    from humor_ros.detection.movenet import MoveNetDetector

    return MoveNetDetector(config)
