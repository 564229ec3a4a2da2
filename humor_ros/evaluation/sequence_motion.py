"""What running a network over a sequence takes and gives, however it is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.geometry import ROTATION_FLU_OPTICAL
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array
from humor_ros.wham.network import WhamNetwork

__all__ = [
    "RunSettings",
    "SequenceMotion",
    "batch_of_one",
    "camera_attitudes",
    "usable_features",
]


@dataclass(frozen=True)
class RunSettings:
    """How to run.

    Attributes:
        mode: "published": the network on the sequence's own boxes, as in the published
            evaluation, trajectory by its own roll-out. "stream": as the tracker, with the
            camera's calibration, boxes of the key-points and averaged shape.
        features: use image features, and the encoder's pose at the start, where the sequence
            has them.
        flip: average with the mirrored images; with features it needs those of the mirrored
            crops.
        intrinsics: take the key-points of the "published" run to the camera that the network
            assumes; False ignores the calibration, as published.
        world_mode: of "stream", see ``StreamConfig``.
        camera_fixed: likewise.
    """

    mode: Literal["published", "stream"] = "published"
    features: bool = True
    flip: bool = False
    intrinsics: bool = False
    world_mode: Literal["imu", "wham"] = "imu"
    camera_fixed: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("published", "stream"):
            raise ValueError(f"mode must be 'published' or 'stream', got {self.mode!r}")


@dataclass(frozen=True, eq=False)
class SequenceMotion:
    """What was said of a person in T frames.

    Attributes:
        rotations: (T, 24, 3, 3) joint rotations, the root's in the camera; betas: (T, 10).
        root_world: (T, 3, 3) root orientation and pelvis_world: (T, 3) pelvis joint, metres,
            in a world of its own; which axis is up is not said.
        contacts: (T, 4).
        used_features: frames whose image feature was used.
    """

    rotations: Tensor
    betas: Tensor
    root_world: Tensor
    pelvis_world: Tensor
    contacts: Tensor
    used_features: int = 0


def usable_features(
    network: WhamNetwork, sequence: PersonSequence, settings: RunSettings
) -> NDArray[np.floating[Any]] | None:
    """(T, F) image features that shall be used, or None.

    Raises:
        ValueError: they are not the network's, or averaging lacks those of mirrored crops.
    """
    features = sequence.img_features
    if not settings.features or features is None or not sequence.has_features.any():
        return None
    if features.shape[1] != network.config.d_feat:
        raise ValueError(
            f"{sequence.name} has image features of {features.shape[1]} numbers, the network takes "
            f"{network.config.d_feat}; run without features"
        )
    if settings.flip and sequence.img_features_mirrored is None:
        raise ValueError(
            f"{sequence.name} has no features of mirrored crops; cache them, or leave out flip"
        )
    return features


def camera_attitudes(sequence: PersonSequence) -> Array:
    """(T, 3, 3) camera to z-up world; level at first where nothing is known, then turned."""
    world = sequence.rotation_world_camera
    turns = sequence.camera_turns()
    attitudes = np.empty((len(sequence), 3, 3))
    for index in range(len(sequence)):
        if world is not None and sequence.has_camera[index]:
            attitudes[index] = world[index]
        else:
            attitudes[index] = (
                attitudes[index - 1] @ turns[index] if index else ROTATION_FLU_OPTICAL
            )
    return attitudes


def batch_of_one(values: NDArray[np.floating[Any]]) -> Tensor:
    """One person's values as float32 with an axis for people before them."""
    return torch.tensor(np.asarray(values), dtype=torch.float32)[None]
