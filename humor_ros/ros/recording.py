"""What a recorded run holds: people image by image, when they were heard of, and diagnostics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import CameraInfo

from humor_ros.geometry import PinholeCamera
from humor_ros.io.camera_info import camera_from_message
from humor_ros.msg import HumanStates
from humor_ros.ros.conversion import human_from_message
from humor_ros.ros.rotation_door import matrix_from_quaternion_xyzw
from humor_ros.ros.time_conversion import seconds_from_stamp
from humor_ros.types import Array, HumanState, TrackingState

__all__ = ["RecordedFrame", "Recording", "RunNumbers"]


@dataclass(frozen=True)
class RecordedFrame:
    """One ``HumanStates`` message.

    Attributes:
        stamp_s: of the image, seconds.
        received_s: when the recorder got it, seconds.
        humans: people alive in it.
        rotation_world_camera: (3, 3).
        position_world_camera: (3,) metres.
        gravity_known: whether the camera's tilt was measured.
        camera_motion: source of the camera's motion.
    """

    stamp_s: float
    received_s: float
    humans: tuple[HumanState, ...]
    rotation_world_camera: Array
    position_world_camera: Array
    gravity_known: bool
    camera_motion: str


@dataclass(frozen=True)
class RunNumbers:
    """The table of a run.

    Attributes:
        processed: images that gave human states.
        with_people: of these, images with at least one measured person.
        people: different people measured in at least every fiftieth image (and twice).
        most_at_once: most people in one image.
        rate_hz: processed images a second.
        latency_p50_s, latency_p99_s: image stamp to the receipt in another process.
    """

    processed: int
    with_people: int
    people: int
    most_at_once: int
    rate_hz: float
    latency_p50_s: float
    latency_p99_s: float


@dataclass
class Recording:
    """A bag read back.

    Attributes:
        frames: in order of their stamps.
        camera: newest calibration; None without ``camera_info``.
        diagnostics: values of the last message of the tracker.
        counts: messages by topic.
    """

    frames: list[RecordedFrame] = field(default_factory=list)
    camera: PinholeCamera | None = None
    diagnostics: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Recording:
        """Read a bag of the recorder.

        Raises:
            FileNotFoundError: if there is no bag.
        """
        if not path.exists():
            raise FileNotFoundError(f"there is no recording {path}; did the recorder start?")
        recording = cls()
        for connection, received_ns, data in _messages(path):
            topic = connection.topic
            recording.counts[topic] = recording.counts.get(topic, 0) + 1
            if connection.msgtype == "humor_ros/msg/HumanStates":
                recording.frames.append(_frame(deserialize_message(data, HumanStates), received_ns))
            elif connection.msgtype == "sensor_msgs/msg/CameraInfo":
                recording.camera = camera_from_message(deserialize_message(data, CameraInfo))
            elif connection.msgtype == "diagnostic_msgs/msg/DiagnosticArray":
                status = deserialize_message(data, DiagnosticArray).status[0]
                values = {item.key: item.value for item in status.values}
                if values.get("active") == "true":
                    recording.diagnostics = values
        recording.frames = [frame for frame in recording.frames if frame.stamp_s > 0.0]
        recording.frames.sort(key=lambda frame: frame.stamp_s)
        return recording

    def numbers(self) -> RunNumbers:
        """Count and time."""
        seen: dict[str, int] = {}
        with_people = 0
        for frame in self.frames:
            measured = [h for h in frame.humans if h.tracking_state is TrackingState.TRACKED]
            with_people += bool(measured)
            for human in measured:
                seen[human.person_id] = seen.get(human.person_id, 0) + 1
        latencies = [frame.received_s - frame.stamp_s for frame in self.frames]
        p50, p99 = np.percentile(latencies, (50, 99)) if latencies else (np.nan, np.nan)
        span_s = self.frames[-1].stamp_s - self.frames[0].stamp_s if len(self.frames) > 1 else 0.0
        return RunNumbers(
            processed=len(self.frames),
            with_people=with_people,
            people=sum(count >= max(2, 0.02 * len(self.frames)) for count in seen.values()),
            most_at_once=max((len(frame.humans) for frame in self.frames), default=0),
            rate_hz=(len(self.frames) - 1) / span_s if span_s > 0 else 0.0,
            latency_p50_s=float(p50),
            latency_p99_s=float(p99),
        )


def _messages(path: Path) -> Iterator[tuple[Connection, int, bytes]]:
    with Reader(path) as reader:
        yield from reader.messages()


def _frame(message: Any, received_ns: int) -> RecordedFrame:
    stamp_s = seconds_from_stamp(message.header.stamp)
    pose = message.camera_world.pose
    turn, place = pose.orientation, pose.position
    humans = (human_from_message(human, stamp_s) for human in message.humans)
    return RecordedFrame(
        stamp_s=stamp_s,
        received_s=received_ns * 1e-9,
        humans=tuple(h for h in humans if h.tracking_state is not TrackingState.LOST),
        rotation_world_camera=matrix_from_quaternion_xyzw((turn.x, turn.y, turn.z, turn.w)),
        position_world_camera=np.array((place.x, place.y, place.z)),
        gravity_known=message.gravity_known,
        camera_motion=message.camera_motion,
    )
