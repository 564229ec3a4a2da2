"""Each node's table of parameters and its commented YAML agree."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rclpy.parameter import Parameter

from humor_ros.ros.parameter_spec import ParameterSpec, refusal_callback
from humor_ros.ros.parameters import TRACKER_PARAMETERS
from humor_ros.ros.smoother_parameters import SMOOTHER_PARAMETERS

pytestmark = pytest.mark.ros
CONFIG = Path(__file__).resolve().parents[2] / "config"
#: What each node has of its own under a name that the other has, too.
OWN_MEANING = ("body_path", "weights_path", "max_people")
TABLES = {"tracking": TRACKER_PARAMETERS, "smoother": SMOOTHER_PARAMETERS}


@pytest.fixture(params=TABLES)
def name(request):
    """Of a YAML, without its ending."""
    return request.param


def flat(values, prefix=""):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def test_the_yaml_lists_every_parameter_with_its_default(name):
    content = yaml.safe_load((CONFIG / f"{name}.yaml").read_text())
    listed = dict(flat(content["/**"]["ros__parameters"]))
    defaults = {spec.name: spec.default for spec in TABLES[name]}
    assert listed == defaults
    assert {key: type(value) for key, value in listed.items()} == {
        key: type(value) for key, value in defaults.items()
    }


def test_every_parameter_of_the_yaml_has_a_comment_above(name):
    lines = (CONFIG / f"{name}.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        text = line.strip()
        if text and not text.startswith("#") and not text.endswith(":"):
            assert lines[number - 1].strip().startswith("#"), line


def test_every_parameter_is_described_and_its_default_allowed(name):
    for spec in TABLES[name]:
        assert len(spec.description) > 10, spec.name
        assert spec.description in spec.descriptor().description
        assert spec.refusal(spec.default) == ""
        if isinstance(spec.default, int | float) and not isinstance(spec.default, bool):
            assert spec.minimum is not None, f"{spec.name} has no range"
            assert spec.maximum is not None, f"{spec.name} has no range"


def test_what_both_nodes_have_means_the_same():
    of_tracker = {spec.name: spec for spec in TRACKER_PARAMETERS}
    for spec in SMOOTHER_PARAMETERS:
        if spec.name not in OWN_MEANING:
            assert of_tracker.get(spec.name, spec) is spec


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("tf.parent", "map", "world, camera"),
        ("max_people", 0, "at least 1"),
        ("imu.wait", float("nan"), "NaN"),
        ("imu.rotation_camera_imu", [1.0], "4 numbers"),
    ],
)
def test_a_refused_value_comes_with_the_reason(key, value, reason):
    judge = refusal_callback(TRACKER_PARAMETERS, lambda: False)
    result = judge([Parameter(key, value=value)])
    assert not result.successful
    assert key in result.reason
    assert reason in result.reason


def test_a_static_parameter_refuses_to_change_after_configure():
    judge = refusal_callback(
        [ParameterSpec("a", 1, "static"), ParameterSpec("b", 1, "x", dynamic=True)], lambda: True
    )
    assert "configure" in judge([Parameter("a", value=2)]).reason
    assert judge([Parameter("b", value=2)]).successful
