"""The image encoder: HMR2.0's features of people for WHAM, and its first guess of their bodies."""

from __future__ import annotations

from humor_ros.features.checkpoint import Release, load_encoder
from humor_ros.features.config import FEATURE_SIZE, FULL_SIZE, EncoderConfig
from humor_ros.features.extractor import FeatureExtractor, ImageFeatures
from humor_ros.features.initialisation import FirstFrame, first_frame
from humor_ros.features.network import Hmr2Encoder
from humor_ros.features.online import FeatureConfig, load_extractor
from humor_ros.features.precision import FEATURE_BOUNDS, set_precision
from humor_ros.features.values import EncoderOutput
from humor_ros.weight_files import CheckpointError
from humor_ros.wham.flip_averaging import FlipState, mirror_inputs, step_averaged

__all__ = [
    "FEATURE_BOUNDS",
    "FEATURE_SIZE",
    "FULL_SIZE",
    "CheckpointError",
    "EncoderConfig",
    "EncoderOutput",
    "FeatureConfig",
    "FeatureExtractor",
    "FirstFrame",
    "FlipState",
    "Hmr2Encoder",
    "ImageFeatures",
    "Release",
    "first_frame",
    "load_encoder",
    "load_extractor",
    "mirror_inputs",
    "set_precision",
    "step_averaged",
]
