"""From the node's parameters to the settings of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from humor_ros.detection import DetectorConfig, PeopleTrackerConfig
from humor_ros.features.online import FeatureConfig
from humor_ros.inertial import InertialConfig
from humor_ros.inertial.background_tracker import BackgroundConfig
from humor_ros.inertial.imu_watch import ImuWatchConfig
from humor_ros.pipeline import PipelineConfig
from humor_ros.ros.rotation_door import matrix_from_quaternion_xyzw
from humor_ros.types import Array
from humor_ros.wham.stream import StreamConfig

__all__ = ["configured_extrinsics", "existing_path", "pipeline_config"]

#: Noise of the IMU: parameters below ``imu.`` and fields of InertialConfig of the same name.
_NOISE = (
    "gyroscope_noise_density",
    "gyroscope_random_walk",
    "gyroscope_bias_stability",
    "accelerometer_noise_density",
    "accelerometer_random_walk",
    "accelerometer_bias_stability",
)


def configured_extrinsics(values: Mapping[str, Any]) -> Array | None:
    """The rotation camera<-imu as far as parameters know it.

    Args:
        values: the tracker's parameters by name.

    Returns:
        (3, 3) IMU axes to optical camera axes; None when TF has to tell.

    Raises:
        ValueError: if the quaternion parameter is no rotation.
    """
    source = values["imu.extrinsics"]
    if source == "identity":
        return np.eye(3)
    if source == "parameter":
        try:
            return matrix_from_quaternion_xyzw(values["imu.rotation_camera_imu"])
        except ValueError as error:
            raise ValueError(f"parameter imu.rotation_camera_imu: {error}") from error
    return None


def pipeline_config(values: Mapping[str, Any]) -> PipelineConfig:
    """Settings of the pipeline from the tracker's parameters.

    Args:
        values: the tracker's parameters by name.

    Raises:
        ValueError: naming the parameter that is out of range.
        FileNotFoundError: naming the parameter whose file is missing.
    """
    return PipelineConfig(
        detector=DetectorConfig(
            kind=values["detector.kind"],
            movenet_model=values["detector.movenet_model"],
            full_frame_size=values["detector.full_frame_size"],
            pose_path=existing_path(values, "detector.pose_path"),
            person_path=existing_path(values, "detector.person_path"),
            threads=values["threads"],
        ),
        people=PeopleTrackerConfig(
            max_people=values["max_people"],
            reid_window_s=values["reid_window"],
            detect_every_frames=values["detect_every_frames"],
        ),
        inertial=InertialConfig(
            rotation_camera_imu=configured_extrinsics(values),
            imu_time_offset_s=values["imu.time_offset"],
            gyroscope_bias=tuple(values["imu.gyroscope_bias"]),
            mounting_std=values["imu.mounting_std"],
            time_offset_std_s=values["imu.time_offset_std"],
            self_calibration=values["imu.self_calibration"],
            magnetic_heading_std=values["imu.magnetic_heading_std"],
            max_correction_rate=values["imu.max_correction_rate"],
            max_pose_speed=values["camera_pose.max_speed"],
            max_pose_rate=values["camera_pose.max_rate"],
            **{name: values[f"imu.{name}"] for name in _NOISE},
        ),
        background=BackgroundConfig(
            enabled=values["background.enabled"],
            interval_s=values["background.interval"],
            points=values["background.points"],
            width=values["background.width"],
            budget=values["background.budget"],
        ),
        imu_watch=ImuWatchConfig(
            enabled=values["imu.fault_detection"],
            gyroscope_range=values["imu.gyroscope_range"],
            accelerometer_range=values["imu.accelerometer_range"],
        ),
        stream=StreamConfig(
            world_mode=values["world_mode"],
            camera_fixed=values["camera_fixed"],
            common_ground=values["camera_pose.common_ground"],
            flip_averaging=values["flip_averaging"],
            missing_feature=values["features.missing"],
        ),
        features=_features(values),
        weights=existing_path(values, "weights_path"),
        body=existing_path(values, "body_path"),
    )


def _features(values: Mapping[str, Any]) -> FeatureConfig | None:
    encoder = existing_path(values, "features.encoder_path")
    sizes = existing_path(values, "features.sizes_path")
    if encoder is None:
        return None
    return FeatureConfig(
        encoder=encoder,
        sizes=sizes,
        every=values["features.every"],
        budget=values["features.budget"],
        max_people=values["features.max_people"],
        max_age_s=values["features.max_age"],
        dtype=values["features.dtype"],
        device=values["features.device"],
        niceness=values["features.niceness"],
    )


def existing_path(values: Mapping[str, Any], name: str, *, folders: bool = True) -> Path | None:
    """The path that a parameter names; None where it is empty.

    Args:
        values: parameters by name.
        name: of the parameter.
        folders: whether a folder will do.

    Raises:
        FileNotFoundError: nothing of that kind is there.
    """
    if not values[name]:
        return None
    path = Path(values[name]).expanduser()
    if not (path.exists() if folders else path.is_file()):
        raise FileNotFoundError(
            f"parameter {name}: there is no file {path}; correct the path, or leave the parameter "
            "empty for the packaged default"
        )
    return path
