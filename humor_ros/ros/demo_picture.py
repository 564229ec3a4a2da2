"""The picture of a recorded run: overlays on the video that was played, and the world."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from humor_ros.io.video import VideoReader
from humor_ros.ros.player_source import resized
from humor_ros.ros.recording import RecordedFrame, Recording
from humor_ros.types import Image
from humor_ros.viewer import CameraPose, pick_moments, render_summary

__all__ = ["recording_picture"]

_log = logging.getLogger(__name__)


def recording_picture(
    recording: Recording, video: Path, start_stamp_s: float, *, moments: int = 4
) -> Image:
    """Draw the summary of a run.

    Args:
        recording: of the run; with a camera and at least one image.
        video: that was played.
        start_stamp_s: ROS time of the video's first frame, seconds.
        moments: overlays in the strip.

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
