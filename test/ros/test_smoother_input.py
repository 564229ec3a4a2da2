"""Whatever the tracker's topic brings: left out or mended, counted, and said how to help it."""

from __future__ import annotations

import math

import pytest
from geometry_msgs.msg import Point, Quaternion
from smoother_harness import SmootherHarness, humans_message

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def running(rclpy_session):
    """One node for all of these tests: each trouble must leave it whole for the next."""
    with SmootherHarness({"forecast.enabled": False}) as h:
        h.activate()
        h.play(4)
        yield h


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


@pytest.mark.parametrize(
    ("spoil", "kind", "kept"),
    [
        (spoil_position, "people_not_finite", False),
        (spoil_betas, "people_not_finite", False),
        (spoil_nan_rotation, "people_", False),
        (spoil_rotation, "people_unreadable", False),
        (spoil_state, "people_unreadable", False),
        (spoil_id, "people_without_id", False),
        (spoil_joints, "joints_not_finite", True),
        (spoil_contacts, "contacts_of_wrong_count", True),
        (spoil_feet, "contacts_of_wrong_count", True),
    ],
)
def test_a_spoilt_person_harms_nobody_else(running, spoil, kind, kept):
    def total():
        counts = running.node._reporter.counters
        return sum(value for key, value in counts.items() if key.startswith(kind))

    before = total()
    message = humans_message(running.next_stamp(), 2)
    spoil(message.humans[0])
    running.send(message)
    running.wait(lambda: total() == before + 1)
    stamp = message.header.stamp

    def told():
        running.send(people=2)  # later images push the spoilt one out
        return next((m for m in running.smoothed if m.header.stamp == stamp), None)

    running.wait(told)
    assert len(told().humans) == (2 if kept else 1)
    assert told().humans[-1].id == "aaaab"


@pytest.mark.parametrize("back_s", [0.0, 0.2])
def test_a_stamp_that_is_not_later_is_left_out(running, back_s):
    kind = "images_stamp_twice" if back_s == 0.0 else "images_stamp_reversed"
    before = running.node._reporter.counters.get(kind, 0)
    last = running.send()
    stamp = last.header.stamp
    running.send(humans_message(stamp.sec + 1e-9 * stamp.nanosec - back_s))
    running.wait(lambda: running.node._reporter.counters.get(kind, 0) > before)


def test_a_camera_pose_that_is_none_leaves_the_image_out(running):
    message = humans_message(running.next_stamp())
    message.camera_world.pose.orientation = Quaternion(x=0.0, y=0.0, z=0.0, w=0.0)
    running.send(message)
    running.wait_for_count("images_without_camera_pose")


def test_a_clock_that_is_set_back_starts_everything_anew(running):
    before = running.node._reporter.counters.get("resets", 0)
    running._stamp_s -= 500.0
    running.send()
    running.wait(lambda: running.node._reporter.counters.get("resets", 0) == before + 1)


def test_a_tracker_that_was_stopped_is_no_image(running):
    message = humans_message(running.next_stamp(), 0, world="")
    running.send(message)
    running.wait(lambda: not running.node._parts.smoother.people)


def test_an_empty_message_is_told_at_once(running):
    message = running.send(people=0)
    running.wait(lambda: any(m.header.stamp == message.header.stamp for m in running.smoothed))


def test_the_same_person_twice_counts_once(running):
    message = humans_message(running.next_stamp(), 2)
    message.humans[1].id = message.humans[0].id
    running.send(message)
    running.wait_for_count("people_twice")


def test_a_calibration_is_used_when_it_comes(running):
    running.send_camera_info()

    def used():
        running.send()
        return running.node._parts.smoother.newest.camera.fx == pytest.approx(900.0)

    running.wait(used)
