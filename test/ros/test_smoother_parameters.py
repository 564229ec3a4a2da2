"""The smoother's parameters and the core's settings agree; its queue, its capsules."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.humor.online_config import OnlineConfig
from humor_ros.humor.outlook import OutlookConfig
from humor_ros.ros.forecast_markers import capsule_triangles
from humor_ros.ros.message_queue import MessageQueue
from humor_ros.ros.smoother_parameters import SMOOTHER_PARAMETERS, online_config, outlook_config

pytestmark = pytest.mark.ros
DEFAULTS = {spec.name: spec.default for spec in SMOOTHER_PARAMETERS}


def test_the_defaults_make_the_cores_own_defaults():
    assert online_config(DEFAULTS) == OnlineConfig()
    assert outlook_config(DEFAULTS) == OutlookConfig()


def test_a_ground_counts_where_it_is_said_to_be_known():
    given = {**DEFAULTS, "ground.height": 0.2}
    assert online_config(given).ground_height_m is None
    assert online_config({**given, "ground.known": True}).ground_height_m == 0.2


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
