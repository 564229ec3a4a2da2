"""ROS 2 bags written with rosbags and read back."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from humor_ros.io import BagError, BagTopics
from humor_ros.io.bag import BagReader

STORAGES = ["mcap", "sqlite3"]


@pytest.fixture
def small_bag(make_bag, grey):
    """A second of camera at 10 Hz with calibration, and IMU at 50 Hz, from t = 100 s."""

    def make(storage="mcap", **changes):
        bag = make_bag(storage)
        for index in range(50):
            bag.add_imu(100 + index / 50, [0.1, 0.2, index], [0, 0, 9.8], **changes)
        for index in range(10):
            bag.add_camera_info(100 + index / 10, 70.0)
            bag.add_image(100 + index / 10, grey(20 * index))
        return bag

    return make


@pytest.mark.parametrize("storage", STORAGES)
def test_images_come_with_the_stamp_of_their_header(small_bag, storage):
    reader = BagReader(small_bag(storage).close())
    images = list(reader.images())
    assert reader.image_count == 10
    assert [image.index for image in images] == list(range(10))
    np.testing.assert_allclose([image.stamp_s for image in images], 100 + np.arange(10) / 10)
    assert [int(image.image[0, 0, 0]) for image in images] == [20 * k for k in range(10)]
    assert images[0].frame_id == "camera_optical"


@pytest.mark.parametrize("storage", STORAGES)
def test_a_file_of_a_bag_is_read_without_its_folder(small_bag, storage):
    folder = small_bag(storage).close()
    file = next(path for path in folder.iterdir() if path.suffix in (".mcap", ".db3"))
    alone = file.rename(folder.parent / file.name)
    assert len(list(BagReader(alone).images())) == 10


@pytest.mark.parametrize("storage", STORAGES)
def test_imu_samples_come_with_rate_and_force(small_bag, storage):
    samples = [sample for _, sample in BagReader(small_bag(storage).close()).imu()]
    assert len(samples) == 50
    np.testing.assert_allclose(samples[3].angular_velocity, [0.1, 0.2, 3])
    np.testing.assert_allclose(samples[3].linear_acceleration, [0, 0, 9.8])
    assert samples[3].stamp_s == pytest.approx(100.06)


def test_acceleration_marked_absent_is_none(small_bag):
    samples = BagReader(small_bag(no_force=True).close()).imu()
    assert next(samples)[1].linear_acceleration is None


def test_a_calibration_comes_once_until_it_changes(make_bag, grey):
    bag = make_bag()
    for index, focal in enumerate([70.0, 70.0, 70.0, 90.0, 90.0]):
        bag.add_image(1 + index, grey(0))
        bag.add_camera_info(1 + index, focal)
    cameras = list(BagReader(bag.close()).cameras())
    assert [(stamp, camera.fx) for stamp, camera in cameras] == [(1.0, 70.0), (4.0, 90.0)]


def test_a_calibration_of_zeros_is_left_out_and_counted(make_bag, grey, caplog):
    bag = make_bag()
    bag.add_image(1.0, grey(0))
    bag.add_camera_info(1.0, 0.0)
    reader = BagReader(bag.close())
    assert list(reader.cameras()) == []
    assert reader.counters["camera_info_invalid"] == 1
    assert "/camera/camera_info" in caplog.text


def test_compressed_images_are_read(make_bag, grey):
    bag = make_bag()
    bag.add_compressed(1.0, grey(80))
    images = list(BagReader(bag.close()).images())
    assert int(images[0].image.mean()) == 80


def test_images_that_cannot_be_decoded_are_counted_and_said_once(make_bag, grey, caplog):
    bag = make_bag()
    bag.add_image(1.0, grey(10))
    for index in range(3):
        bag.add_image(1.1 + index / 10, grey(20), encoding="strange8")
    bag.add_image(1.5, grey(30), data=np.zeros(5, np.uint8))
    bag.add_image(1.6, grey(40))
    reader = BagReader(bag.close())
    with caplog.at_level(logging.WARNING):
        images = list(reader.images())
    assert [image.index for image in images] == [0, 5]
    assert reader.counters["images_undecodable"] == 4
    assert caplog.text.count("strange8") == 1


def test_messages_that_cannot_be_read_are_counted(make_bag, grey):
    bag = make_bag()
    bag.add_image(1.0, grey(10))
    bag.add_bytes("/camera/image_raw", "sensor_msgs/msg/Image", b"\x00\x01\x00\x00\x05", 1.1)
    bag.add_image(1.2, grey(10))
    reader = BagReader(bag.close())
    assert [image.index for image in reader.images()] == [0, 2]
    assert reader.counters["messages_broken"] == 1


def test_headers_without_a_stamp_take_the_time_of_recording(make_bag, grey):
    bag = make_bag()
    bag.add_image(0.0, grey(10), recorded_s=12.5)
    reader = BagReader(bag.close())
    assert next(reader.images()).stamp_s == 12.5
    assert reader.counters["stamps_missing"] == 1


def test_mounting_of_the_imu_is_found_through_static_transforms(make_bag, grey):
    first = Rotation.from_rotvec([0.1, 1.0, -0.4])
    second = Rotation.from_rotvec([-1.0, 0.3, 0.2])
    bag = make_bag()
    bag.add_image(1.0, grey(0))
    bag.add_imu(1.0, [0, 0, 0], [0, 0, 9.8])
    bag.add_static_transform("base_link", "camera_optical", first.as_quat())
    bag.add_static_transform("base_link", "imu_link", second.as_quat())
    found = BagReader(bag.close()).rotation_camera_imu()
    np.testing.assert_allclose(found, (first.inv() * second).as_matrix(), atol=1e-12)


def test_mounting_is_unknown_without_a_connection(small_bag):
    assert BagReader(small_bag().close()).rotation_camera_imu() is None


def test_depth_is_no_picture_and_raw_comes_before_its_compressed_copy(make_bag, grey):
    bag = make_bag()
    bag.add_image(1.0, grey(0), topic="/camera/depth/image_rect_raw")
    bag.add_compressed(1.0, grey(0), topic="/camera/color/image_raw/compressed")
    bag.add_image(1.0, grey(0), topic="/camera/color/image_raw")
    bag.add_camera_info(1.0, 50.0, topic="/camera/depth/camera_info")
    bag.add_camera_info(1.0, 70.0, topic="/camera/color/camera_info")
    topics = BagReader(bag.close()).topics
    assert topics.image == "/camera/color/image_raw"
    assert topics.camera_info == "/camera/color/camera_info"
    assert topics.imu is None


def test_a_topic_named_is_taken(make_bag, grey):
    bag = make_bag()
    bag.add_image(1.0, grey(10), topic="/left/image_raw")
    bag.add_image(1.0, grey(20), topic="/right/image_raw")
    reader = BagReader(bag.close(), BagTopics(image="right/image_raw"))
    assert reader.topics.image == "/right/image_raw"


def test_an_empty_name_leaves_the_imu_out(small_bag):
    assert BagReader(small_bag().close(), BagTopics(imu="")).topics.imu is None


def test_several_image_topics_are_listed(make_bag, grey):
    bag = make_bag()
    bag.add_image(1.0, grey(0), topic="/left/image_raw")
    bag.add_image(1.0, grey(0), topic="/right/image_raw")
    with pytest.raises(BagError, match=r"several image topics.*/left/image_raw, /right/image_raw"):
        BagReader(bag.close())


def test_several_imus_are_listed(make_bag, grey):
    bag = make_bag()
    bag.add_image(1.0, grey(0))
    bag.add_imu(1.0, [0, 0, 0], [0, 0, 9], topic="/imu_a")
    bag.add_imu(1.0, [0, 0, 0], [0, 0, 9], topic="/imu_b")
    with pytest.raises(BagError, match=r"several imu topics.*/imu_a, /imu_b"):
        BagReader(bag.close())


def test_a_bag_without_images_lists_its_topics(make_bag):
    bag = make_bag()
    bag.add_imu(1.0, [0, 0, 0], [0, 0, 9])
    with pytest.raises(BagError, match=r"no image topic; topics: /imu/data \(sensor_msgs"):
        BagReader(bag.close())


def test_a_topic_that_is_not_there_lists_those_that_are(small_bag):
    with pytest.raises(BagError, match=r"image topic /nothing; topics: .*/camera/image_raw"):
        BagReader(small_bag().close(), BagTopics(image="/nothing"))


def test_a_topic_of_the_wrong_type_is_said(small_bag):
    with pytest.raises(BagError, match="/imu/data is of type sensor_msgs/msg/Imu, not"):
        BagReader(small_bag().close(), BagTopics(image="/imu/data"))


def test_an_empty_bag_is_said(make_bag):
    with pytest.raises(BagError, match="no image topic; topics: none"):
        BagReader(make_bag().close())


def test_a_bag_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        BagReader(tmp_path / "nowhere")


def test_a_folder_that_is_no_bag_is_named(tmp_path):
    with pytest.raises(BagError, match="is not a ROS 2 bag"):
        BagReader(tmp_path)


@pytest.mark.parametrize("name", ["junk.mcap", "junk.db3"])
def test_a_file_that_is_no_bag_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"junk" * 500)
    with pytest.raises(BagError, match=name):
        BagReader(path)


def test_a_ros_1_bag_is_told_how_to_become_one(tmp_path):
    path = tmp_path / "old.bag"
    path.write_bytes(b"#ROSBAG V2.0\n")
    with pytest.raises(BagError, match="rosbags-convert"):
        BagReader(path)
