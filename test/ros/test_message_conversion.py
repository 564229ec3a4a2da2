"""Human states survive the way through a message and its serialisation."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from humor_ros.msg import HumanStates
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header
from synthetic_people import make_human, static_motion

from humor_ros.ros.conversion import frame_to_message, human_from_message, human_to_message
from humor_ros.ros.derived_human import DerivedHuman
from humor_ros.ros.time_conversion import seconds_from_stamp, stamp_from_seconds
from humor_ros.types import TrackingState

pytestmark = pytest.mark.ros


def _header(frame, stamp_s=12.5):
    return Header(stamp=stamp_from_seconds(stamp_s), frame_id=frame)


@pytest.mark.parametrize("seed", range(5))
def test_a_human_state_comes_back_from_its_message(seed):
    state = make_human(stamp_s=12.5, seed=seed)
    message = human_to_message(DerivedHuman(state), _header("world"), 0.02)
    back = human_from_message(message, 12.5)
    for item in fields(state):
        if item.name == "coco17_camera":
            continue
        before, after = getattr(state, item.name), getattr(back, item.name)
        if isinstance(before, str | TrackingState):
            assert before == after, item.name
        else:
            np.testing.assert_allclose(after, before, atol=1e-4, rtol=1e-6, err_msg=item.name)


def test_all_people_of_an_image_go_through_serialisation():
    people = [
        DerivedHuman(make_human(name, 12.5, seed=i)) for i, name in enumerate(("aaaaa", "b" * 5))
    ]
    message = frame_to_message(
        people, static_motion(12.5), _header("cam"), _header("world"), (1280, 720), 0.01
    )
    back = deserialize_message(serialize_message(message), HumanStates)
    assert [human.id for human in back.humans] == ["aaaaa", "bbbbb"]
    assert back.header.frame_id == "cam"
    assert back.world_frame == "world"
    assert back.humans[0].contacts.header.frame_id == "world"
    assert (back.image_width, back.image_height) == (1280, 720)


@pytest.mark.parametrize("seconds", [0.0, 1.999999999, 1_700_000_000.123456, -0.25])
def test_stamps_hold_seconds_to_a_microsecond(seconds):
    assert seconds_from_stamp(stamp_from_seconds(seconds)) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e12])
def test_a_stamp_that_does_not_fit_is_refused(seconds):
    with pytest.raises(ValueError, match="stamp"):
        stamp_from_seconds(seconds)
