"""WHAM: key-points and camera rotation in, SMPL motion in camera and world out, one step a time.

Inside this room the world is y-down, as in the published network.
"""

from __future__ import annotations

from humor_ros.weight_files import CheckpointError
from humor_ros.wham.checkpoint import load_network, save_safetensors
from humor_ros.wham.config import FULL_SIZE, WhamConfig
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.runner import StreamingNetwork, prepare_for_streaming
from humor_ros.wham.state import WhamState
from humor_ros.wham.values import (
    Body,
    BodyPoints,
    Feedback,
    MotionPrediction,
    WhamInputs,
    WhamOutputs,
)

__all__ = [
    "FULL_SIZE",
    "Body",
    "BodyPoints",
    "CheckpointError",
    "Feedback",
    "MotionPrediction",
    "StreamingNetwork",
    "WhamConfig",
    "WhamInputs",
    "WhamNetwork",
    "WhamOutputs",
    "WhamState",
    "load_network",
    "prepare_for_streaming",
    "save_safetensors",
]
