"""The smoother's table of parameters, its commented YAML and the core's settings agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from humor_ros.humor.online_config import OnlineConfig
from humor_ros.humor.outlook import OutlookConfig
from humor_ros.ros.forecast_markers import capsule_triangles
from humor_ros.ros.message_queue import MessageQueue
from humor_ros.ros.smoother_parameters import SMOOTHER_PARAMETERS, online_config, outlook_config

pytestmark = pytest.mark.ros
YAML = Path(__file__).resolve().parents[2] / "config" / "smoother.yaml"
DEFAULTS = {spec.name: spec.default for spec in SMOOTHER_PARAMETERS}


def flat(values, prefix=""):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def test_the_yaml_lists_every_parameter_with_its_default():
    listed = dict(flat(yaml.safe_load(YAML.read_text())["/**"]["ros__parameters"]))
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


def test_every_parameter_is_described_and_its_default_allowed():
    for spec in SMOOTHER_PARAMETERS:
        assert len(spec.description) > 10, spec.name
        assert spec.refusal(spec.default) == ""
        if isinstance(spec.default, int | float) and not isinstance(spec.default, bool):
            assert spec.minimum is not None, f"{spec.name} has no range"
            assert spec.maximum is not None, f"{spec.name} has no range"


def test_the_defaults_make_the_cores_own_defaults():
    assert online_config(DEFAULTS) == OnlineConfig()
    assert outlook_config(DEFAULTS) == OutlookConfig()


def test_settings_that_do_not_go_together_are_named():
    with pytest.raises(ValueError, match="max_lag_s"):
        online_config({**DEFAULTS, "max_lag": 0.5})


def test_the_queue_drops_the_oldest():
    queue = MessageQueue(2)
    for number in range(5):
        queue.put(number)
    assert [queue.take(0.0), queue.take(0.0), queue.take(0.0)] == [3, 4, None]
    assert (queue.received, queue.overflowed) == (5, 3)


def test_a_closed_queue_holds_nobody_up():
    queue = MessageQueue(2)
    queue.put(1)
    queue.close()
    assert queue.take(60.0) is None


def test_capsules_as_triangles_keep_to_their_radius():
    starts = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    ends = np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]])  # the second is a ball
    corners = capsule_triangles(starts, ends, np.array([0.1, 0.2])).reshape(2, -1, 3)
    assert corners.shape[1] % 3 == 0
    first = corners[0]
    across = np.linalg.norm(first[:, :2], axis=1)
    assert across.max() == pytest.approx(0.1)
    assert first[:, 2].min() == pytest.approx(-0.1)
    assert first[:, 2].max() == pytest.approx(1.1)
    assert np.linalg.norm(corners[1] - 1.0, axis=1).max() == pytest.approx(0.2)
