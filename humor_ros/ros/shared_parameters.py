"""Parameters that tracker and smoother both have, word for word."""

from __future__ import annotations

from humor_ros.ros.parameter_spec import ParameterSpec

__all__ = [
    "ASSUME_CAMERA",
    "AUTOSTART",
    "CAMERA_INFO_TIMEOUT",
    "CONTACT_THRESHOLD",
    "TF_ENABLED",
    "THREADS",
    "TRAJECTORY",
]

AUTOSTART = ParameterSpec(
    "autostart",
    False,
    "Configure and activate on start without a lifecycle manager (the launch file starts the node "
    "by events instead)",
)
THREADS = ParameterSpec(
    "threads", 1, "Processor threads of each inference library", minimum=1, maximum=64
)
ASSUME_CAMERA = ParameterSpec(
    "assume_camera",
    True,
    "Without a usable camera_info, assume f = sqrt(width^2 + height^2) and a centred principal "
    "point after camera_info_timeout; false waits for ever",
)
CAMERA_INFO_TIMEOUT = ParameterSpec(
    "camera_info_timeout",
    3.0,
    "How long what comes first waits for a camera_info with a non-zero K",
    unit="s",
    minimum=0.0,
    maximum=60.0,
)
TF_ENABLED = ParameterSpec(
    "tf.enabled", True, "Publish a TF frame for the root and the 23 joints of each person"
)
CONTACT_THRESHOLD = ParameterSpec(
    "contact_threshold",
    0.5,
    "Probability from which a contact point counts as resting",
    minimum=0.0,
    maximum=1.0,
    dynamic=True,
)
TRAJECTORY = ParameterSpec(
    "markers.trajectory",
    5.0,
    "Length of the path that markers show behind each person",
    unit="s",
    minimum=0.0,
    maximum=60.0,
    dynamic=True,
)
