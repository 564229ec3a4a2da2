"""The table of the player's parameters."""

from __future__ import annotations

from humor_ros.ros.parameter_spec import ParameterSpec

__all__ = ["PLAYER_PARAMETERS"]

_P = ParameterSpec

#: Every parameter of the node ``player``.
PLAYER_PARAMETERS: tuple[ParameterSpec, ...] = (
    _P("path", "", "Video file to play"),
    _P("rate", 1.0, "Speed of playing; 1 is the video's own", minimum=0.01, maximum=100.0),
    _P("loop", False, "Start again at the end, with stamps that go on"),
    _P("width", 0, "Published width; 0 keeps it", unit="pixels", minimum=0, maximum=16384),
    _P("height", 0, "Published height; 0 keeps it", unit="pixels", minimum=0, maximum=16384),
    _P(
        "camera_info",
        "",
        "ROS camera_info YAML; empty publishes the assumption f = sqrt(width^2 + height^2)",
    ),
    _P("camera_frame", "camera_optical_frame", "frame_id of images and camera_info"),
    _P("imu_frame", "camera_imu_frame", "frame_id of the IMU"),
    _P("imu_csv", "", "CSV of measured samples; empty simulates an IMU on a static camera"),
    _P(
        "imu_rate", 200.0, "Rate of the simulation; 0: none", unit="Hz", minimum=0.0, maximum=2000.0
    ),
    _P(
        "imu_rotation_camera_imu",
        [0.5, -0.5, 0.5, 0.5],
        "Quaternion x, y, z, w: IMU axes to optical axes, published on /tf_static; the default is "
        "an IMU with x forward, y left, z up",
        length=4,
    ),
    _P(
        "camera_pitch_down",
        0.0,
        "How far the simulated camera looks below the horizon",
        unit="rad",
        minimum=-1.6,
        maximum=1.6,
    ),
    _P(
        "wait_for_subscribers",
        0,
        "Start when so many subscribe to image",
        minimum=0,
        maximum=100,
    ),
    _P(
        "wait_timeout",
        120.0,
        "Longest wait for subscribers",
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    ),
    _P("start_delay", 0.5, "Pause before the first image", unit="s", minimum=0.0, maximum=60.0),
    _P("max_duration", 0.0, "Stop after this; 0: never", unit="s", minimum=0.0, maximum=1e6),
    _P("report_path", "", "JSON file about what was published, written at the end"),
)
