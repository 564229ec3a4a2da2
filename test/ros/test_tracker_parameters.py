"""The table of parameters, the commented YAML and the pipeline's settings agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from rclpy.parameter import Parameter

from humor_ros.pipeline import PipelineConfig
from humor_ros.ros.configuration import pipeline_config
from humor_ros.ros.parameter_spec import ParameterSpec, refusal_callback
from humor_ros.ros.parameters import TRACKER_PARAMETERS

pytestmark = pytest.mark.ros
YAML = Path(__file__).resolve().parents[2] / "config" / "tracking.yaml"
DEFAULTS = {spec.name: spec.default for spec in TRACKER_PARAMETERS}


def flat(values, prefix=""):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def test_the_yaml_lists_every_parameter_with_its_default():
    content = yaml.safe_load(YAML.read_text())["/**"]["ros__parameters"]
    listed = dict(flat(content))
    assert listed == DEFAULTS
    assert {name: type(value) for name, value in listed.items()} == {
        name: type(value) for name, value in DEFAULTS.items()
    }


def test_every_parameter_of_the_yaml_has_a_comment_above():
    lines = YAML.read_text().splitlines()
    for number, line in enumerate(lines):
        text = line.strip()
        if text and not text.startswith("#") and not text.endswith(":"):
            assert lines[number - 1].strip().startswith("#"), line


def test_every_parameter_is_described():
    for spec in TRACKER_PARAMETERS:
        assert len(spec.description) > 10, spec.name
        descriptor = spec.descriptor()
        assert spec.description in descriptor.description
        if isinstance(spec.default, int | float) and not isinstance(spec.default, bool):
            assert spec.minimum is not None, f"{spec.name} has no range"
            assert spec.maximum is not None, f"{spec.name} has no range"


def test_defaults_are_allowed():
    for spec in TRACKER_PARAMETERS:
        assert spec.refusal(spec.default) == ""


def test_the_defaults_make_the_pipelines_own_defaults():
    made, own = pipeline_config(DEFAULTS), PipelineConfig()
    assert made.people == own.people
    assert made.stream == own.stream
    assert made.detector == own.detector
    assert made.weights is None
    assert made.body is None


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("tf.parent", "map", "world, camera"),
        ("max_people", 0, "at least 1"),
        ("imu.wait", float("nan"), "NaN"),
        ("imu.rotation_camera_imu", [1.0], "4 numbers"),
    ],
)
def test_a_refused_value_comes_with_the_reason(name, value, reason):
    judge = refusal_callback(TRACKER_PARAMETERS, lambda: False)
    result = judge([Parameter(name, value=value)])
    assert not result.successful
    assert name in result.reason
    assert reason in result.reason


def test_a_static_parameter_refuses_to_change_after_configure():
    judge = refusal_callback(
        [ParameterSpec("a", 1, "static"), ParameterSpec("b", 1, "x", dynamic=True)], lambda: True
    )
    assert "configure" in judge([Parameter("a", value=2)]).reason
    assert judge([Parameter("b", value=2)]).successful


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
