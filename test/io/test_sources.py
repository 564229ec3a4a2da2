"""The stream of events of a recording."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.inertial import simulate_imu, static_camera
from humor_ros.io import (
    BagTopics,
    CameraEvent,
    ImageEvent,
    ImuEvent,
    MountingEvent,
    open_source,
    write_camera_info,
    write_imu_csv,
)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (64, 48))
    for index in range(10):
        writer.write(np.full((48, 64, 3), 20 * index, dtype=np.uint8))
    writer.release()
    return path


@pytest.fixture
def imu_csv(tmp_path):
    path = tmp_path / "imu.csv"
    write_imu_csv(path, simulate_imu(static_camera(), -0.2, 0.6))
    return path


@pytest.fixture
def camera_yaml(tmp_path):
    path = tmp_path / "camera.yaml"
    write_camera_info(
        path, PinholeCamera(64, 48, np.array([[55.0, 0, 32], [0, 55, 24], [0, 0, 1]]))
    )
    return path


def kinds(events):
    return [type(event) for event in events]


def check_order(events, count):
    """Each image has all samples up to it, and one more, before it."""
    stamps = [e.sample.stamp_s for e in events if isinstance(e, ImuEvent)]
    images = [e for e in events if isinstance(e, ImageEvent)]
    assert len(images) == count
    for image in images:
        position = events.index(image)
        before = [e.sample.stamp_s for e in events[:position] if isinstance(e, ImuEvent)]
        needed = [stamp for stamp in stamps if stamp <= image.stamp_s]
        assert set(needed) <= set(before)
        if max(stamps) > image.stamp_s:
            assert max(before) > image.stamp_s


def test_a_video_alone_gives_images(video):
    with open_source(video) as source:
        events = list(source)
        assert source.image_count == 10
    assert kinds(events) == [ImageEvent] * 10
    assert [event.index for event in events] == list(range(10))


def test_a_video_with_files_gives_the_camera_first_and_samples_before_images(
    video, camera_yaml, imu_csv
):
    with open_source(video, camera_info=camera_yaml, imu_csv=imu_csv) as source:
        events = list(source)
    assert isinstance(events[0], CameraEvent)
    assert events[0].camera.fx == 55.0
    check_order(events, 10)
    partners = [e.sample.stamp_s for e in events if isinstance(e, ImuEvent)]
    assert partners == sorted(partners)
    assert len(partners) == 161


def test_only_one_sample_beyond_an_image_comes_before_it(video, imu_csv):
    with open_source(video, imu_csv=imu_csv) as source:
        events = list(source)
    first = kinds(events).index(ImageEvent)
    later = [e for e in events[:first] if e.sample.stamp_s > events[first].stamp_s]
    assert len(later) == 1


def test_rows_left_out_are_counted(video, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("stamp_s,wx,wy,wz,ax,ay,az\n0,0,0,0,0,0,9\n1,nan,0,0,0,0,9\n")
    with open_source(video, imu_csv=path) as source:
        list(source)
        assert source.counters["imu_rows_invalid"] == 1


@pytest.fixture
def bag(make_bag, grey):
    """Images recorded 50 ms after their stamp, IMU at once; the calibration comes late."""

    def make(storage="mcap"):
        maker = make_bag(storage)
        maker.add_static_transform("camera_optical", "imu_link", [0, 0, 0, 1], recorded_s=99.0)
        for index in range(100):
            maker.add_imu(100 + index / 100, [0, 0, 0], [0, -9.8, 0])
        for index in range(10):
            maker.add_image(100.05 + index / 12, grey(index), recorded_s=100.1 + index / 12)
        maker.add_camera_info(100.3, 70.0)
        return maker

    return make


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_gives_mounting_camera_samples_and_images_in_order(bag, storage):
    with open_source(bag(storage).close()) as source:
        events = list(source)
        assert source.image_count == 10
    assert kinds(events)[:2] == [MountingEvent, CameraEvent]
    np.testing.assert_allclose(events[0].rotation_camera_imu, np.eye(3))
    assert events[1].camera.fx == 70.0
    check_order(events, 10)
    assert kinds(events).count(ImuEvent) == 100


def test_files_take_the_place_of_what_the_bag_has(bag, camera_yaml, imu_csv):
    with open_source(bag().close(), camera_info=camera_yaml, imu_csv=imu_csv) as source:
        events = list(source)
    cameras = [event.camera.fx for event in events if isinstance(event, CameraEvent)]
    assert cameras == [55.0]
    assert kinds(events).count(ImuEvent) == 161
    assert MountingEvent not in kinds(events)


def test_a_stray_stamp_does_not_hold_the_samples_back(bag):
    maker = bag()
    maker.add_imu(1e6, [0, 0, 0], [0, -9.8, 0], recorded_s=100.02)
    with open_source(maker.close()) as source:
        events = list(source)
    fifth = [e for e in events if isinstance(e, ImageEvent)][5]
    before = [e for e in events[: events.index(fifth)] if isinstance(e, ImuEvent)]
    assert sum(e.sample.stamp_s <= fifth.stamp_s for e in before) >= 45


def test_a_bag_without_imu_gives_images(make_bag, grey):
    maker = make_bag()
    maker.add_image(1.0, grey(0))
    with open_source(maker.close()) as source:
        assert kinds(source) == [ImageEvent]


def test_topics_reach_the_bag(bag):
    with open_source(bag().close(), topics=BagTopics(imu="", camera_info="")) as source:
        assert set(kinds(source)) == {ImageEvent}


def test_topics_for_a_video_are_refused(video):
    with pytest.raises(ValueError, match="topics are for bags"):
        open_source(video, topics=BagTopics(image="/image"))


def test_files_that_are_not_there_are_named(tmp_path, video):
    with pytest.raises(FileNotFoundError, match=r"input not found: .*nowhere"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"cam\.yaml"):
        open_source(video, camera_info=tmp_path / "cam.yaml")
    with pytest.raises(FileNotFoundError, match=r"i\.csv"):
        open_source(video, imu_csv=tmp_path / "i.csv")
