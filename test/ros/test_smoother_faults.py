"""Streams that loop, break off or hardly begin, over DDS: told in order, and nothing stalls."""

from __future__ import annotations

import pytest
from humor_ros.msg import HumanStates
from smoother_harness import FORECASTS, OUTPUTS, humans_message
from visualization_msgs.msg import Marker

from humor_ros.ros.time_conversion import seconds_from_stamp

pytestmark = pytest.mark.ros
IMAGES = 14


def stamps(messages):
    return [seconds_from_stamp(m.header.stamp) for m in messages]


def tree_stamps(h):
    """Of the refined people's frames."""
    return [seconds_from_stamp(m.transforms[0].header.stamp) for m in h.received["/tf"]]


def wiped(h):
    """How often everything was wiped."""
    return sum(
        bool(m.markers) and m.markers[0].action == Marker.DELETEALL
        for m in h.received["/smoother/markers"]
    )


def test_a_bag_that_loops_starts_cleanly_each_time(smoothing):
    with smoothing(outputs=OUTPUTS | FORECASTS) as h:
        h.activate()
        start_s = h._stamp_s
        for turn in range(3):
            h._stamp_s = start_s + 0.001 * turn  # so that turns can be told apart
            sent = stamps([h.send(step_s=0.1) for _ in range(IMAGES)])
            h.wait(lambda turn=turn: wiped(h) == turn)
            h.wait(lambda sent=sent: len(set(stamps(h.smoothed)) & set(sent)) >= 3)
            told = stamps(h.smoothed)
            told = told[told.index(sent[0]) :]  # nothing of an earlier turn comes behind it
            assert told == sent[: len(told)]
            h.wait(lambda sent=sent: any(t in sent for t in tree_stamps(h)))
            moments = tree_stamps(h)
            moments = moments[next(i for i, t in enumerate(moments) if t in sent) :]
            assert moments == sent[: len(moments)]
        counters = h.node._reporter.counters
        assert counters["resets"] == 2
        assert "smoothing_failed" not in counters
        assert "images_stamp_reversed" not in counters
        newest, told = [], h.received["/smoother/forecasts"]  # told of the newest image alone
        h.wait(
            lambda: any(m.header.stamp in newest for m in told),
            again=lambda: newest.append(h.send().header.stamp),
            every_s=2.0,
        )
        h.wait(lambda: h.diagnostics().get("people") == "1", again=h.send)


def test_a_bag_shorter_than_a_second_does_not_stop_the_stream(smoothing):
    with smoothing({"forecast.enabled": False}) as h:
        h.activate()
        start_s = h._stamp_s
        for _ in range(2):
            h._stamp_s = start_s
            last = h.play(28)
        h.wait(lambda: "resets" in h.node._reporter.counters)
        h.wait(lambda: h.smoothed and h.smoothed[-1].header.stamp == last[-1].header.stamp)


def test_earlier_images_are_taken_at_once_from_a_tracker_that_has_started_anew(smoothing):
    with smoothing({"forecast.enabled": False}) as h:
        h.activate()
        h.play(IMAGES)
        h.send(HumanStates())  # as the tracker empties its outputs
        h._stamp_s -= 0.5
        sent = h.play(IMAGES)
        h.wait(lambda: any(m.header.stamp == sent[0].header.stamp for m in h.smoothed))
        h.wait(lambda: h.node._reporter.counters.get("resets") == 1)
        assert "images_stamp_reversed" not in h.node._reporter.counters


def test_a_loop_during_a_hop_drops_that_hop_alone(smoothing):
    with smoothing({"forecast.enabled": False}) as h:
        h.activate()
        smoother = h.node._parts.smoother
        begin, held = smoother.begin_hop, []

        def looped():
            hop = begin()
            if hop is not None and not held:
                held.append(hop)
                smoother.reset()  # as a message of the bag's next turn brings about
            return hop

        smoother.begin_hop = looped
        h.play(IMAGES)
        h.wait(lambda: held and held[0].report is not None)
        sent = h.play(IMAGES)
        h.wait(lambda: any(m.header.stamp == sent[0].header.stamp for m in h.smoothed))
        assert "smoothing_failed" not in h.node._reporter.counters
        told = stamps(h.smoothed)
        assert told == sorted(set(told))


def test_another_world_starts_everybody_anew(smoothing):
    with smoothing({"forecast.enabled": False}) as h:
        h.activate()
        h.play(IMAGES)
        sent = [h.send(humans_message(h.next_stamp(), world="odom")) for _ in range(IMAGES)]
        h.wait(lambda: any(m.header.stamp == sent[0].header.stamp for m in h.smoothed))
        h.wait(lambda: h.node._reporter.counters.get("resets") == 1)
        h.wait(lambda: {m.world_frame for m in h.smoothed} >= {"odom"})


def test_somebody_in_a_single_image_is_told_as_tracked(smoothing):
    with smoothing({"forecast.enabled": False}) as h:
        h.activate()
        only = h.send()
        for _ in range(20):
            h.send(humans_message(h.next_stamp(), 0))
        h.wait(lambda: len(h.smoothed) == 21)
        h.wait(lambda: h.received["/smoother/contacts"])
        h.wait_for_count("short_stays")
        assert [len(m.humans) for m in h.smoothed] == [1] + [0] * 20
        (contacts,) = h.received["/smoother/contacts"]
        assert contacts.header.stamp == only.header.stamp
        assert not contacts.smoothed


def test_nobody_at_all_is_told_image_by_image(smoothing):
    with smoothing({"forecast.enabled": False}) as h:
        h.activate()
        sent = [h.send(humans_message(h.next_stamp(), 0)) for _ in range(5)]
        h.wait(lambda: len(h.smoothed) == 5)
        assert stamps(h.smoothed) == stamps(sent)
        assert not any(m.humans for m in h.smoothed)


def test_somebody_who_vanishes_mid_window_is_told_to_the_end_beside_others(smoothing):
    with smoothing({"forecast.enabled": False, "max_lag": 30.0}) as h:
        h.activate()
        both = h.play(IMAGES, people=2)
        alone = h.play(22)
        h.wait_for_count("people_vanished")
        h.wait(lambda: len(h.smoothed) > len(both) + 5)
        told = [[human.id for human in m.humans] for m in h.smoothed]
        assert told[: len(both)] == [["aaaaa", "aaaab"]] * len(both)
        assert told[len(both) :] == [["aaaaa"]] * (len(told) - len(both))

        def refined():
            return {
                c.person_id: c.smoothed
                for c in h.received["/smoother/contacts"]
                if c.header.stamp == both[-1].header.stamp
            }

        h.wait(lambda: len(refined()) == 2)
        assert refined() == {"aaaaa": True, "aaaab": True}
        assert len(alone) == 22


def test_short_gaps_are_bridged_and_long_ones_start_afresh(smoothing):
    with smoothing({"forecast.enabled": False, "max_lag": 30.0}) as h:
        h.activate()
        sent = h.play(IMAGES)
        h.next_stamp(0.3)
        sent += h.play(IMAGES)
        assert "long_gaps" not in h.diagnostics()
        h.next_stamp(8.0)
        sent += h.play(IMAGES)
        h.wait_for_count("long_gaps")
        h.wait(lambda: len(h.smoothed) > 2 * IMAGES + 3)
        assert stamps(h.smoothed) == stamps(sent)[: len(h.smoothed)]
