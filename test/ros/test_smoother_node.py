"""The smoother over DDS with a quick solver: lifecycle, outputs, stamps, frames and load."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from humor_ros.msg import BodyContacts, HumanStates
from node_harness import PATIENCE_S
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from smoother_harness import FORECASTS, OUTPUTS, WINDOW, humans_message
from visualization_msgs.msg import Marker

from humor_ros.humor.state import CONTACT_NAMES
from humor_ros.ros.smoother_node import make_parts

pytestmark = pytest.mark.ros


def test_images_come_out_refined_in_order_with_their_stamps(smoothing):
    with smoothing() as h:
        h.activate()
        sent = h.play(14)
        h.wait(lambda: len(h.smoothed) >= 6)
        told = h.smoothed
        stamps = [m.header.stamp for m in told]
        assert stamps == [m.header.stamp for m in sent[: len(stamps)]]
        assert {m.header.frame_id for m in told} == {"cam"}
        assert {m.world_frame for m in told} == {"humor_world"}
        human = told[0].humans[0]
        assert human.id == "aaaaa"
        assert human.latency > WINDOW.lag / 30
        came = sent[0].humans[0]
        assert list(human.root_world.covariance) == list(came.root_world.covariance)
        assert human.root_world.pose.position != came.root_world.pose.position


def test_contacts_ground_markers_and_frames_belong_to_the_image(smoothing):
    with smoothing() as h:
        h.activate()
        sent = h.play(14)
        for topic in OUTPUTS:
            h.wait(lambda topic=topic: h.received[topic])
        h.wait(lambda: h.smoothed)
        contacts = h.received["/smoother/contacts"][0]
        assert contacts.header.stamp == sent[0].header.stamp
        assert contacts.header.frame_id == "humor_world"
        assert tuple(contacts.names) == CONTACT_NAMES
        assert contacts.smoothed
        assert contacts.lag >= WINDOW.lag / 30 - 1e-6
        ground = h.received["/smoother/ground"][-1]
        normal = (ground.normal.x, ground.normal.y, ground.normal.z)
        assert np.linalg.norm(normal) == pytest.approx(1.0)
        assert ground.normal.z > 0.9
        assert ground.people == 1
        children = {t.child_frame_id: t.header for t in h.received["/tf"][0].transforms}
        assert len(children) == 24
        assert children["aaaaa_smoothed/pelvis"].frame_id == "humor_world"
        assert children["aaaaa_smoothed/left_knee"].frame_id == "aaaaa_smoothed/left_hip"
        assert children["aaaaa_smoothed/pelvis"].stamp == sent[0].header.stamp
        spaces = {m.ns for m in h.received["/smoother/markers"][-1].markers}
        assert {"skeleton", "joints"} <= spaces


def test_diagnostics_tell_solver_lag_and_counts(smoothing):
    with smoothing() as h:
        h.activate()
        h.play(20)

        def smoothing_somebody():  # after a silence there is nobody any more
            values = h.diagnostics()
            solved = int(values.get("hops", "0")) >= 2 and float(values["solver_time_p50_s"]) > 0.0
            return values if solved and values["people_smoothed"] == "1" else None

        seen = []
        h.wait(lambda: seen.append(smoothing_somebody()) or seen[-1], again=h.send)
        values = seen[-1]
        assert values["active"] == "true"
        assert 20 <= int(values["messages_received"]) <= h.sent
        h.wait(lambda: h.diagnostics()["messages_received"] == str(h.sent))
        assert values["fallbacks" if "fallbacks" in values else "hops"] != ""
        assert float(values["iterations_p50"]) >= 0.0
        assert float(values["lag_p50_s"]) >= WINDOW.lag / 30 - 1e-6
        assert values["lag_frames"] == "12"
        assert values["ground"].startswith("normal")
        names = {m.status[0].name for m in h.received["/diagnostics"]}
        assert names == {"/smoother: motion smoothing"}


def test_forecasts_come_from_the_newest_image_with_capsules_for_planners(smoothing):
    with smoothing({"forecast.horizon": 1.0}, outputs=FORECASTS) as h:
        h.activate()
        h.wait(lambda: h.node._outputs.forecasts_wanted)
        topic = "/smoother/forecasts"
        stamps = [m.header.stamp for m in h.play(8)]

        def forecast_came():
            stamps.append(h.send().header.stamp)
            newest = h.received[topic][-1].forecasts if h.received[topic] else ()
            # A busy machine's roll-out is old, and what is left of its horizon short.
            return newest and len(newest[0].times) > 2

        h.wait(forecast_came)
        message = next(
            m for m in reversed(h.received[topic]) if m.forecasts and len(m.forecasts[0].times) > 2
        )
        assert message.header.stamp in stamps
        assert message.header.frame_id == "humor_world"
        (forecast,) = message.forecasts
        count = len(forecast.times)
        assert forecast.person_id == "aaaaa"
        assert forecast.times[0] == pytest.approx(0.1)
        assert forecast.times[-1] <= 1.0 + 1e-6
        assert len(forecast.root_positions) == count
        assert len(forecast.joint_positions) == 22 * count
        assert forecast.joint_positions[22] == forecast.root_positions[1]
        covariance = np.array(forecast.root_covariances).reshape(count, 3, 3)
        assert (np.linalg.eigvalsh(covariance) > 0).all()
        assert len(forecast.sample_roots) == forecast.sample_count * count
        assert len(forecast.capsules) >= 20
        for capsule in forecast.capsules:
            assert 0.01 < capsule.radius < 0.5
            assert len(capsule.starts) == len(capsule.ends) == count
        drawn = h.received["/smoother/forecast_markers"]
        h.wait(lambda: any(m.markers for m in drawn), again=h.send, every_s=0.1)
        markers = next(m.markers for m in drawn if m.markers)
        assert {m.ns for m in markers} >= {"ways", "mean", "region", "body_0"}
        for marker in markers:
            if marker.type == Marker.TRIANGLE_LIST:
                assert len(marker.points) % 3 == 0
            q = marker.pose.orientation
            assert q.x**2 + q.y**2 + q.z**2 + q.w**2 == pytest.approx(1.0)


def test_forecasts_are_made_for_subscribers_alone(smoothing):
    with smoothing() as h:
        h.activate()
        h.play(6)
        assert h.node._worker.forecasts.processed == 0
        assert h.node._worker.roll_outs.processed == 0


def test_lost_and_vanished_people_are_told_to_the_end(smoothing):
    with smoothing() as h:
        h.activate()
        sent = h.play(14)
        lost = humans_message(h.next_stamp())
        lost.humans[0].tracking_state = lost.humans[0].LOST
        h.send(lost)
        h.wait(lambda: len(h.smoothed) == 15)
        assert [m.humans[0].tracking_state for m in h.smoothed][-2:] == [
            sent[-1].humans[0].tracking_state,
            lost.humans[0].LOST,
        ]
        contacts = h.received["/smoother/contacts"]
        h.wait(lambda: len(contacts) == 14)
        assert all(c.smoothed for c in contacts)
        h.send(humans_message(h.next_stamp(), 0))
        h.wait(lambda: len(h.smoothed) == 16)
        assert h.smoothed[-1].humans == []
        h.wait(
            lambda: any(
                m.action == Marker.DELETE
                for array in h.received["/smoother/markers"]
                for m in array.markers
            )
        )


def test_a_tracker_that_falls_silent_leaves_nothing_untold(smoothing):
    with smoothing() as h:
        h.activate()
        h.play(14)
        h.wait(lambda: len(h.smoothed) == 14)


def test_twenty_people_never_stall_the_stream(smoothing):
    with smoothing({"max_people": 2, "max_lag": 1.0}) as h:
        h.activate()
        sent = h.play(16, people=20)
        h.wait(lambda: len(h.smoothed) == len(sent))
        assert all(len(m.humans) == 20 for m in h.smoothed)
        h.wait(lambda: len(h.received["/smoother/contacts"]) == 20 * len(sent))
        last = h.received["/smoother/contacts"][-20:]
        assert sum(c.smoothed for c in last) <= 2


def test_a_full_queue_drops_the_oldest_and_says_so(smoothing):
    with smoothing({"queue": 4}) as h:
        h.activate()
        h.play(2)
        worker, go_on = h.node._worker, threading.Event()
        image = worker._input.image
        worker._input.image = lambda message: go_on.wait(PATIENCE_S) and image(message)
        for count in range(3, 15):
            h.send(taken=False)
            h.wait(lambda count=count: worker.queue.received == count)
        go_on.set()
        h.wait_for_count("messages_dropped", 5)
        h.play(3)


def test_a_slow_solver_does_not_hold_the_stream_up(smoothing):
    with smoothing({"max_lag": 0.6}) as h:
        h.activate()
        h.play(3)
        smoother = h.node._parts.smoother
        begin, begun, go_on = smoother.begin_hop, threading.Event(), threading.Event()

        def slow():
            hop = begin()
            if hop is not None:
                solve = hop.solve
                hop.solve = lambda: (begun.set(), go_on.wait(PATIENCE_S), solve())
            return hop

        smoother.begin_hop = slow
        h.play(11)
        h.wait(begun.is_set)
        h.wait_for_count("camera_assumed")  # worse things are told first
        h.play(34)
        h.wait(lambda: len(h.smoothed) >= 25)
        h.wait(lambda: smoother.waiting <= 0.6 * 30 + 2)
        assert h.node._worker.hops.processed == 0  # nothing was solved all the time
        h.wait(lambda: h.said("the tracker's motion"))
        go_on.set()


def test_deactivation_empties_the_outputs_and_the_node_can_start_again(smoothing):
    with smoothing() as h:
        h.activate()
        h.play(10)
        h.wait(lambda: h.smoothed)
        h.do(h.node.trigger_deactivate)
        h.wait(lambda: h.received["/smoother/humans"][-1].humans == [])
        drawn = h.received["/smoother/markers"]
        h.wait(lambda: any(m.action == Marker.DELETEALL for a in drawn[-1:] for m in a.markers))
        h.wait(lambda: h.humans.get_subscription_count() == 0)
        h.do(h.node.trigger_cleanup)
        h.activate()
        count = len(h.smoothed)
        h.play(10)
        h.wait(lambda: len(h.smoothed) > count)


def test_a_missing_file_leaves_the_node_unconfigured_and_is_named(smoothing, tmp_path):
    path = str(tmp_path / "none.safetensors")
    with smoothing({"weights_path": path}, factory=make_parts) as h:
        assert h.do(h.node.trigger_configure) is TransitionCallbackReturn.FAILURE
        assert "weights_path" in h.node._failure
        assert "none.safetensors" in h.node._failure
        h.wait(lambda: "none.safetensors" in h.diagnostics().get("failure", ""))


def test_a_checkpoint_of_another_shape_is_named(smoothing, tmp_path):
    import torch

    path = tmp_path / "other.pth"
    torch.save({"model": {"encoder.net.0.weight": torch.zeros(3, 4)}}, path)
    with smoothing({"weights_path": str(path)}, factory=make_parts) as h:
        assert h.do(h.node.trigger_configure) is TransitionCallbackReturn.FAILURE
        assert "other.pth" in h.node._failure


def test_settings_that_do_not_go_together_are_named(smoothing):
    with smoothing({"window.lag": 60}, factory=make_parts) as h:
        assert h.do(h.node.trigger_configure) is TransitionCallbackReturn.FAILURE
        assert "lag" in h.node._failure


def test_a_threshold_may_change_while_the_node_runs_and_the_window_may_not(smoothing):
    with smoothing() as h:
        h.activate()
        assert h.node.set_parameters([Parameter("contact_threshold", value=0.9)])[0].successful
        h.wait(lambda: h.node._outputs.contact_threshold == 0.9)
        refused = h.node.set_parameters([Parameter("window.hop", value=5)])[0]
        assert not refused.successful
        assert "configure" in refused.reason


def test_the_packaged_prior_and_the_defaults_make_the_nodes_parts(smoothing):
    with smoothing(factory=make_parts) as h:
        assert h.do(h.node.trigger_configure) is TransitionCallbackReturn.SUCCESS
        assert h.node._parts.outlook is not None
        assert h.node._parts.smoother.config.window.lag == h.node._values["window.lag"]


def test_messages_of_both_streams_have_one_type():
    assert OUTPUTS["/smoother/humans"] is HumanStates
    assert len(BodyContacts().names) == len(CONTACT_NAMES)


def test_unheard_outputs_are_not_made(smoothing):
    with smoothing(outputs={}) as h:
        h.activate()
        calls = []
        for name in ("_humans", "_contacts", "_ground", "_markers", "_forecasts"):
            publisher = getattr(h.node._outputs, name)
            publisher.publish = lambda message, name=name: calls.append(name)
        h.node._outputs._sender.send = lambda transforms: calls.append("tf")
        h.play(14)
        h.wait(lambda: h.node._worker.times.processed > 3)
        assert calls == []


def test_forecasts_are_drawn_seldom_and_told_often(smoothing):
    with smoothing({"forecast.horizon": 1.0, "forecast.rate": 30.0}, outputs=FORECASTS) as h:
        h.activate()
        drawn, outputs = [], h.node._outputs
        draw = outputs._forecast_book.draw

        def noted(*arguments):
            drawn.append(outputs._drawn_s)  # when it was begun
            return draw(*arguments)

        outputs._forecast_book.draw = noted
        told = h.received["/smoother/forecasts"]
        h.wait(lambda: len(told) > len(drawn) > 3, again=h.send, every_s=0.03)
        assert np.diff(drawn).min() >= 0.25


def test_whoever_finds_another_telling_does_not_wait(smoothing):
    with smoothing({"forecast.enabled": False}) as h:
        h.activate()
        h.play(14)
        h.wait(lambda: len(h.smoothed) > 3)
        worker = h.node._worker
        with worker._publishing:  # as the solver's thread holds it while it tells a burst
            count = worker.times.processed
            h.play(12)  # messages are taken in all the same
            worker._tell()
            assert worker.times.processed == count
            h.wait(lambda: len(h.smoothed) == count)
        worker._tell()
        h.wait(lambda: len(h.smoothed) > count + 3)


def test_forecasts_that_fail_are_told_and_people_smoothed_all_the_same(smoothing):
    with smoothing(outputs=OUTPUTS | FORECASTS) as h:
        h.activate()
        h.wait(lambda: h.node._outputs.forecasts_wanted)

        def broken(*_):
            raise RuntimeError("no way ahead")

        h.node._parts.outlook.renew = broken
        sent = h.play(14)
        h.wait(lambda: "forecasts_failed" in h.node._reporter.counters)
        h.wait(lambda: len(h.smoothed) > 3)
        assert h.smoothed[0].header.stamp == sent[0].header.stamp
        h.wait_for_count("forecasts_failed")
        assert "smoothing_failed" not in h.node._reporter.counters
        assert h.node._parts.smoother.counts["resets"] == 0


def test_a_machine_without_time_is_told(smoothing):
    with smoothing({"forecast.enabled": False, "max_lag": 0.6}) as h:
        h.activate()
        h.play(3)
        with h.node._worker._lock:
            h.node._parts.smoother._shed(h.node._parts.smoother.people[0], h._stamp_s)
        h.play(3)
        # After a silence there is nobody any more to have no time for.
        h.wait(lambda: h.said("no time to smooth"), again=h.send)
        h.wait(lambda: h.diagnostics()["paused"] == "true", again=h.send)
        h.wait_for_count("pauses")
        h.wait(lambda: len(h.smoothed) == h.sent)
