"""What the user is told, how often, and what diagnostics make of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.serialization import serialize_message

from humor_ros.features.feature_report import COUNTERS as FEATURE_COUNTERS
from humor_ros.inertial.estimator import COUNTERS
from humor_ros.ros.diagnostics import FrameTimes, Snapshot, diagnostic_array
from humor_ros.ros.reports import COUNTER_MESSAGES, Reporter
from humor_ros.ros.skeleton2d import SKELETON18_NAMES, normalised_box, skeleton18
from humor_ros.ros.time_conversion import stamp_from_seconds

pytestmark = pytest.mark.ros


class Log:
    def __init__(self):
        self.lines = []

    def warning(self, text):
        self.lines.append(text)


def reporter(times):
    log = Log()
    return Reporter(log, period_s=30.0, clock=lambda: times[0]), log


def test_a_kind_is_told_once_and_again_after_a_while_with_its_count():
    now = [0.0]
    report, log = reporter(now)
    assert report.say("bad", "topic x: bad")
    assert not report.say("bad", "topic x: bad")
    assert report.say("other", "topic y: bad")
    now[0] = 31.0
    report.say("bad", "topic x: bad")
    assert [line for line in log.lines if "topic x" in line] == [
        "topic x: bad [bad]",
        "topic x: bad (2 times since the last message) [bad]",
    ]
    assert report.counters == {"bad": 3, "other": 1}


def test_growing_counters_of_the_pipeline_are_told_and_standing_ones_are_not():
    report, log = reporter([0.0])
    report.watch({"inertial.imu_gaps": 0})
    assert log.lines == []
    report.watch({"inertial.imu_gaps": 2})
    report.watch({"inertial.imu_gaps": 2})
    assert len(log.lines) == 1
    assert "topic imu" in log.lines[0]


def test_every_counter_that_is_explained_exists():
    names = {f"inertial.{name}" for name in COUNTERS}
    names |= {f"features.{name}" for name in FEATURE_COUNTERS}
    assert set(COUNTER_MESSAGES) <= names


def snapshot(**changes):
    values = {
        "active": True,
        "frames": {"rate_hz": 30.0},
        "image_age_s": 0.03,
        "camera": "calibrated",
        "camera_mode": "imu",
        "people": 1,
        "imu_age_s": 0.0,
        "imu_expected": True,
        "pose_age_s": math.inf,
        "pose_expected": False,
        "totals": {"images_received": 10},
    }
    return Snapshot(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "troubles", "level", "words"),
    [
        ({}, 0, DiagnosticStatus.OK, "tracking"),
        ({"active": False}, 0, DiagnosticStatus.WARN, "not active"),
        (
            {"active": False, "facts": {"failure": "no file x"}},
            0,
            DiagnosticStatus.ERROR,
            "no file x",
        ),
        ({"image_age_s": math.inf}, 0, DiagnosticStatus.WARN, "no image yet"),
        ({"image_age_s": 5.0}, 0, DiagnosticStatus.ERROR, "no image for 5.0 s"),
        ({"camera": "waiting for camera_info"}, 0, DiagnosticStatus.WARN, "camera_info"),
        ({"camera": "assumed"}, 0, DiagnosticStatus.WARN, "assumed"),
        ({}, 3, DiagnosticStatus.WARN, "3 inputs"),
    ],
)
def test_the_worst_thing_makes_the_summary(changes, troubles, level, words):
    message = diagnostic_array("/tracker", stamp_from_seconds(1.0), snapshot(**changes), troubles)
    assert message.status[0].level == level
    assert words in message.status[0].message
    serialize_message(message)


def test_rate_and_latency_are_of_the_last_seconds():
    times = FrameTimes(horizon_s=5.0)
    for i in range(300):
        times.add(i / 30.0, 0.04 if i > 140 else 9.0, 0.02)
    summary = times.summary(299 / 30.0)
    assert summary["rate_hz"] == pytest.approx(30.0, rel=0.01)
    assert summary["latency_p99_s"] == pytest.approx(0.04, abs=0.01)
    assert times.summary(60.0)["rate_hz"] == 0.0


def test_the_18_points_are_in_the_order_of_skeleton2d():
    # hri_msgs/Skeleton2D: 0 nose, 1 neck, 2-4 right arm, ..., 14 left eye, 17 right ear.
    assert SKELETON18_NAMES[14] == "left_eye"
    assert SKELETON18_NAMES[2] == "right_shoulder"
    assert SKELETON18_NAMES[17] == "right_ear"
    keypoints = np.column_stack((np.arange(17.0) * 10, np.full(17, 50.0), np.full(17, 0.5)))
    points = skeleton18(keypoints, (200, 100))
    assert points[14, 0] == pytest.approx(0.05)
    assert points[1, 0] == pytest.approx((50 + 60) / 2 / 200)
    assert np.all((points >= 0) & (points <= 1))


def test_points_outside_and_nan_stay_within_the_message():
    keypoints = np.full((17, 3), np.nan)
    assert np.all(skeleton18(keypoints, (10, 10)) == 0)
    np.testing.assert_allclose(normalised_box(np.array([-5, 2, 30, 5]), (10, 10)), [0, 0.2, 1, 0.5])
