"""Quality-of-service profiles of the topics, and why each is what it is."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

__all__ = [
    "camera_info_qos",
    "image_qos",
    "imu_qos",
    "latched_qos",
    "output_qos",
    "player_qos",
    "results_qos",
]

#: At least 200 samples, so that half a second of a 400 Hz IMU survives a busy executor.
IMU_DEPTH = 400


def _best_effort(depth: int) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.VOLATILE,
    )


def image_qos() -> QoSProfile:
    """Newest image only, lost images stay lost: matches best-effort and reliable cameras."""
    return _best_effort(1)


def player_qos() -> QoSProfile:
    """A published image: best effort as camera drivers, with room for one late reader."""
    return _best_effort(2)


def imu_qos() -> QoSProfile:
    """Deep best-effort queue: every sample counts, none is worth a re-transmission."""
    return _best_effort(IMU_DEPTH)


def camera_info_qos() -> QoSProfile:
    """Best effort and shallow: the message repeats with every image."""
    return _best_effort(5)


def output_qos(depth: int = 10) -> QoSProfile:
    """Reliable results: RViz and libhri subscribe reliably, best-effort readers match too."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.VOLATILE,
    )


def results_qos() -> QoSProfile:
    """The tracker's results: best effort, so that a slow reader never holds the tracker up."""
    return _best_effort(30)


def latched_qos() -> QoSProfile:
    """The last message waits for late subscribers (URDF, static transforms)."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
