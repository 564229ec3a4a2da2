"""Whatever comes in over DDS: the node lives, says what to do, and counts it."""

from __future__ import annotations

import array
import time

import numpy as np
import pytest
from fake_pipeline import FakePipeline
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from humor_ros.ros.qos import player_qos
from humor_ros.ros.time_conversion import stamp_from_seconds

pytestmark = pytest.mark.ros


def trouble_then_life(h, kind, trouble):
    """The trouble is counted in diagnostics, and people are tracked after it."""
    before = int(h.diagnostics().get(kind, "0"))

    def counted():
        trouble()
        time.sleep(0.05)
        return h.node._reporter.counters.get(kind, 0) > before

    h.wait(counted)
    h.wait_for_count(kind, before + 1)
    assert h.track(1).humans


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("images_undecodable", {"encoding": "klingon8"}),
        ("images_undecodable", {"encoding": "16UC1"}),
        ("images_undecodable", {"encoding": ""}),
        ("images_undecodable", {"height": 0, "width": 0, "data": array.array("B")}),
        ("images_undecodable", {"data": array.array("B", bytes(100))}),
        ("images_undecodable", {"step": 5}),
        ("images_undecodable", {"height": 100000}),
    ],
)
def test_an_image_that_cannot_be_decoded_is_left_out(harness, kind, changes):
    with harness() as h:
        h.activate()
        trouble_then_life(h, kind, lambda: h.send_image(**changes))


def test_a_black_image_is_reported_and_still_processed(harness):
    with harness() as h:
        h.activate()
        black = np.zeros((48, 64, 3), np.uint8)
        trouble_then_life(h, "images_black", lambda: h.send_image(picture=black))


def test_stamps_that_go_backwards_are_left_out_until_a_second(harness):
    with harness() as h:
        h.activate()
        h.track(2)
        trouble_then_life(
            h, "images_stamp_not_newer", lambda: h.send_image(h.pipeline.stamps[-1] - 0.1)
        )


def test_a_clock_that_is_set_back_starts_everything_anew(harness):
    with harness() as h:
        h.activate()
        h.track(2)
        h._stamp_s -= 1000.0
        trouble_then_life(h, "clock_resets", h.send_image)


def test_a_changing_resolution_is_followed(harness):
    with harness() as h:
        h.activate()
        h.track(1)
        states = h.track(1, picture=np.full((96, 128, 3), 99, np.uint8))
        assert (states.image_width, states.image_height) == (128, 96)


@pytest.mark.parametrize("changes", [{"k": [0.0] * 9}, {"k": [float("nan")] * 9}, {"width": 0}])
def test_an_unusable_camera_info_is_named_and_the_camera_assumed(harness, changes):
    with harness() as h:
        h.activate()
        h.wait(lambda: h.infos.get_subscription_count() > 0)
        trouble_then_life(h, "camera_info_unusable", lambda: h.send_camera_info(**changes))
        assert h.pipeline.given_camera is None
        h.wait(lambda: h.diagnostics().get("camera") == "assumed")


def test_an_unknown_distortion_model_is_named(harness):
    with harness() as h:
        h.activate()
        h.wait(lambda: h.infos.get_subscription_count() > 0)
        lens = {"distortion_model": "fish", "d": [0.1] * 5}
        trouble_then_life(h, "camera_info_unusable", lambda: h.send_camera_info(**lens))


def test_images_wait_without_camera_info_when_nothing_may_be_assumed(harness):
    with harness({"assume_camera": False}) as h:
        h.activate()
        h.wait(lambda: h.infos.get_subscription_count() > 0)

        def counted():
            h.send_image()
            time.sleep(0.02)
            return h.node._reporter.counters.get("images_without_camera_info", 0) > 2

        h.wait(counted)
        assert not h.pipeline.stamps
        h.send_camera_info()
        assert h.track(1).humans


def test_nan_in_the_imu_is_told_once(harness):
    with harness() as h:
        h.activate()
        h.wait(lambda: h.imu.get_subscription_count() > 0)
        told = h.log_lines()

        def counted():
            h.send_imu(h.next_stamp(), rate=(float("nan"), 0.0, float("inf")))
            h.track(1)
            return h.pipeline.counters["inertial.imu_invalid"] > 3

        h.wait(counted)
        h.wait_for_count("inertial.imu_invalid", 3)
        h.wait(lambda: any("imu_invalid" in text for text in told))
        h.track(2)
        assert len([text for text in told if "imu_invalid" in text]) == 1
        assert "topic imu" in " ".join(told)


def test_an_imu_without_transform_is_reported_and_not_used(harness):
    with harness({"imu.extrinsics": "tf"}) as h:
        h.activate()
        h.wait(lambda: h.imu.get_subscription_count() > 0)

        def trouble():
            h.send_imu(h.next_stamp(), frame="nowhere")
            h.send_image()

        trouble_then_life(h, "imu_transform_missing", trouble)
        assert not h.pipeline.samples


