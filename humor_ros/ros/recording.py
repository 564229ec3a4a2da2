"""What a recorded run holds: people image by image, when they were heard of, and diagnostics."""

from __future__ import annotations

import math
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
from humor_ros.msg import BodyContacts, HumanForecasts, HumanStates
from humor_ros.ros.conversion import human_from_message
from humor_ros.ros.rotation_door import matrix_from_quaternion_xyzw
from humor_ros.ros.smoother_status import STATUS_NAME
from humor_ros.ros.time_conversion import seconds_from_stamp
from humor_ros.types import Array, HumanState, TrackingState

#: Where the smoother publishes people; the tracker's messages are of the same type.
_SMOOTHED_TOPIC = "/smoother/humans"

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
        world_frame: name of the world; empty where the publisher emptied its outputs.
    """

    stamp_s: float
    received_s: float
    humans: tuple[HumanState, ...]
    rotation_world_camera: Array
    position_world_camera: Array
    gravity_known: bool
    camera_motion: str
    world_frame: str


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
        frames: of the tracker, in order of their stamps.
        smoothed: of the smoother, likewise.
        smoothed_share: share of its people that are refined; NaN without a smoother.
        refined_images: images in which somebody is refined.
        lag_p50_s: how much later than an image the newest one is that its refined people know of.
        forecasts: of the smoother, in order of their receipt.
        forecast_rate_hz: forecasts of somebody, a second, from the first to the last.
        camera: newest calibration; None without ``camera_info``.
        diagnostics: newest values of the tracker while it was active, NaN left out.
        smoother_diagnostics: the same of the smoother.
        counts: messages by topic.
    """

    frames: list[RecordedFrame] = field(default_factory=list)
    smoothed: list[RecordedFrame] = field(default_factory=list)
    smoothed_share: float = math.nan
    refined_images: int = 0
    lag_p50_s: float = math.nan
    forecasts: list[HumanForecasts] = field(default_factory=list)
    forecast_rate_hz: float = 0.0
    camera: PinholeCamera | None = None
    diagnostics: dict[str, str] = field(default_factory=dict)
    smoother_diagnostics: dict[str, str] = field(default_factory=dict)
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
        contacts: list[BodyContacts] = []
        foreseen_s: list[float] = []
        for connection, received_ns, data in _messages(path):
            topic = connection.topic
            recording.counts[topic] = recording.counts.get(topic, 0) + 1
            if connection.msgtype == "humor_ros/msg/HumanStates":
                frame = _frame(deserialize_message(data, HumanStates), received_ns)
                ours = topic.endswith(_SMOOTHED_TOPIC)
                (recording.smoothed if ours else recording.frames).append(frame)
            elif connection.msgtype == "humor_ros/msg/BodyContacts":
                contacts.append(deserialize_message(data, BodyContacts))
            elif connection.msgtype == "humor_ros/msg/HumanForecasts":
                recording.forecasts.append(deserialize_message(data, HumanForecasts))
                if recording.forecasts[-1].forecasts:
                    foreseen_s.append(received_ns * 1e-9)
            elif connection.msgtype == "sensor_msgs/msg/CameraInfo":
                recording.camera = camera_from_message(deserialize_message(data, CameraInfo))
            elif connection.msgtype == "diagnostic_msgs/msg/DiagnosticArray":
                status = deserialize_message(data, DiagnosticArray).status[0]
                values = {item.key: item.value for item in status.values}
                if values.get("active") == "true":
                    known = {key: value for key, value in values.items() if value != "nan"}
                    if status.name.endswith(STATUS_NAME):
                        recording.smoother_diagnostics |= known
                    else:
                        recording.diagnostics |= known
        recording.frames = _in_order(recording.frames)
        recording.smoothed = _in_order(recording.smoothed)
        refined = [told for told in contacts if told.smoothed]
        if contacts:
            recording.smoothed_share = len(refined) / len(contacts)
        if refined:
            stamps = {seconds_from_stamp(told.header.stamp) for told in refined}
            recording.refined_images = len(stamps)
            recording.lag_p50_s = float(np.median([told.lag for told in refined]))
        if len(foreseen_s) > 1:
            recording.forecast_rate_hz = (len(foreseen_s) - 1) / (foreseen_s[-1] - foreseen_s[0])
        return recording

    def numbers(self, *, smoothed: bool = False) -> RunNumbers:
        """Count and time the tracker's images, or the smoother's."""
        frames = self.smoothed if smoothed else self.frames
        seen: dict[str, int] = {}
        with_people = 0
        for frame in frames:
            measured = [h for h in frame.humans if h.tracking_state is TrackingState.TRACKED]
            with_people += bool(measured)
            for human in measured:
                seen[human.person_id] = seen.get(human.person_id, 0) + 1
        latencies = [frame.received_s - frame.stamp_s for frame in frames]
        p50, p99 = np.percentile(latencies, (50, 99)) if latencies else (np.nan, np.nan)
        span_s = frames[-1].stamp_s - frames[0].stamp_s if len(frames) > 1 else 0.0
        return RunNumbers(
            processed=len(frames),
            with_people=with_people,
            people=sum(count >= max(2, 0.02 * len(frames)) for count in seen.values()),
            most_at_once=max((len(frame.humans) for frame in frames), default=0),
            rate_hz=(len(frames) - 1) / span_s if span_s > 0 else 0.0,
            latency_p50_s=float(p50),
            latency_p99_s=float(p99),
        )


def _in_order(frames: list[RecordedFrame]) -> list[RecordedFrame]:
    """By stamp, without those of emptied outputs."""
    kept = [frame for frame in frames if frame.stamp_s > 0.0 and frame.world_frame]
    return sorted(kept, key=lambda frame: frame.stamp_s)


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
        world_frame=message.world_frame,
    )
