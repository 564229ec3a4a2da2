"""The picture of a recorded run: the tracker beside the smoother, and a forecast."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from humor_ros.io.video import VideoReader
from humor_ros.ros.demo_forecast import forecast_picture
from humor_ros.ros.player_source import resized
from humor_ros.ros.recording import RecordedFrame, Recording
from humor_ros.types import Image
from humor_ros.viewer import CameraPose, pick_moments, render_summary
from humor_ros.viewer.canvas import text
from humor_ros.viewer.palette import INK, PAPER

__all__ = ["demo_picture", "recording_picture"]

_log = logging.getLogger(__name__)

_HALF_WIDTH = 1200
_GAP_PX = 8
_TITLE_PX = 44
_FORECAST_HEIGHT = 520


def demo_picture(recording: Recording, video: Path, start_stamp_s: float) -> Image:
    """Draw the tracker's motion, the smoothed one beside it, and a forecast below.

    Arguments and errors as of :func:`recording_picture`; without a smoother in the recording it
    is the tracker's summary alone.
    """
    if not any(frame.humans for frame in recording.smoothed):
        return recording_picture(recording, video, start_stamp_s)
    both = {frame.stamp_s for frame in recording.smoothed}
    frames = [frame for frame in recording.frames if frame.stamp_s in both]
    known = {frame.stamp_s for frame in frames}
    halves = []
    numbers = recording.numbers(smoothed=True)
    for title, part in (
        ("tracker, live", frames),
        (
            f"smoothed by HuMoR, {numbers.latency_p50_s:.1f} s later",
            [frame for frame in recording.smoothed if frame.stamp_s in known],
        ),
    ):
        half = recording_picture(
            replace(recording, frames=part), video, start_stamp_s, moments=3, width=_HALF_WIDTH
        )
        bar = np.full((_TITLE_PX, _HALF_WIDTH, 3), PAPER, np.uint8)
        text(bar, title, 10, _TITLE_PX - 14, INK, 0.9)
        halves.append(np.concatenate((bar, half)))
    height = max(len(half) for half in halves)
    halves = [_padded(half, height) for half in halves]
    gap = np.full((height, _GAP_PX, 3), INK, np.uint8)
    picture = np.concatenate((halves[0], gap, halves[1]), axis=1)
    ahead = forecast_picture(recording, picture.shape[1], _FORECAST_HEIGHT)
    return picture if ahead is None else np.concatenate((picture, ahead))


def _padded(image: Image, height: int) -> Image:
    below = np.full((height - len(image), image.shape[1], 3), PAPER, np.uint8)
    return np.concatenate((image, below))


def recording_picture(
    recording: Recording,
    video: Path,
    start_stamp_s: float,
    *,
    moments: int = 4,
    width: int = 1600,
) -> Image:
    """Draw the summary of a run.

    Args:
        recording: of the run; with a camera and at least one image.
        video: that was played.
        start_stamp_s: ROS time of the video's first frame, seconds.
        moments: overlays in the strip.
        width: of the picture, pixels.

    Returns:
        (H, W, 3) BGR.

    Raises:
        ValueError: if the recording holds no image of the video.
    """
    if recording.camera is None or not recording.frames:
        raise ValueError("the recording holds no camera_info or no human states to draw")
    camera = recording.camera
    frames = recording.frames
    chosen = [frames[i] for i in pick_moments([len(frame.humans) for frame in frames], moments)]
    shown = list(_with_images(chosen, video, start_stamp_s, (camera.width, camera.height)))
    poses = [
        CameraPose(frame.rotation_world_camera, frame.position_world_camera) for frame, _ in shown
    ]
    return render_summary(
        [(image, frame.humans) for frame, image in shown],
        camera,
        history=[frame.humans for frame in frames],
        poses=poses,
        captions=[f"{frame.stamp_s - start_stamp_s:.1f} s" for frame, _ in shown],
        level_assumed=not any(frame.gravity_known for frame in frames),
        width=width,
    )


def _with_images(
    chosen: list[RecordedFrame], video: Path, start_stamp_s: float, size: tuple[int, int]
) -> Iterator[tuple[RecordedFrame, Image]]:
    """Each chosen moment with its frame of the video; in order of time."""
    waiting = list(chosen)
    with VideoReader(video) as reader:
        slack_s = 0.5 / reader.fps
        for frame in reader:
            if not waiting:
                return
            if frame.stamp_s >= waiting[0].stamp_s - start_stamp_s - slack_s:
                yield waiting.pop(0), resized(frame, size).image
    if waiting:
        _log.warning("%d moments lie behind the end of %s", len(waiting), video)
