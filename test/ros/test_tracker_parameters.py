"""The tracker's parameters and the pipeline's settings agree."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn

from humor_ros.features import EncoderConfig, FeatureConfig
from humor_ros.features.config import DecoderConfig
from humor_ros.features.feature_report import FeatureStatus
from humor_ros.human_names import person_name
from humor_ros.pipeline import PipelineConfig
from humor_ros.ros.configuration import pipeline_config
from humor_ros.ros.parameters import TRACKER_PARAMETERS
from humor_ros.ros.tracker_node import make_pipeline
from humor_ros.ros.tracker_status import feature_facts

pytestmark = pytest.mark.ros
DEFAULTS = {spec.name: spec.default for spec in TRACKER_PARAMETERS}


def test_the_defaults_make_the_pipelines_own_defaults():
    made, own = pipeline_config(DEFAULTS), PipelineConfig()
    assert made.people == own.people
    assert made.stream == own.stream
    assert made.detector == own.detector
    assert made.weights is None
    assert made.body is None


def test_a_missing_file_is_named_with_its_parameter(tmp_path):
    values = {**DEFAULTS, "weights_path": str(tmp_path / "none.safetensors")}
    with pytest.raises(FileNotFoundError, match=r"weights_path.*none\.safetensors"):
        pipeline_config(values)


def test_a_zero_quaternion_is_refused_by_name():
    values = {
        **DEFAULTS,
        "imu.extrinsics": "parameter",
        "imu.rotation_camera_imu": (0.0, 0.0, 0.0, 0.0),
    }
    with pytest.raises(ValueError, match=r"imu\.rotation_camera_imu"):
        pipeline_config(values)


def test_extrinsics_by_parameter_reach_the_pipeline():
    half = 0.5**0.5
    values = {
        **DEFAULTS,
        "imu.extrinsics": "parameter",
        "imu.rotation_camera_imu": (0.0, 0.0, half, half),
    }
    rotation = pipeline_config(values).inertial.rotation_camera_imu
    np.testing.assert_allclose(rotation @ (1, 0, 0), (0, 1, 0), atol=1e-12)


def test_the_encoder_comes_from_its_parameters(tmp_path):
    path = tmp_path / "hmr2a.ckpt"
    path.touch()
    values = {
        **DEFAULTS,
        "features.encoder_path": str(path),
        "features.every": 5,
        "features.budget": 0.5,
        "features.dtype": "bfloat16",
        "features.max_age": 1.5,
        "features.missing": "context",
        "flip_averaging": True,
    }
    config = pipeline_config(values)
    assert config.features == FeatureConfig(
        path, every=5, budget=0.5, dtype="bfloat16", max_age_s=1.5
    )
    assert config.stream.missing_feature == "context"
    assert config.stream.flip_averaging


def test_the_defaults_of_the_features_are_the_rooms_own(tmp_path):
    path = tmp_path / "hmr2a.ckpt"
    path.touch()
    config = pipeline_config({**DEFAULTS, "features.encoder_path": str(path)})
    assert config.features == FeatureConfig(path)
    assert pipeline_config(DEFAULTS).features is None


def test_a_missing_encoder_is_named_with_its_parameter(tmp_path):
    values = {**DEFAULTS, "features.encoder_path": str(tmp_path / "none.ckpt")}
    with pytest.raises(FileNotFoundError, match=r"features\.encoder_path.*none\.ckpt"):
        pipeline_config(values)


def test_a_node_whose_encoder_is_spoilt_stays_unconfigured_and_says_why(harness, tmp_path):
    path = tmp_path / "spoilt.ckpt"
    path.write_bytes(b"PK no checkpoint")
    sizes = tmp_path / "sizes.json"
    tables = EncoderConfig(decoder=DecoderConfig(dim=16)).to_dict()
    sizes.write_text(json.dumps(tables), encoding="utf-8")
    parameters = {"features.encoder_path": str(path), "features.sizes_path": str(sizes)}
    with harness(parameters, factory=make_pipeline) as h:
        assert h.node.trigger_configure() is TransitionCallbackReturn.FAILURE
        assert "spoilt.ckpt" in h.node._failure


def test_diagnostics_tell_what_the_encoder_does():
    status = FeatureStatus("thread", 2.5, {1: 0.4, 2: float("inf")})
    values = {**DEFAULTS, "features.encoder_path": "hmr2a.ckpt"}
    facts = feature_facts(status, values)
    assert facts["features_mode"].startswith("thread, float32 on cpu, zero between")
    assert facts["features_rate_hz"] == "2.5"
    assert facts[f"feature_age_s.{person_name(1)}"] == "0.4"
    assert facts[f"feature_age_s.{person_name(2)}"] == "none yet"
    assert "off" in feature_facts(FeatureStatus(), DEFAULTS)["features_mode"]
