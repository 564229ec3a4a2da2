"""The demo: player, tracker, smoother and recorder as processes over DDS, a table, a picture."""

from __future__ import annotations

import json
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from humor_ros.io.video import VideoReader
from humor_ros.ros.demo_picture import demo_picture
from humor_ros.ros.processes import (
    ProcessGroup,
    node_command,
    package_config,
    remove_stale_shared_memory,
    transport_environment,
)
from humor_ros.ros.recording import Recording, RunNumbers
from humor_ros.ros.smoother_status import STATUS_NAME
from humor_ros.ros.tracker_watch import TrackerFailed, wait_until_active

__all__ = ["DemoFailed", "DemoResult", "DemoSettings", "run_demo"]

_TOPICS = (
    *("/tracker/humans", "/tracker/contacts", "/tracker/joint_states", "/tracker/markers"),
    *("/tf", "/tf_static", "/camera_info", "/diagnostics"),
)
_SMOOTHER_TOPICS = (
    *("/smoother/humans", "/smoother/contacts", "/smoother/ground", "/smoother/markers"),
    *("/smoother/forecasts", "/smoother/forecast_markers"),
)
#: The largest height that is played; larger videos are made smaller.
_MAX_HEIGHT = 720
_START_TIMEOUT_S = 120.0
_SMOOTHED_BY_S = 8.0


class DemoFailed(RuntimeError):
    """The demo could not run to its end; the message says why and names the log."""


@dataclass(frozen=True)
class DemoSettings:
    """What to play and where to write.

    Attributes:
        video: to play.
        output: folder for the bag, the picture and the logs; made when absent.
        params: YAML of the tracker's parameters; None for the packaged one.
        camera_info: calibration of the video; None assumes one.
        weights: WHAM weights; None for the packaged ones.
        body: body file; None for the packaged one.
        rate: speed of playing.
        smoother: whether the smoother runs beside the tracker.
    """

    video: Path
    output: Path
    params: Path | None = None
    camera_info: Path | None = None
    weights: Path | None = None
    body: Path | None = None
    rate: float = 1.0
    smoother: bool = True


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
    height = _played_height(settings.video)
    settings.output.mkdir(parents=True, exist_ok=True)
    bag, report = settings.output / "recording", settings.output / "player.json"
    report.unlink(missing_ok=True)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(random.SystemRandom().randint(1, 100)))
    environment = transport_environment()
    os.environ.update(environment)
    remove_stale_shared_memory()
    try:
        _play(settings, height, environment, bag, report)
    finally:
        remove_stale_shared_memory()
    played = json.loads(report.read_text())
    recording = Recording.read(bag)
    return _result(settings, recording, played, bag)


def _played_height(video: Path) -> int:
    with VideoReader(video) as reader:
        return min(_MAX_HEIGHT, reader.height)


def _play(
    settings: DemoSettings, height: int, environment: dict[str, str], bag: Path, report: Path
) -> None:
    """Run the processes until the player ends."""
    names = ("tracker", "smoother", "recorder", "player")
    logs = {name: settings.output / f"{name}.log" for name in names}
    tracker: dict[str, object] = {"autostart": True}
    tracker |= _paths(weights_path=settings.weights, body_path=settings.body)
    if settings.params is None:
        tracker["camera_fixed"] = True  # the player's IMU says so too
    player = {
        "path": str(settings.video),
        "height": height,
        "rate": settings.rate,
        "wait_for_subscribers": 1,
        "start_delay": 1.5,
        "report_path": str(report),
        **_paths(camera_info=settings.camera_info),
    }
    recorder = {"output": str(bag), "overwrite": True, "topics": list(_TOPICS + _SMOOTHER_TOPICS)}
    with ProcessGroup(environment) as group:
        group.start(
            "tracker",
            node_command(
                "tracker_node",
                tracker,
                params_file=settings.params or package_config("tracking.yaml"),
            ),
            logs["tracker"],
        )
        group.start("recorder", node_command("recorder_node", recorder), logs["recorder"])
        if settings.smoother:
            smoother = {"autostart": True, **_paths(body_path=settings.body)}
            group.start(
                "smoother",
                node_command(
                    "smoother_node", smoother, params_file=package_config("smoother.yaml")
                ),
                logs["smoother"],
            )
        _await(group, "tracker", "human tracking", logs["tracker"])
        if settings.smoother:
            _await(group, "smoother", STATUS_NAME, logs["smoother"])
        playing = group.start("player", node_command("player_node", player), logs["player"])
        while playing.poll() is None:
            _raise_for_ended(group, logs, but="player")
            time.sleep(0.1)
        # The last images are still being tracked, and smoothed once nothing follows.
        time.sleep(_SMOOTHED_BY_S if settings.smoother else 1.0)
        _raise_for_ended(group, logs, but="player")
        if playing.returncode != 0 or not report.exists():
            raise DemoFailed(f"the player failed: {_last_line(logs['player'])}")
        group.stop()


def _await(group: ProcessGroup, name: str, status: str, log: Path) -> None:
    try:
        wait_until_active(
            _START_TIMEOUT_S, lambda: name not in group.ended(), node_name=name, status=status
        )
    except TrackerFailed as error:
        raise DemoFailed(f"{error} ({log})") from error


def _paths(**paths: Path | None) -> dict[str, str]:
    return {name: str(path) for name, path in paths.items() if path is not None}


def _raise_for_ended(group: ProcessGroup, logs: dict[str, Path], but: str) -> None:
    for name, code in group.ended().items():
        if name != but:
            raise DemoFailed(f"the {name} ended with code {code}: {_last_line(logs[name])}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"{lines[-1] if lines else 'it said nothing'} ({log})"


def _result(
    settings: DemoSettings, recording: Recording, played: dict[str, Any], bag: Path
) -> DemoResult:
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
        bag=bag,
    )
