"""What ``/diagnostics`` says once a second: is it fast, is it fed, and what went wrong."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

__all__ = ["FrameTimes", "Snapshot", "diagnostic_array"]


class FrameTimes:
    """Rate and latency of the images of the last seconds, filled by the worker.

    Args:
        horizon_s: how far back statistics look, seconds.
    """

    def __init__(self, horizon_s: float = 5.0) -> None:
        self._horizon_s = horizon_s
        self._lock = threading.Lock()
        self._frames: deque[tuple[float, float, float]] = deque()
        self.processed = 0

    def add(self, now_s: float, latency_s: float, busy_s: float) -> None:
        """Note one processed image.

        Args:
            now_s: a monotonic clock, seconds.
            latency_s: from the image's stamp to its result.
            busy_s: how long the worker was at it.
        """
        with self._lock:
            self.processed += 1
            self._frames.append((now_s, latency_s, busy_s))
            self._expire(now_s)

    def summary(self, now_s: float) -> dict[str, float]:
        """``rate_hz``, ``latency_p50_s``, ``latency_p99_s`` and ``busy_p50_s``; NaN when idle."""
        with self._lock:
            self._expire(now_s)
            frames = np.array(self._frames).reshape(-1, 3)
        if len(frames) < 2:
            names = ("latency_p50_s", "latency_p99_s", "busy_p50_s")
            return {"rate_hz": 0.0, **dict.fromkeys(names, math.nan)}
        # The horizon shrinks to what was seen of it, so that the first seconds count fully.
        span = max(frames[-1, 0] - frames[0, 0], 1e-6)
        stale = now_s - frames[-1, 0] > 2.0 * span / (len(frames) - 1) + 1.0
        p50, p99 = np.percentile(frames[:, 1], (50, 99))
        return {
            "rate_hz": 0.0 if stale else (len(frames) - 1) / span,
            "latency_p50_s": float(p50),
            "latency_p99_s": float(p99),
            "busy_p50_s": float(np.median(frames[:, 2])),
        }

    def _expire(self, now_s: float) -> None:
        while self._frames and self._frames[0][0] < now_s - self._horizon_s:
            self._frames.popleft()


@dataclass(frozen=True)
class Snapshot:
    """State of the node at one moment.

    Attributes:
        active: whether the node processes images.
        frames: as of :meth:`FrameTimes.summary`.
        image_age_s: since the newest image arrived; infinite before the first.
        camera: what is known of the camera.
        camera_mode: source of the camera's motion in the last image; "" before it.
        people: people in the last image.
        imu_age_s: of the newest IMU sample at the last image; infinite without one.
        imu_expected: whether the IMU is asked for.
        pose_age_s: of the newest camera pose; infinite without one.
        pose_expected: whether camera poses are asked for.
        totals: processed, received, dropped ... since the start.
        troubles: counters that ought to be zero.
        facts: devices, files and libraries.
    """

    active: bool
    frames: Mapping[str, float]
    image_age_s: float
    camera: str
    camera_mode: str
    people: int
    imu_age_s: float
    imu_expected: bool
    pose_age_s: float
    pose_expected: bool
    totals: Mapping[str, int]
    troubles: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


def diagnostic_array(
    name: str,
    stamp: Time,
    now: Snapshot,
    new_troubles: int,
    further: Sequence[DiagnosticStatus] = (),
) -> DiagnosticArray:
    """The message of this second.

    Args:
        name: of the node, with its namespace.
        stamp: now.
        now: state of the node.
        new_troubles: troubles counted since the last message.
        further: statuses of parts, after that of the node.
    """
    level, summary = _judge(now, new_troubles)
    values = {
        "active": str(now.active).lower(),
        **{key: f"{value:.4g}" for key, value in now.frames.items()},
        "image_age_s": f"{now.image_age_s:.4g}",
        "camera": now.camera,
        "camera_motion": now.camera_mode or "unknown",
        "people": str(now.people),
    }
    if now.imu_expected:
        values["imu_age_s"] = f"{now.imu_age_s:.4g}"
    if now.pose_expected:
        values["camera_pose_age_s"] = f"{now.pose_age_s:.4g}"
    values |= {key: str(value) for key, value in now.totals.items()}
    values |= {key: str(value) for key, value in sorted(now.troubles.items())}
    values |= now.facts
    status = DiagnosticStatus(
        level=level,
        name=f"{name}: human tracking",
        message=summary,
        hardware_id=name,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    return DiagnosticArray(header=Header(stamp=stamp), status=[status, *further])


def _judge(now: Snapshot, new_troubles: int) -> tuple[bytes, str]:
    """Level and a sentence: the worst thing first."""
    if not now.active:
        if "failure" in now.facts:
            return DiagnosticStatus.ERROR, f"cannot be configured: {now.facts['failure']}"
        return DiagnosticStatus.WARN, "not active: configure and activate the node"
    if math.isinf(now.image_age_s):
        return DiagnosticStatus.WARN, "no image yet on topic image"
    if now.image_age_s > 2.0:
        return DiagnosticStatus.ERROR, f"no image for {now.image_age_s:.1f} s on topic image"
    if now.camera.startswith("waiting"):
        return DiagnosticStatus.WARN, "waiting for a usable camera_info"
    if new_troubles:
        return DiagnosticStatus.WARN, f"{new_troubles} inputs with trouble in the last second"
    if now.facts.get("imu_faults", "none") != "none":
        return DiagnosticStatus.WARN, f"fault of the IMU: {now.facts['imu_faults']}"
    if now.camera == "assumed":
        return DiagnosticStatus.WARN, "camera not calibrated: focal length assumed"
    if now.imu_expected and now.camera_mode == "static":
        return DiagnosticStatus.OK, "tracking; no IMU in use, camera taken for static"
    return DiagnosticStatus.OK, "tracking"
