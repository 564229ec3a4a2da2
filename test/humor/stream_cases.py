"""People of ``track_cases`` as the tracker sends them: image by image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from track_cases import CAMERA, CENTRE, FOCAL

from humor_ros.geometry import PinholeCamera
from humor_ros.humor.seen import SeenImage
from humor_ros.types import HumanState, TrackingState

INTRINSICS = PinholeCamera(
    1280, 720, np.array([[FOCAL, 0.0, 640.0], [0.0, FOCAL, 360.0], [0.0, 0.0, 1.0]])
)


def human_of(rows: dict[str, NDArray[Any]], index: int) -> HumanState:
    """One row as the tracker's state."""
    values = {
        key: np.array(rows[key][index], np.float64)
        for key in (
            *("betas", "root_orientation_camera", "root_position_camera", "joints_camera"),
            *("root_orientation_world", "root_position_world", "joints_world", "contacts"),
            *("joint_confidence", "coco17_camera", "contact_positions_world", "box_xyxy"),
            *("keypoints_image", "root_linear_velocity_world"),
        )
    }
    return HumanState(
        person_id=str(rows["person_id"][index]),
        stamp_s=float(rows["stamp_s"][index]),
        tracking_state=TrackingState(int(rows["tracking_state"][index])),
        age_s=1.0,
        unseen_s=0.0,
        body_pose=Rotation.from_rotvec(rows["body_pose"][index]).as_matrix(),
        root_covariance_camera=np.eye(6) * 0.01,
        root_covariance_world=np.eye(6) * 0.01,
        root_angular_velocity_world=np.zeros(3),
        **values,
    )


def image_of(
    stamp_s: float, *humans: HumanState, world: str = "world", source: Any = None
) -> SeenImage:
    """An image with these people."""
    return SeenImage(stamp_s, humans, CAMERA, CENTRE, INTRINSICS, world, source)


def stream_of(*people: dict[str, NDArray[Any]], start_s: float = 100.0) -> list[SeenImage]:
    """Images of people who are all there at all stamps."""
    return [
        image_of(start_s + float(people[0]["stamp_s"][i]), *(human_of(rows, i) for rows in people))
        for i in range(len(people[0]["stamp_s"]))
    ]
