"""The demo's processes: player, tracker, smoother and recorder over DDS, until the video ends."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humor_ros.io.video import VideoReader
from humor_ros.ros.processes import (
    ProcessGroup,
    node_command,
    package_config,
    remove_stale_shared_memory,
    transport_environment,
)
from humor_ros.ros.smoother_status import STATUS_NAME
from humor_ros.ros.tracker_watch import TrackerFailed, wait_until_active

__all__ = ["DemoFailed", "DemoSettings", "play_demo"]

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
_START_TIMEOUT_S = 300.0
#: Where the processors are too few for all processes, smoothing ends some time after the video:
#: the longest lag that the smoother knows, and how long it has from the last image on, seconds.
_PATIENT_LAG_S = 30.0
_SMOOTHED_BY_S = 16.0


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
        seconds: of playing, the video again and again; 0 plays it once.
    """

    video: Path
    output: Path
    params: Path | None = None
    camera_info: Path | None = None
    weights: Path | None = None
    body: Path | None = None
    rate: float = 1.0
    smoother: bool = True
    seconds: float = 0.0

    @property
    def bag(self) -> Path:
        """The recording."""
        return self.output / "recording"


def play_demo(
    settings: DemoSettings, watch: Callable[[dict[str, int]], None] | None = None
) -> dict[str, Any]:
    """Play, track, smooth and record.

    Args:
        settings: what and where.
        watch: called about ten times a second while the video plays, with the processes' ids by
            name.

    Returns:
        The player's report.

    Raises:
        FileNotFoundError, ValueError: the video is missing or unreadable.
        DemoFailed: a process failed.
    """
    height = _played_height(settings.video)
    settings.output.mkdir(parents=True, exist_ok=True)
    report = settings.output / "player.json"
    report.unlink(missing_ok=True)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(random.SystemRandom().randint(1, 100)))
    environment = transport_environment()
    os.environ.update(environment)
    remove_stale_shared_memory()
    try:
        _play(settings, height, environment, report, watch or (lambda _: None))
    finally:
        remove_stale_shared_memory()
    played: dict[str, Any] = json.loads(report.read_text())
    return played


def _played_height(video: Path) -> int:
    with VideoReader(video) as reader:
        return min(_MAX_HEIGHT, reader.height)


def _play(
    settings: DemoSettings,
    height: int,
    environment: dict[str, str],
    report: Path,
    watch: Callable[[dict[str, int]], None],
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
        "loop": settings.seconds > 0.0,
        "max_duration": settings.seconds,
        **_paths(camera_info=settings.camera_info),
    }
    recorder = {
        "output": str(settings.bag),
        "overwrite": True,
        "topics": list(_TOPICS + _SMOOTHER_TOPICS),
    }
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
            smoother: dict[str, object] = {"autostart": True, **_paths(body_path=settings.body)}
            if not settings.seconds:  # without end nobody is ever told late
                smoother["max_lag"] = _PATIENT_LAG_S
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
            watch(group.process_ids)
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
