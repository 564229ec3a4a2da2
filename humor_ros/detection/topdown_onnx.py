"""Any top-down COCO-17 network as ONNX: heat maps as ViTPose, SimCC as RTMPose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from humor_ros.detection.coco import NUM_KEYPOINTS
from humor_ros.detection.crops import MMPOSE_GRID, UDP_GRID
from humor_ros.detection.detector_config import DetectorConfig
from humor_ros.detection.movenet import MoveNetMultiPose
from humor_ros.detection.onnx_session import ModelFileError, open_session
from humor_ros.detection.person_onnx import PersonOnnx
from humor_ros.detection.topdown import (
    COCO_PREFIX_SETS,
    TopDownDetector,
    decode_heat_maps,
    decode_simcc,
)
from humor_ros.types import Array

__all__ = ["TopDownOnnxDetector"]

_DEFAULT_SIDES = (256, 192)  # height and width, where the file leaves them open


class TopDownOnnxDetector(TopDownDetector):
    """:class:`~humor_ros.detection.detector.Detector` of two ONNX files.

    The pose network takes (N, 3, H, W) RGB with ImageNet's mean and deviation. One output of
    four axes is read as heat maps, two outputs of three axes as SimCC's x and y. Boxes come
    from MoveNet MultiPose, or from a person detector (:class:`PersonOnnx`).
    """

    def __init__(self, config: DetectorConfig) -> None:
        """Opens the models of ``config`` (``pose_path``, ``person_path``).

        Raises:
            FileNotFoundError: a file is missing.
            ModelFileError: a file is no such model; the message gives the shapes found.
        """
        if config.pose_path is None:
            raise ValueError("pose_path: the top-down detector needs the path of an .onnx file")
        self._path = Path(config.pose_path)
        self._session = open_session(self._path, threads=config.threads, providers=config.providers)
        self.people = MoveNetMultiPose(config) if config.person_path is None else PersonOnnx(config)
        self.grid = UDP_GRID if config.heat_maps_udp else MMPOSE_GRID
        self._inspect()

    def _inspect(self) -> None:
        """Learns the layout from the file and one empty crop."""
        inputs = self._session.get_inputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (3, "channels", None):
            raise ModelFileError(
                f"'{self._path}': expected one input (N, 3, H, W), got "
                f"{[(i.name, i.shape) for i in inputs]}"
            )
        height, width = (
            side if isinstance(side, int) else default
            for side, default in zip(shape[2:], _DEFAULT_SIDES, strict=True)
        )
        self._input, self.input_size = inputs[0].name, (width, height)
        self._batched = not isinstance(shape[0], int)
        outputs = self._raw(np.zeros((1, 3, height, width), dtype=np.float32))
        shapes = [tuple(output.shape) for output in outputs]
        self._simcc = [len(s) for s in shapes] == [3, 3]
        if not self._simcc and [len(s) for s in shapes] != [4]:
            raise ModelFileError(
                f"'{self._path}': expected heat maps (N, K, h, w) or SimCC (N, K, x) and "
                f"(N, K, y), got {shapes}; export the model without post-processing"
            )
        if shapes[0][1] not in COCO_PREFIX_SETS:
            raise ModelFileError(
                f"'{self._path}': {shapes[0][1]} key-points; only sets that begin with COCO-17 "
                f"can be used (of {', '.join(map(str, COCO_PREFIX_SETS))} key-points)"
            )
        if self._simcc:
            self.grid = MMPOSE_GRID

    def run(self, crops: NDArray[np.float32]) -> tuple[Array, Array]:
        """As :meth:`TopDownDetector.run`."""
        batches = [crops] if self._batched else [crop[None] for crop in crops]
        parts = [self._raw(batch) for batch in batches]
        outputs = [np.concatenate(part)[:, :NUM_KEYPOINTS] for part in zip(*parts, strict=True)]
        if self._simcc:
            return decode_simcc(*outputs)
        return decode_heat_maps(outputs[0], self.grid)

    def _raw(self, crops: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return list(self._session.run(None, {self._input: crops}))
