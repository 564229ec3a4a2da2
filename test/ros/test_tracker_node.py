"""The tracker over DDS with a fake pipeline: lifecycle, outputs, stamps and frames."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fake_pipeline import FakePipeline
from lifecycle_msgs.srv import GetState
from node_harness import PATIENCE_S
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from visualization_msgs.msg import Marker

from humor_ros.geometry import PinholeCamera
from humor_ros.ros.time_conversion import seconds_from_stamp

pytestmark = pytest.mark.ros


def test_an_image_becomes_a_person_on_every_output_with_the_images_stamp(harness):
    with harness() as h:
        h.activate()
        states = h.track(3)
        stamp = states.header.stamp
        assert [human.id for human in states.humans] == ["abcde"]
        assert states.header.frame_id == "cam"
        assert states.world_frame == "humor_world"
        assert (states.image_width, states.image_height) == (64, 48)
        for topic in ("contacts", "joint_states"):
            told = h.received[f"/tracker/{topic}"]
            h.wait(lambda told=told: any(m.header.stamp == stamp for m in told))
        drawn = h.received["/tracker/markers"]
        h.wait(lambda: any(m.markers and m.markers[0].header.stamp == stamp for m in drawn))
        h.wait(lambda: any(m.transforms[0].header.stamp == stamp for m in h.received["/tf"]))
        assert h.received["/tracker/contacts"][-1].header.frame_id == "humor_world"
        assert len(h.received["/tracker/joint_states"][-1].position) == 69
        assert states.humans[0].latency < 100.0


def test_one_tf_message_an_image_holds_the_whole_tree_and_no_child_twice(harness):
    with harness(pipeline=FakePipeline(("aaaaa", "bbbbb"))) as h:
        h.activate()
        h.track(2)
        h.wait(lambda: h.received["/tf"])
        transforms = h.received["/tf"][-1].transforms
        children = {item.child_frame_id: item.header.frame_id for item in transforms}
        assert len(children) == len(transforms) == 1 + 2 * 25
        assert children["humor_world"] == "cam"
        assert children["aaaaa/pelvis"] == "humor_world"
        assert children["body_aaaaa"] == "humor_world"
        assert children["bbbbb/left_knee"] == "bbbbb/left_hip"
        assert len({item.header.stamp.nanosec for item in transforms}) == 1


def test_people_hang_on_the_camera_when_asked(harness):
    with harness({"tf.parent": "camera", "tf.publish_world": False}) as h:
        h.activate()
        h.track(2)
        h.wait(lambda: h.received["/tf"])
        children = {t.child_frame_id: t.header.frame_id for t in h.received["/tf"][-1].transforms}
        assert children["abcde/pelvis"] == "cam"
        assert "humor_world" not in children


def test_unheard_outputs_are_not_made(harness):
    with harness(outputs={}) as h:
        h.activate()
        calls = []
        for name in ("_humans", "_contacts", "_joints", "_markers", "_overlay"):
            publisher = getattr(h.node._outputs, name)
            publisher.publish = lambda message, name=name: calls.append(name)
        h.node._outputs._sender.send = lambda transforms: calls.append("tf")
        h.wait(lambda: h.node._worker.times.processed >= 3, again=h.send_image, every_s=0.02)
        assert calls == []


def test_the_overlay_is_drawn_for_whoever_subscribes(harness):
    with harness() as h:
        h.activate()
        from humor_ros.ros.qos import image_qos

        h.listen("/tracker/image_overlay", Image, image_qos())
        h.wait(lambda: h.node.count_subscribers("/tracker/image_overlay") > 0)

        def seen():
            h.track(1)
            return h.received["/tracker/image_overlay"]

        h.wait(seen)
        assert h.received["/tracker/image_overlay"][-1].width == 64


def test_lost_people_are_told_of_once_and_their_markers_deleted(harness):
    with harness() as h:
        h.activate()
        h.track(2)
        h.wait(lambda: h.received["/tracker/markers"])
        black = np.zeros((48, 64, 3), np.uint8)
        states = h.track(1, picture=black)
        assert [human.tracking_state for human in states.humans] == [states.humans[0].LOST]
        h.wait(
            lambda: any(
                marker.action == Marker.DELETE
                for array in h.received["/tracker/markers"]
                for marker in array.markers
            )
        )
        assert h.track(1, picture=black).humans == []


def test_markers_are_valid_for_rviz(harness):
    with harness() as h:
        h.activate()
        h.track(4)
        h.wait(lambda: len(h.received["/tracker/markers"]) > 2)
        keys = set()
        for marker in h.received["/tracker/markers"][-1].markers:
            q = marker.pose.orientation
            assert q.x**2 + q.y**2 + q.z**2 + q.w**2 == pytest.approx(1.0)
            assert (marker.ns, marker.id) not in keys
            keys.add((marker.ns, marker.id))
            if marker.action == Marker.ADD:
                assert marker.lifetime.sec + marker.lifetime.nanosec > 0
                assert len(marker.points) >= (2 if "LINE" in marker.ns else 1)
                if marker.type == Marker.LINE_LIST:
                    assert len(marker.points) % 2 == 0
        assert {ns for ns, _ in keys} >= {"skeleton", "joints", "trajectory"}


def test_rep155_topics_come_with_the_person_and_go_with_it(harness):
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with harness() as h:
        h.activate()
        h.track(2)
        h.listen("/humans/bodies/abcde/urdf", String, latched)
        h.listen("/humans/bodies/abcde/joint_states", JointState)
        h.wait(lambda: h.received["/humans/bodies/abcde/urdf"])
        assert 'link name="body_abcde"' in h.received["/humans/bodies/abcde/urdf"][0].data
        h.wait(lambda: h.node.count_subscribers("/humans/bodies/abcde/joint_states") > 0)

        def heard():
            h.track(1)
            return h.received["/humans/bodies/abcde/joint_states"]

        h.wait(heard)
        message = h.received["/humans/bodies/abcde/joint_states"][-1]
        assert len(message.name) == len(message.position) == 20
        assert "l_elbow_abcde" in message.name
        destroy, destroyers = h.node.destroy_publisher, set()

        def noted(publisher):
            destroyers.add(threading.current_thread())
            return destroy(publisher)

        h.node.destroy_publisher = noted
        h.track(1, picture=np.zeros((48, 64, 3), np.uint8))
        h.wait(lambda: h.node.count_publishers("/humans/bodies/abcde/urdf") == 0)
        h.node.destroy_publisher = destroy
        # Another thread would do it while the executor gathers publishers, and end it that way.
        assert destroyers == {h._thread}


def test_imu_samples_arrive_before_the_people_of_their_image_are_lifted(harness):
    with harness() as h:
        h.activate()
        h.node._refresh = lambda: None  # the wait is longer than the parameter may be
        h.node._worker.imu_wait_s = 60.0
        h.wait(lambda: h.imu.get_subscription_count() > 0)
        h.send_imu(h.next_stamp())
        h.wait(lambda: h.node._inputs.imu.received > 0)
        stamp = h.next_stamp()
        h.send_image(stamp)
        h.wait(lambda: h.pipeline.stamps)
        h.send_imu(stamp + 0.001)
        h.wait(lambda: h.pipeline.lifted)
        assert max(sample.stamp_s for sample in h.pipeline.samples) >= stamp


def test_the_mounting_of_the_imu_comes_from_tf(harness):
    from geometry_msgs.msg import Quaternion, Transform, TransformStamped
    from std_msgs.msg import Header

    from humor_ros.ros.tf_door import send_static

    with harness({"imu.extrinsics": "tf"}) as h:
        half = 0.5**0.5
        keep = send_static(
            h.peer,
            [
                TransformStamped(
                    header=Header(frame_id="cam"),
                    child_frame_id="imu",
                    transform=Transform(rotation=Quaternion(z=half, w=half)),
                )
            ],
        )
        h.activate()
        h.wait(lambda: h.imu.get_subscription_count() > 0)

        def known():
            h.send_imu(h.next_stamp())
            h.track(1)
            return h.pipeline.inertial.rotation_camera_imu is not None and h.pipeline.samples

        h.wait(known)
        np.testing.assert_allclose(
            h.pipeline.inertial.rotation_camera_imu @ (1, 0, 0), (0, 1, 0), atol=1e-9
        )
        assert keep is not None


def test_camera_info_is_used_with_its_distortion_and_binning(harness):
    with harness({"camera_info_timeout": 30.0}) as h:
        h.activate()
        h.wait(lambda: h.infos.get_subscription_count() > 0)
        camera = PinholeCamera(
            2 * 64,
            2 * 48,
            np.array([[100.0, 0, 64], [0, 100.0, 48], [0, 0, 1]]),
            (0.1, 0.0, 0.0, 0.0, 0.0),
        )
        h.send_camera_info(camera, binning_x=2, binning_y=2)
        h.wait(lambda: h.node._inputs.camera.status.value == "calibrated")
        h.track(1)
        used = h.pipeline.given_camera
        assert (used.width, used.height) == (64, 48)
        assert used.fx == pytest.approx(50.0)
        assert used.distortion[0] == pytest.approx(0.1)


def test_the_newest_frame_wins_and_drops_are_counted(harness):
    with harness() as h:
        h.activate()
        observe, frames = h.pipeline.observe, h.node._inputs.frames
        entered, go_on = threading.Event(), threading.Event()

        def dawdle(image, stamp_s):
            entered.set()
            assert go_on.wait(PATIENCE_S)
            return observe(image, stamp_s)

        h.pipeline.observe = dawdle
        sent = [h.send_image()]
        h.wait(entered.is_set)
        for count in range(2, 6):
            sent.append(h.send_image())
            h.wait(lambda count=count: frames.received == count)
        go_on.set()
        h.wait(lambda: len(h.pipeline.stamps) == 2)
        assert h.pipeline.stamps == pytest.approx([sent[0], sent[-1]], abs=1e-3)
        h.wait_for_count("images_dropped", 3)
        assert h.diagnostics()["images_dropped"] == "3"


def test_deactivation_empties_the_outputs_and_the_node_can_start_again(harness):
    with harness() as h:
        h.activate()
        h.track(2)
        h.do(h.node.trigger_deactivate)
        h.wait(lambda: h.received["/tracker/humans"][-1].humans == [])
        h.wait(
            lambda: any(
                m.markers and m.markers[0].action == Marker.DELETEALL
                for m in h.received["/tracker/markers"]
            )
        )
        h.wait(lambda: h.images.get_subscription_count() == 0)
        h.do(h.node.trigger_cleanup)
        h.start()
        h.wait(lambda: h.images.get_subscription_count() > 0)
        assert h.track(1).humans


def test_a_failing_configuration_leaves_the_node_alive_and_says_why(harness):
    def broken(values):
        raise FileNotFoundError("no WHAM weights at /nowhere; give the path of a weight file")

    with harness(factory=broken) as h:
        assert not h.do(h.node.start)
        client = h.peer.create_client(GetState, "/tracker/get_state")
        h.wait(client.service_is_ready)
        future = client.call_async(GetState.Request())
        h.wait(future.done)
        assert future.result().current_state.label == "unconfigured"
        h.wait(lambda: "/nowhere" in h.diagnostics().get("failure", ""))


def test_dynamic_parameters_take_effect_and_static_ones_tell_why_not(harness):
    with harness() as h:
        h.activate()
        changed, refused = h.node.set_parameters(
            [Parameter("contact_threshold", value=0.95), Parameter("max_people", value=3)]
        )
        assert changed.successful
        assert not refused.successful
        assert "configure" in refused.reason
        h.wait(lambda: h.node._outputs.contact_threshold == 0.95)


def test_diagnostics_name_rate_latency_and_modes(harness):
    with harness() as h:
        h.activate()
        h.track(10)
        h.wait_for_count("images_processed", 5)
        values = h.diagnostics()
        for key in ("rate_hz", "latency_p50_s", "latency_p99_s", "image_age_s", "imu_age_s"):
            assert key in values
        assert values["camera"] == "assumed"
        assert values["camera_motion"] == "static"
        assert float(values["latency_p50_s"]) < 100.0


def test_stamps_of_states_are_those_of_the_images(harness):
    with harness() as h:
        h.activate()
        states = h.track(3)
        assert any(
            abs(seconds_from_stamp(states.header.stamp) - s) < 1e-6 for s in h.pipeline.stamps
        )
