"""Settings of a detector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from humor_ros.field_checks import AT_LEAST_1, SHARE, Rule, check_fields, one_of

__all__ = ["DetectorConfig"]

_KINDS = ("movenet", "onnx", "vitpose")
_MOVENET_MODELS = ("thunder", "lightning")
_PERSON_INPUTS = ("bgr_255", "rgb_unit", "rgb_imagenet")
_FULL_FRAME = Rule("a multiple of 32, at least 64", lambda value: value >= 64 and value % 32 == 0)


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
        check_fields(self, one_of(*_KINDS), "kind")
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