def test_wrong_frames_are_named(harness):
    with harness() as h:
        h.activate()
        h.wait(lambda: h.infos.get_subscription_count() > 0)
        h.send_camera_info(frame="other_camera")
        h.wait(lambda: h.node._inputs.camera.frame == "other_camera")
        trouble_then_life(h, "camera_info_frame_differs", h.send_image)
        trouble_then_life(h, "image_frame_missing", lambda: h.send_image(frame=""))
        trouble_then_life(h, "image_frame_changes", lambda: h.send_image(frame="another"))


def test_a_missing_camera_transform_is_named(harness):
    parameters = {"camera_pose.source": "tf", "camera_pose.wait": 0.0}
    with harness(parameters) as h:
        h.activate()
        trouble_then_life(h, "camera_transform_missing", h.send_image)
        assert not h.pipeline.poses


def test_a_failure_inside_costs_one_image(harness):
    with harness() as h:
        h.activate()
        h.track(1)

        def fail():
            h.pipeline.fail_with = RuntimeError("broken inside")
            h.send_image()

        trouble_then_life(h, "images_failed", fail)


def test_twenty_people_and_nobody(harness):
    names = [f"aaaa{chr(97 + i)}" for i in range(20)]
    with harness(pipeline=FakePipeline(names)) as h:
        h.activate()
        assert len(h.track(2).humans) == 20
        black = np.zeros((48, 64, 3), np.uint8)
        lost = h.track(1, picture=black).humans
        assert [human.tracking_state for human in lost] == [lost[0].LOST] * 20
        assert h.track(1, picture=black).humans == []


def test_a_compressed_image_that_is_cut_off_is_left_out(harness):
    import cv2

    with harness({"compressed": True}, outputs={}) as h:
        publisher = h.peer.create_publisher(CompressedImage, "image/compressed", player_qos())
        h.start()
        h.wait(lambda: publisher.get_subscription_count() > 0)
        data = cv2.imencode(".jpg", np.full((48, 64, 3), 128, np.uint8))[1].tobytes()

        def send(content):
            header = Header(stamp=stamp_from_seconds(h.next_stamp()), frame_id="cam")
            publisher.publish(
                CompressedImage(header=header, format="jpeg", data=array.array("B", content))
            )
            time.sleep(0.03)

        def cut():
            send(data[: len(data) // 2])
            return h.node._reporter.counters.get("images_undecodable", 0) > 0

        def whole():
            send(data)
            return h.pipeline.shapes == [(64, 48)] or len(h.pipeline.shapes) > 1

        h.wait(cut)
        h.wait(whole)


def test_odometry_gives_camera_poses_and_its_frame(harness):
    from nav_msgs.msg import Odometry

    with harness({"camera_pose.source": "odom"}) as h:
        odometry = h.peer.create_publisher(Odometry, "odom", 10)
        h.activate()
        h.wait(lambda: odometry.get_subscription_count() > 0)

        def given():
            message = Odometry(
                header=Header(stamp=stamp_from_seconds(h.next_stamp()), frame_id="odom"),
                child_frame_id="cam",
            )
            message.pose.pose.position.x = 2.0
            message.pose.pose.orientation.w = 1.0
            odometry.publish(message)
            h.track(1)
            return h.pipeline.poses

        h.wait(given)
        _, rotation, position = h.pipeline.poses[-1]
        np.testing.assert_allclose(rotation, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(position, (2, 0, 0))
        message = Odometry(header=Header(frame_id="odom"), child_frame_id="cam")
        message.pose.pose.orientation.w = 0.0
        trouble_then_life(h, "odom_invalid", lambda: (odometry.publish(message), h.send_image()))


@pytest.mark.parametrize(
    ("parameter", "name"),
    [("weights_path", "weights.safetensors"), ("body_path", "body.npz")],
)
def test_a_corrupt_file_keeps_the_node_unconfigured_and_is_named(
    rclpy_session, tmp_path, parameter, name
):
    from humor_ros.ros.tracker_node import TrackerNode

    path = tmp_path / name
    path.write_bytes(b"this is not a model" * 10)
    node = TrackerNode(parameter_overrides=[Parameter(parameter, value=str(path))])
    try:
        assert not node.start()
        assert name in node._failure
        assert node._pipeline is None
    finally:
        node.close()
        node.destroy_node()


def test_a_person_with_nan_is_left_out_and_the_others_stay(harness):
    from dataclasses import replace

    with harness(pipeline=FakePipeline(("aaaaa", "bbbbb"))) as h:
        h.activate()
        lift = h.pipeline.lift

        def poison(observation):
            result = lift(observation)
            broken = replace(result.humans[0], joints_world=np.full((24, 3), np.nan))
            return replace(result, humans=(broken, *result.humans[1:]))

        h.pipeline.lift = poison
        assert [human.id for human in h.track(1).humans] == ["bbbbb"]
        h.wait_for_count("people_not_finite")


def test_images_of_another_clock_are_reported(harness):
    with harness() as h:
        h.activate()
        h._stamp_s -= 3600.0
        trouble_then_life(h, "images_odd_age", h.send_image)
