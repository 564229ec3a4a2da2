"""Latency of the tracker node, measured from outside over DDS.

    . scripts/env.sh
    python benchmarks/node_latency.py VIDEO [--minutes 10] [--size 1280x720]

VIDEO is brought to 1280x720 at 30 Hz (fitted, with black borders), played to and fro without
jumps, published by the player in one
process together with a 200 Hz IMU, tracked in a second process, and heard here in a third: the
latency of a message is the time of its arrival less the stamp of its image. Printed: percentiles,
dropped images, people, the tracker's resident memory along the run, and, as the reference of the
same run, the age of the raw images themselves when they arrive at a subscriber that does nothing.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import rclpy
import typer
from humor_ros.msg import HumanStates
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rich.console import Console
from rich.table import Table
from sensor_msgs.msg import Image

from humor_ros.ros.processes import ProcessGroup, node_command, transport_environment
from humor_ros.ros.qos import image_qos, output_qos

RATE_HZ = 30.0
#: Longer videos are cut, so that they fit into memory (2.8 MB an image).
MOST_IMAGES = 600
#: The first seconds (discovery, first use of everything) are left out of the percentiles.
WARM_UP_S = 5.0


def fitted_video(source: Path, size: tuple[int, int], folder: Path) -> Path:
    """Write VIDEO to and fro at 30 Hz, fitted into ``size`` (width, height), borders black."""
    capture = cv2.VideoCapture(str(source))
    if not capture.isOpened():
        raise typer.BadParameter(f"{source} cannot be read as a video")
    stride = max(1, round((capture.get(cv2.CAP_PROP_FPS) or RATE_HZ) / RATE_HZ))
    target = folder / "fitted.mp4"
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), RATE_HZ, size)
    images: list[NDArray[np.uint8]] = []
    index = 0
    while len(images) < MOST_IMAGES:
        found, image = capture.read()
        if not found:
            break
        if index % stride == 0:
            height, width = image.shape[:2]
            scale = min(size[0] / width, size[1] / height)
            small = cv2.resize(
                image, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_AREA
            )
            canvas = np.zeros((size[1], size[0], 3), np.uint8)
            top, left = (size[1] - small.shape[0]) // 2, (size[0] - small.shape[1]) // 2
            canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
            images.append(canvas)
        index += 1
    for image in images + images[-2:0:-1]:
        writer.write(image)
    writer.release()
    return target


def resident_mib(pid: int) -> float:
    """Resident memory of a process, MiB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def processor_s(pid: int) -> float:
    """Processor time that a process has used so far, seconds (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Listener(Node):
    """Notes when messages arrive, and how old their stamps are."""

    def __init__(self, with_reference: bool) -> None:
        super().__init__("latency_listener")
        self.humans: list[tuple[float, float, int]] = []
        self.images: list[float] = []
        self.create_subscription(HumanStates, "/tracker/humans", self._on_humans, output_qos())
        if with_reference:
            self.create_subscription(Image, "image", self._on_image, image_qos())

    def _age_s(self, header: Any) -> float:
        stamp = header.stamp.sec + header.stamp.nanosec * 1e-9
        return self.get_clock().now().nanoseconds * 1e-9 - stamp

    def _on_humans(self, message: HumanStates) -> None:
        self.humans.append((time.monotonic(), self._age_s(message.header), len(message.humans)))

    def _on_image(self, message: Image) -> None:
        self.images.append(self._age_s(message.header))


def main(
    video: Annotated[Path, typer.Argument(help="Video to play again and again.")],
    minutes: Annotated[float, typer.Option(min=0.1)] = 10.0,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the images.")] = "1280x720",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the tracker.")] = 1,
    max_people: Annotated[int, typer.Option(min=1, help="Most people followed.")] = 8,
    reference: Annotated[
        bool, typer.Option(help="Hear the raw images too (costs some time of its own).")
    ] = False,
) -> None:
    """Play, track and listen; print the table."""
    width, height = (int(part) for part in size.split("x"))
    console = Console(width=100)
    rclpy.init()
    node = Listener(reference)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spinner = threading.Thread(target=executor.spin, daemon=True)
    spinner.start()
    memory: list[float] = []
    busy: list[tuple[float, float]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessGroup(transport_environment()) as group,
    ):
        fitted = fitted_video(video, (width, height), Path(folder))
        tracker = group.start(
            "tracker",
            node_command(
                "tracker_node", {"autostart": True, "threads": threads, "max_people": max_people}
            ),
            Path(folder) / "tracker.log",
        )
        report = Path(folder) / "player.json"
        group.start(
            "player",
            node_command(
                "player_node",
                {
                    "path": str(fitted),
                    "loop": True,
                    "max_duration": minutes * 60.0,
                    "wait_for_subscribers": 2 if reference else 1,
                    "report_path": str(report),
                },
            ),
            Path(folder) / "player.log",
        )
        while "player" not in group.ended():
            time.sleep(1.0)
            if "tracker" in group.ended():
                console.print((Path(folder) / "tracker.log").read_text()[-4000:])
                raise typer.Exit(1)
            memory.append(resident_mib(tracker.pid))
            busy.append((time.monotonic(), processor_s(tracker.pid)))
        heard = list(node.humans)  # what the tracker says when it is ended comes after
        played = report.read_text() if report.is_file() else "{}"
    executor.shutdown()
    rclpy.try_shutdown()
    if not heard:
        console.print("no message came from the tracker")
        raise typer.Exit(1)
    _print(console, heard, node.images, memory, busy, minutes, played)


def _print(
    console: Console,
    heard: list[tuple[float, float, int]],
    images_s: list[float],
    memory: list[float],
    busy: list[tuple[float, float]],
    minutes: float,
    played: str,
) -> None:
    start_s = heard[0][0]
    steady = [item for item in heard if item[0] > start_s + WARM_UP_S]
    ages_ms = 1e3 * np.array([age for _, age, _ in steady])
    expected = RATE_HZ * (steady[-1][0] - steady[0][0]) + 1
    table = Table(title=f"image stamp to ~/humans, {minutes:g} minutes at {RATE_HZ:g} Hz")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, share in (("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("largest", 100)):
        table.add_row(f"latency {name}", f"{np.percentile(ages_ms, share):.1f} ms")
    table.add_row("messages", str(len(steady)))
    table.add_row("dropped", f"{100 * max(0.0, 1 - len(steady) / expected):.2f} %")
    table.add_row("people a message", f"{np.mean([people for _, _, people in steady]):.2f}")
    if images_s:
        images_ms = 1e3 * np.array(images_s)
        table.add_row(
            "raw image (reference) p50 / p99",
            f"{np.percentile(images_ms, 50):.1f} / {np.percentile(images_ms, 99):.1f} ms",
        )
    tenth = max(1, len(memory) // 10)
    table.add_row(
        "tracker's memory: 2nd tenth, middle, end",
        " / ".join(
            f"{np.mean(part):.0f}"
            for part in (memory[tenth : 2 * tenth], memory[4 * tenth : 6 * tenth], memory[-tenth:])
            if part
        )
        + " MiB",
    )
    (from_s, used_s), (to_s, end_s) = busy[len(busy) // 10], busy[-1]
    share = (end_s - used_s) / max(to_s - from_s, 1e-9)
    table.add_row("tracker's processor time", f"{100 * share:.0f} % of one core")
    console.print(table)
    console.print(f"player: {played.strip()}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
