"""Images whose stamps go back by less than a second, over DDS: told, and the stream goes on."""

from __future__ import annotations

import pytest
from imu_rig import ImuRig, later
from visualization_msgs.msg import Marker

from humor_ros.ros.time_conversion import stamp_from_seconds

pytestmark = pytest.mark.ros


def show(h, stamp_s):
    """One image, until the tracker has processed or refused it."""

    def done():
        refused = h.node._reporter.counters.get("images_stamp_not_newer", 0)
        return h.node._worker.times.processed + refused

    before = done()
    h.send_image(stamp_s)
    h.wait(lambda: done() > before)


@pytest.mark.parametrize(
    ("images", "expected"),
    [(27, [27, 17, 17, 17, 17, 17, 17, 17]), (6, [6, 0, 2, 0, 2, 0, 2, 0])],
)
def test_a_bag_shorter_than_a_second_is_tracked_turn_by_turn(harness, images, expected):
    with harness() as h:
        h.activate()
        start_s = h._stamp_s
        turns = []
        for turn in range(8):
            begin_s = start_s - 0.001 * turn  # so that turns can be told apart
            turns.append([begin_s + image / 30 for image in range(images)])
            for stamp_s in turns[-1]:
                show(h, stamp_s)

        def told():
            return [m.header.stamp for m in h.received["/tracker/humans"] if m.world_frame]

        h.wait(lambda: len(told()) == h.node._worker.times.processed)
        sent = [[stamp_from_seconds(s) for s in turn] for turn in turns]
        told_of = [sum(stamp in turn for stamp in told()) for turn in sent]
        # Ten images tell that these are no late ones; with six images that takes two turns.
        assert told_of == expected
        counters = h.node._reporter.counters
        assert counters["images_stamp_not_newer"] == 8 * images - sum(expected)
        assert counters["clock_resets"] == sum(count > 0 for count in expected[1:])
        h.wait_for_count("images_stamp_not_newer", counters["images_stamp_not_newer"])
        h.wait_for_count("clock_resets", counters["clock_resets"])


def test_nobody_of_before_stays_when_the_clock_was_set_back(harness):
    with harness() as h:
        lines = h.log_lines()
        h.activate()
        h.track(3)
        h._stamp_s -= 0.5
        for _ in range(10):
            show(h, h.next_stamp())  # left out
        first = h.track(1)
        heard, drawn = h.received["/tracker/humans"], h.received["/tracker/markers"]
        at = heard.index(first)
        assert not heard[at - 1].world_frame  # emptied before it
        h.wait(lambda: any(m.markers[0].action == Marker.DELETEALL for m in drawn if m.markers))
        assert h.node._reporter.counters["images_stamp_not_newer"] >= 10
        h.wait(lambda: any("stamps went back and go on" in line for line in lines))
        assert h.track(1).humans


def test_clocks_of_camera_and_imu_that_are_set_back_together_stop_nothing(rclpy_session):
    with ImuRig(image_s=1 / 30) as r:
        r.activate()
        r.play(1.0)
        assert r.mode == "imu"
        before = r.ids
        shown = r.node._worker.times.processed
        r.play(1.5, later(-0.5), image_offset_s=-0.5)
        counters = r.node._reporter.counters
        assert counters["images_stamp_not_newer"] == 10
        assert r.node._worker.times.processed == shown + 35
        r.wait_for_count("clock_resets")
        assert r.pipeline.counters["pipeline.resets"] == 1
        assert r.mode == "imu"
        assert len(r.ids) == 1
        assert r.ids != before  # tracked anew


def test_a_slow_camera_is_back_before_that_and_nobody_is_tracked_anew(rclpy_session):
    with ImuRig() as r:  # of 10 Hz
        r.activate()
        r.play(1.0)
        before = r.ids
        shown = r.node._worker.times.processed
        r.play(1.5, later(-0.45), image_offset_s=-0.45)
        counters = r.node._reporter.counters
        assert counters["images_stamp_not_newer"] == 4
        assert r.node._worker.times.processed == shown + 11
        assert r.pipeline.counters.get("pipeline.resets", 0) == 0
        assert r.mode == "imu"
        assert r.ids == before
