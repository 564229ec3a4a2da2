"""Whatever the tracker's topic brings: left out or mended, counted, and said how to help it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geometry_msgs.msg import Point, Quaternion
from rclpy.logging import get_logger
from smoother_harness import humans_message

from humor_ros.geometry import PinholeCamera
from humor_ros.ros.camera_input import CameraInput
from humor_ros.ros.player_node import camera_info_message
from humor_ros.ros.reports import Reporter
from humor_ros.ros.smoother_input import SmootherInput

pytestmark = pytest.mark.ros


@pytest.fixture
def reporter():
    return Reporter(get_logger("test"))


@pytest.fixture
def door(reporter):
    return SmootherInput(CameraInput(reporter, assume=True, timeout_s=0.0), reporter)


def spoil_position(human):
    human.root_world.pose.position.x = math.nan


def spoil_rotation(human):
    human.joint_rotations[5] = Quaternion(x=0.0, y=0.0, z=0.0, w=0.0)


def spoil_nan_rotation(human):
    human.joint_rotations[5] = Quaternion(x=math.nan)


def spoil_state(human):
    human.tracking_state = 77


def spoil_id(human):
    human.id = ""


def spoil_betas(human):
    human.betas[3] = math.inf


def spoil_joints(human):
    human.joints_world[7] = Point(x=math.nan)


def spoil_contacts(human):
    human.contacts.probabilities = [0.5] * 9


def spoil_feet(human):
    human.contacts.positions = []


SPOILT = [
    (spoil_position, "people_not_finite", False),
    (spoil_betas, "people_not_finite", False),
    (spoil_nan_rotation, "people_", False),
    (spoil_rotation, "people_unreadable", False),
    (spoil_state, "people_unreadable", False),
    (spoil_id, "people_without_id", False),
    (spoil_joints, "joints_not_finite", True),
    (spoil_contacts, "contacts_of_wrong_count", True),
    (spoil_feet, "contacts_of_wrong_count", True),
]


@pytest.mark.parametrize(("spoil", "kind", "kept"), SPOILT)
def test_a_spoilt_person_is_counted_and_harms_nobody_else(door, reporter, spoil, kind, kept):
    message = humans_message(1.0, 2)
    spoil(message.humans[0])
    humans = door.image(message).humans
    assert [human.person_id for human in humans] == (["aaaaa"] if kept else []) + ["aaaab"]
    assert [count for name, count in reporter.counters.items() if name.startswith(kind)] == [1]
    for human in humans:
        for name in ("joints_world", "joints_camera", "joint_confidence", "contacts"):
            assert np.isfinite(getattr(human, name)).all()
        assert human.contacts.shape == (4,)
        assert human.contact_positions_world.shape == (4, 3)


def test_joints_that_are_not_finite_count_as_unseen(door):
    message = humans_message(1.0)
    spoil_joints(message.humans[0])
    human = door.image(message).humans[0]
    assert human.joint_confidence[7] == 0.0
    np.testing.assert_allclose(human.joints_world[7], human.root_position_world)


@pytest.mark.parametrize("turn", [Quaternion(w=0.0), Quaternion(x=math.nan), Quaternion(w=9.0)])
def test_a_camera_pose_that_is_none_leaves_the_image_out(door, reporter, turn):
    message = humans_message(1.0)
    message.camera_world.pose.orientation = turn
    assert door.image(message) is None
    assert reporter.counters["images_without_camera_pose"] == 1


def test_people_wait_for_a_calibration_that_must_not_be_assumed(reporter):
    door = SmootherInput(CameraInput(reporter, assume=False, timeout_s=0.0), reporter)
    assert door.image(humans_message(1.0)) is None
    assert reporter.counters["images_without_camera_info"] == 1


def test_a_calibration_is_used_when_it_comes_and_assumed_for_the_images_size_before(reporter):
    calibration = CameraInput(reporter, assume=True, timeout_s=0.0)
    door = SmootherInput(calibration, reporter)
    assumed = door.image(humans_message(1.0)).camera
    assert assumed.assumed
    assert (assumed.width, assumed.height) == (1280, 720)
    given = PinholeCamera(1280, 720, np.array([[900.0, 0, 640], [0, 900.0, 360], [0, 0, 1]]))
    calibration.offer(camera_info_message(given, "cam"))
    assert door.image(humans_message(1.1)).camera.fx == pytest.approx(900.0)
    assert door.image(humans_message(1.2)).camera.fx == pytest.approx(900.0)


def test_the_node_goes_on_after_everything_that_can_come(smoothing):
    with smoothing({"forecast.enabled": False}) as h:
        h.activate()
        for spoil, _, _ in SPOILT:
            message = humans_message(h.next_stamp(), 2)
            spoil(message.humans[0])
            h.send(message)
        twice = humans_message(h.next_stamp(), 2)
        twice.humans[1].id = twice.humans[0].id
        h.send(twice)
        h.send(twice)  # the same stamp again
        h.send(humans_message(h._stamp_s - 0.2))
        h.send(humans_message(h.next_stamp(), 0))
        h.send(humans_message(h.next_stamp(), 0, world=""))  # a tracker that was stopped
        h.wait(lambda: "images_stamp_twice" in h.node._reporter.counters)
        h.wait(lambda: "images_stamp_reversed" in h.node._reporter.counters)
        assert h.node._reporter.counters["people_not_finite"] == 2
        h.wait_for_count("people_twice")
        h._stamp_s -= 500.0  # a clock that is set back
        h.send()
        h.wait(lambda: "resets" in h.node._reporter.counters)
        last = h.play(8)
        h.wait(lambda: any(m.header.stamp == last[0].header.stamp for m in h.smoothed))
        assert "smoothing_failed" not in h.node._reporter.counters
