"""ViTPose and a person detector of the ``transformers`` library, from local folders only.

Crops and pixels are prepared here in NumPy, because the library's own image processors need
torchvision.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.detection.coco import NUM_KEYPOINTS
from humor_ros.detection.crops import UDP_GRID
from humor_ros.detection.detector_config import DetectorConfig
from humor_ros.detection.movenet import MoveNetMultiPose
from humor_ros.detection.onnx_session import ModelFileError
from humor_ros.detection.person_onnx import detections_from_boxes
from humor_ros.detection.topdown import TopDownDetector, decode_heat_maps, normalise_rgb
from humor_ros.types import Array, Detection, Image

__all__ = ["TransformersPerson", "VitPoseDetector"]

Float32 = NDArray[np.float32]

_DEFAULT_THRESHOLD = 0.5
_DEFAULT_SIZE = {"height": 640, "width": 640}
_COCO_EXPERT = 0  # ViTPose+ has an expert for each data set; the first is COCO


class VitPoseDetector(TopDownDetector):
    """:class:`~humor_ros.detection.detector.Detector` of ViTPose (Xu et al., NeurIPS 2022).

    Boxes come from MoveNet MultiPose, or from RT-DETR or DETR in ``person_path``.
    """

    def __init__(self, config: DetectorConfig) -> None:
        """Loads the folders of ``config``: ``config.json`` and ``model.safetensors`` in each.

        Raises:
            ImportError: ``transformers`` is missing.
            FileNotFoundError: a folder is missing.
            ModelFileError: a folder holds no such model.
        """
        self._device = config.device
        self._model = _load("VitPoseForPoseEstimation", config.pose_path, config.device, "vitpose")
        height, width = self._model.config.backbone_config.image_size
        self.input_size, self.grid = (int(width), int(height)), UDP_GRID
        self._experts = int(getattr(self._model.config.backbone_config, "num_experts", 1))
        self.people = (
            MoveNetMultiPose(config) if config.person_path is None else TransformersPerson(config)
        )

    def run(self, crops: Float32) -> tuple[Array, Array]:
        """As :meth:`TopDownDetector.run`."""
        import torch

        options = {}
        if self._experts > 1:
            options["dataset_index"] = torch.full((len(crops),), _COCO_EXPERT, device=self._device)
        with torch.inference_mode():
            output = self._model(torch.from_numpy(crops).to(self._device), **options)
        heat_maps = output.heatmaps[:, :NUM_KEYPOINTS].float().cpu().numpy()
        return decode_heat_maps(heat_maps, self.grid)


class TransformersPerson:
    """Boxes of people by a DETR-like model of ``transformers`` (RT-DETR, DETR)."""

    def __init__(self, config: DetectorConfig) -> None:
        """Loads ``config.person_path``; raises as :class:`VitPoseDetector`."""
        folder = Path(str(config.person_path))
        self._device = config.device
        self._model = _load("AutoModelForObjectDetection", folder, config.device)
        names = {str(v).lower(): int(k) for k, v in self._model.config.id2label.items()}
        if "person" not in names:
            raise ModelFileError(
                f"person_path: the model in '{folder}' has no class 'person' among "
                f"{sorted(names)[:5]}...; give a detector trained on COCO"
            )
        self._class = names["person"]
        self._softmax = self._model.config.model_type in ("detr", "table-transformer", "yolos")
        rules = folder / "preprocessor_config.json"
        self._pixels = _read_json(rules) if rules.is_file() else {}
        threshold = config.person_threshold
        self._threshold = _DEFAULT_THRESHOLD if threshold is None else threshold
        self._most = config.max_detections

    def __call__(self, image_bgr: Image) -> list[Detection]:
        """People in a checked image, best first, without key-points."""
        import torch

        height, width = image_bgr.shape[:2]
        seen = cv2.resize(image_bgr, self._input_size(width, height), interpolation=cv2.INTER_AREA)
        zero, one = np.zeros(3, np.float32), np.ones(3, np.float32)
        if self._pixels.get("do_normalize", False):
            pixels = normalise_rgb(np.asarray(seen, dtype=np.uint8))
        else:
            pixels = normalise_rgb(np.asarray(seen, dtype=np.uint8), zero, one)
        with torch.inference_mode():
            output = self._model(torch.from_numpy(pixels)[None].to(self._device))
        logits = output.logits[0].float()
        scores = (logits.softmax(-1) if self._softmax else logits.sigmoid())[:, self._class]
        boxes = output.pred_boxes[0].float().cpu().numpy().astype(np.float64)
        corners = np.concatenate(
            [boxes[:, :2] - boxes[:, 2:] / 2.0, boxes[:, :2] + boxes[:, 2:] / 2.0], axis=1
        )
        return detections_from_boxes(
            corners * np.array([width, height, width, height]),
            scores.cpu().numpy().astype(np.float64),
            (width, height),
            threshold=self._threshold,
            most=self._most,
        )

    def _input_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that the model's own processor would scale the image to."""
        size = self._pixels.get("size", _DEFAULT_SIZE)
        if "height" in size:
            return int(size["width"]), int(size["height"])
        short = size["shortest_edge"] / min(width, height)
        scale = min(short, size.get("longest_edge", np.inf) / max(width, height))
        return max(round(width * scale), 1), max(round(height * scale), 1)


def _read_json(path: Path) -> dict[str, Any]:
    """The dictionary in a JSON file."""
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"cannot read '{path}': {error}; fetch the folder again") from error


def _load(class_name: str, folder: Path | None, device: str, model_type: str = "") -> Any:
    """A model of ``transformers`` from a local folder, ready to run on ``device``.

    ``model_type`` is what ``config.json`` must say (empty: anything): the library would give
    a mere warning, and random weights, for a folder of another model.
    """
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            "the 'vitpose' detector needs the library transformers: "
            "pip install 'humor_ros[vitpose]'"
        ) from error
    path = Path(str(folder))
    if not (path / "config.json").is_file():
        raise FileNotFoundError(
            f"no model folder at '{path}' (a folder with config.json and model.safetensors); "
            "download it beforehand, nothing is fetched here"
        )
    found = str(_read_json(path / "config.json").get("model_type"))
    if model_type not in ("", found):
        raise ModelFileError(f"'{path}' holds a model of type '{found}', not '{model_type}'")
    try:
        model = getattr(transformers, class_name).from_pretrained(path, local_files_only=True)
    except Exception as error:  # OSError, ValueError, and safetensors' own for corrupt files
        raise ModelFileError(
            f"cannot load '{path}' as {class_name} ({error}): it is another model, or the "
            "weights are corrupt"
        ) from error
    return model.to(device).eval()
