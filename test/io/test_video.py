"""Frames and stamps of small videos written for the purpose."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from humor_ros.io import VideoError, VideoReader


def write(path, count=20, fps=25.0, size=(64, 48), codec="mp4v", grey=lambda i: 10 * i % 256):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, size)
    assert writer.isOpened()
    for index in range(count):
        writer.write(np.full((size[1], size[0], 3), grey(index), dtype=np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "mp4v")])
def test_all_frames_come_in_order(tmp_path, suffix, codec):
    with VideoReader(write(tmp_path / f"video.{suffix}", codec=codec)) as video:
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(20))
    assert video.frame_count == 20
    for frame in frames:
        assert frame.image.shape == (48, 64, 3)
        assert frame.image.mean() == pytest.approx(10 * frame.index, abs=6)
    assert video.counters == {"irregular_stamps": 0, "missing_frames": 0}


@pytest.mark.parametrize("fps", [12.5, 25.0, 29.97, 60.0])
def test_stamps_are_those_of_the_frame_rate(tmp_path, fps):
    with VideoReader(write(tmp_path / "video.mp4", fps=fps)) as video:
        stamps = [frame.stamp_s for frame in video]
    assert video.fps == pytest.approx(fps, rel=1e-3)
    np.testing.assert_allclose(stamps, np.arange(20) / fps, atol=2e-3)


def test_size_is_known_before_reading(tmp_path):
    with VideoReader(write(tmp_path / "video.mp4", size=(96, 64))) as video:
        assert (video.width, video.height) == (96, 64)


def test_a_reader_can_be_read_twice(tmp_path):
    with VideoReader(write(tmp_path / "video.mp4")) as video:
        first = [frame.image.mean() for frame in video]
        second = [frame.image.mean() for frame in video]
    assert first == second


def test_a_video_that_is_cut_off_gives_what_there_is(tmp_path, caplog):
    """Motion JPEG keeps its frames in order, so that the front of the file is enough."""
    whole = write(tmp_path / "whole.avi", count=100, codec="MJPG", size=(320, 240))
    part = tmp_path / "part.avi"
    data = whole.read_bytes()
    part.write_bytes(data[: len(data) // 2])
    with VideoReader(part) as video:
        frames = list(video)
    assert 10 < len(frames) < 100
    if video.frame_count is not None:
        assert video.counters["missing_frames"] == video.frame_count - len(frames)
    stamps = [frame.stamp_s for frame in frames]
    assert np.all(np.diff(stamps) > 0)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"video not found: .*nowhere\.mp4"):
        VideoReader(tmp_path / "nowhere.mp4")


@pytest.mark.parametrize("content", [b"", b"this is no video" * 100])
def test_a_file_that_is_no_video_is_named(tmp_path, content):
    path = tmp_path / "text.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"text\.mp4"):
        VideoReader(path)


def test_a_video_without_frames_is_named(tmp_path):
    path = write(tmp_path / "empty.avi", count=0, codec="MJPG")
    with pytest.raises(VideoError, match=r"empty\.avi"):
        VideoReader(path)


def test_an_mp4_cut_off_before_its_index_is_named(tmp_path):
    whole = write(tmp_path / "whole.mp4").read_bytes()
    path = tmp_path / "part.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VideoError, match=r"part\.mp4"):
        VideoReader(path)


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(VideoError, match="folder"):
        VideoReader(tmp_path)


def test_rotation_metadata_is_honoured(tmp_path):
    """A quarter turn written into the track header of an MP4, as phones do."""
    path = write(tmp_path / "video.mp4", size=(64, 48))
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd")
    assert at > 0
    matrix = at + 4 + 4 + 20 + 8 + 8  # version and flags, times and id, reserved, layer
    one = (1 << 16).to_bytes(4, "big")
    none, minus = bytes(4), ((1 << 32) - (1 << 16)).to_bytes(4, "big")
    last = (1 << 30).to_bytes(4, "big")
    quarter = [none, one, none, minus, none, none, none, none, last]
    data[matrix : matrix + 36] = b"".join(quarter)
    path.write_bytes(data)
    with VideoReader(path) as video:
        assert (video.width, video.height) == (48, 64)
        assert next(iter(video)).image.shape == (64, 48, 3)
