"""What every detector offers, its settings, and the factory that makes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from humor_ros.field_checks import AT_LEAST_1, SHARE, Rule, check_fields, one_of
from humor_ros.types import Array, Detection, Image

__all__ = ["DETECTOR_KINDS", "Detector", "DetectorConfig", "create_detector"]

DETECTOR_KINDS = ("movenet", "onnx", "vitpose")
_MOVENET_MODELS = ("thunder", "lightning")
_PERSON_INPUTS = ("bgr_255", "rgb_unit", "rgb_imagenet")
_FULL_FRAME = Rule("a multiple of 32, at least 64", lambda value: value >= 64 and value % 32 == 0)


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


@dataclass(frozen=True)
class DetectorConfig:
    """Settings of a detector.

    Attributes:
        kind: "movenet" (packaged), "onnx" (a top-down model by path) or "vitpose" (local
            folders read by ``transformers``).
        movenet_model: "thunder", or "lightning" (three times faster, less exact).
        full_frame_size: long side that MoveNet MultiPose sees, pixels, a multiple of 32.
            256 finds people of about an eighth of the image's long side.
        pose_path: top-down .onnx file, or the ViTPose folder.
        person_path: person detector as .onnx file or (vitpose) as folder; None takes
            MoveNet MultiPose for the boxes.
        heat_maps_udp: whether an "onnx" model of heat maps was trained with unbiased data
            processing, as the published ViTPose models were; SimCC models are not.
        person_input: pixels that an ONNX person detector takes: "bgr_255", "rgb_unit" or
            "rgb_imagenet"; None goes by the model's layout (see ``person_onnx``).
        person_threshold: least score of a person in the whole image; None for the
            detector's own default (MoveNet 0.2, others 0.5).
        max_detections: most people that ``detect`` returns.
        threads: CPU threads inside one operator.
        providers: onnxruntime execution providers, best first.
        device: torch device of the "vitpose" kind.
    """

    kind: str = "movenet"
    movenet_model: str = "thunder"
    full_frame_size: int = 256
    pose_path: Path | None = None
    person_path: Path | None = None
    heat_maps_udp: bool = True
    person_input: str | None = None
    person_threshold: float | None = None
    max_detections: int = 20
    threads: int = 1
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_fields(self, one_of(*DETECTOR_KINDS), "kind")
        check_fields(self, one_of(*_MOVENET_MODELS), "movenet_model")
        check_fields(self, _FULL_FRAME, "full_frame_size")
        check_fields(self, AT_LEAST_1, "max_detections", "threads")
        if self.kind != "movenet" and self.pose_path is None:
            raise ValueError(
                f"pose_path: the '{self.kind}' detector needs the path of its pose model"
            )
        if self.person_input is not None:
            check_fields(self, one_of(*_PERSON_INPUTS), "person_input")
        if self.person_threshold is not None:
            check_fields(self, SHARE, "person_threshold")


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
