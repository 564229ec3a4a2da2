"""Starts tracker, smoother and player where ``ros2 launch`` is absent (the wheels do not have it).

    python -m humor_ros.ros.runner --image /cam/image_raw --params my.yaml
    python -m humor_ros.ros.runner --play video.mp4 --smoother

Each node runs in a process of its own, images go through shared memory, and the tracker is
configured and activated by itself. Ctrl-C, once or twice, ends all.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

from humor_ros.ros.processes import (
    ProcessGroup,
    node_command,
    package_config,
    remove_stale_shared_memory,
    transport_environment,
)
from humor_ros.ros.shutdown import StopSignal

__all__ = ["main"]

_log = logging.getLogger(__name__)


def _arguments(args: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="humor-ros-run", description=__doc__.split("\n")[0])
    parser.add_argument("--play", type=Path, help="video file to play to the tracker")
    parser.add_argument("--params", type=Path, help="YAML of the tracker's parameters")
    parser.add_argument("--smoother", action="store_true", help="start the smoother, too")
    parser.add_argument("--smoother-params", type=Path, help="YAML of the smoother's parameters")
    parser.add_argument("--image", default="image", help="topic of the images")
    parser.add_argument("--camera-info", default="camera_info", help="topic of the calibration")
    parser.add_argument("--imu", default="imu", help="topic of the IMU")
    parser.add_argument("--odom", default="odom", help="topic of the odometry")
    parser.add_argument("--compressed", action="store_true", help="take <image>/compressed")
    parser.add_argument("--loop", action="store_true", help="play the video again and again")
    return parser.parse_args(args)


def main(args: list[str] | None = None) -> int:
    """Run until a node ends, or a signal comes.

    Returns:
        0 unless a node failed.
    """
    logging.basicConfig(level=logging.INFO, format="[runner] %(message)s")
    given = _arguments(args)
    parameters: dict[str, object] = {"autostart": True}
    if given.compressed:
        parameters["compressed"] = True
    topics = {
        "image": given.image,
        "image/compressed": f"{given.image}/compressed",
        "camera_info": given.camera_info,
        "imu": given.imu,
        "odom": given.odom,
    }
    with StopSignal() as stop, ProcessGroup(transport_environment()) as group:
        group.start(
            "tracker",
            node_command(
                "tracker_node",
                parameters,
                params_file=given.params or package_config("tracking.yaml"),
                remappings={name: topic for name, topic in topics.items() if name != topic},
            ),
        )
        if given.smoother:
            group.start(
                "smoother",
                node_command(
                    "smoother_node",
                    {"autostart": True},
                    params_file=given.smoother_params or package_config("smoother.yaml"),
                    remappings={"camera_info": given.camera_info},
                ),
            )
        if given.play is not None:
            group.start(
                "player",
                node_command(
                    "player_node",
                    {"path": str(given.play), "loop": given.loop, "wait_for_subscribers": 1},
                    remappings={
                        name: topics[name]
                        for name in ("image", "camera_info", "imu")
                        if topics[name] != name
                    },
                ),
            )
        while not stop.raised and not group.ended():
            time.sleep(0.1)
        ended = group.ended()
        group.stop()
    remove_stale_shared_memory()
    failed = {name: code for name, code in ended.items() if code}
    for name, code in failed.items():
        _log.error("%s ended with code %d", name, code)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
