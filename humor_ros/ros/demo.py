"""The demo: player, tracker, smoother and recorder as processes over DDS, a table, a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from humor_ros.ros.demo_picture import demo_picture
from humor_ros.ros.demo_processes import DemoFailed, DemoSettings, play_demo
from humor_ros.ros.recording import Recording, RunNumbers

__all__ = ["DemoFailed", "DemoResult", "DemoSettings", "run_demo"]


@dataclass(frozen=True)
class DemoResult:
    """What came of it.

    Attributes:
        numbers: of the tracker, from the recording.
        smoothed: of the smoother; None without.
        smoothed_share: share of its people that are refined.
        forecast_rate_hz: forecasts a second, while there were any.
        smoother_facts: its last diagnostics.
        published: images that the player sent.
        left_out: images that the player was too late for.
        dropped: images sent that gave no result.
        size: width and height of the images, pixels.
        camera_motion: source of the camera's motion.
        picture: path of the PNG.
        bag: path of the recording.
    """

    numbers: RunNumbers
    smoothed: RunNumbers | None
    smoothed_share: float
    forecast_rate_hz: float
    smoother_facts: dict[str, str]
    published: int
    left_out: int
    dropped: int
    size: tuple[int, int]
    camera_motion: str
    picture: Path | None
    bag: Path

    @property
    def tracked(self) -> bool:
        """Whether people were tracked: in at least every tenth image."""
        return self.numbers.with_people > 0.1 * max(1, self.numbers.processed)


def run_demo(settings: DemoSettings) -> DemoResult:
    """Play, track, record, and draw.

    Raises:
        FileNotFoundError, ValueError: the video is missing or unreadable.
        DemoFailed: a process failed.
    """
    played = play_demo(settings)
    return _result(settings, Recording.read(settings.bag), played)


def _result(settings: DemoSettings, recording: Recording, played: dict[str, Any]) -> DemoResult:
    numbers = recording.numbers()
    picture: Path | None = None
    if numbers.processed:
        picture = settings.output / "demo.png"
        drawn = demo_picture(recording, settings.video, played["start_stamp_s"])
        if not cv2.imwrite(str(picture), drawn):
            raise DemoFailed(f"cannot write {picture}; is the disk full?")
    return DemoResult(
        numbers=numbers,
        smoothed=recording.numbers(smoothed=True) if settings.smoother else None,
        smoothed_share=recording.smoothed_share,
        forecast_rate_hz=recording.forecast_rate_hz,
        smoother_facts=recording.smoother_diagnostics,
        published=played["images"],
        left_out=played["images_left_out"],
        dropped=max(0, played["images"] - numbers.processed),
        size=(played["width"], played["height"]),
        camera_motion=recording.frames[-1].camera_motion if recording.frames else "none",
        picture=picture,
        bag=settings.bag,
    )
