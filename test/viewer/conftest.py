"""A standing person five metres in front of a level camera, and things to draw it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.types import HumanState, TrackingState

#: Camera axes in the world: it looks along world x.
ROTATION_WORLD_CAMERA = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])

#: SMPL's joints of somebody who stands with arms out, in a root frame of x left, y up, z front.
STANDING = np.array(
    [
        *[(0, 0, 0), (0.1, -0.08, 0), (-0.1, -0.08, 0), (0, 0.12, 0), (0.1, -0.47, 0)],
        *[(-0.1, -0.47, 0), (0, 0.25, 0), (0.1, -0.87, 0), (-0.1, -0.87, 0), (0, 0.31, 0)],
        *[(0.1, -0.92, 0.13), (-0.1, -0.92, 0.13), (0, 0.51, 0), (0.08, 0.42, 0)],
        *[(-0.08, 0.42, 0), (0, 0.6, 0), (0.19, 0.44, 0), (-0.19, 0.44, 0), (0.45, 0.44, 0)],
        *[(-0.45, 0.44, 0), (0.7, 0.44, 0), (-0.7, 0.44, 0), (0.78, 0.44, 0), (-0.78, 0.44, 0)],
    ]
)
FEET = np.array([(0.1, -0.95, 0.2), (0.1, -0.95, -0.05), (-0.1, -0.95, 0.2), (-0.1, -0.95, -0.05)])

PersonFactory = Callable[..., HumanState]


@pytest.fixture
def camera() -> PinholeCamera:
    return PinholeCamera(320, 240, np.array([[300.0, 0, 160], [0, 300.0, 120], [0, 0, 1]]))


@pytest.fixture
def make_person(camera: PinholeCamera) -> PersonFactory:
    def make(
        person_id: str = "abcde",
        position_world: tuple[float, float, float] = (5.0, 0.0, 0.0),
        **changes: object,
    ) -> HumanState:
        # The person faces the camera: the root's z is world -x, its y is world z.
        root_world = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        root_world[:, 0] = np.cross(root_world[:, 1], root_world[:, 2])
        position = np.array(position_world)
        joints_world = STANDING @ root_world.T + position
        joints_camera = joints_world @ ROTATION_WORLD_CAMERA
        with np.errstate(invalid="ignore"):
            pixels = camera.project(joints_camera)
        seen = np.nan_to_num(pixels)
        person = HumanState(
            person_id=person_id,
            stamp_s=0.0,
            tracking_state=TrackingState.TRACKED,
            age_s=1.0,
            unseen_s=0.0,
            betas=np.zeros(10),
            body_pose=np.tile(np.eye(3), (23, 1, 1)),
            root_orientation_camera=ROTATION_WORLD_CAMERA.T @ root_world,
            root_position_camera=joints_camera[0],
            root_orientation_world=root_world,
            root_position_world=position,
            root_covariance_camera=np.eye(6),
            root_covariance_world=np.eye(6),
            root_linear_velocity_world=np.zeros(3),
            root_angular_velocity_world=np.zeros(3),
            joints_camera=joints_camera,
            joints_world=joints_world,
            joint_confidence=np.ones(24),
            coco17_camera=joints_camera[:17],
            contacts=np.array([0.9, 0.9, 0.1, 0.1]),
            contact_positions_world=FEET @ root_world.T + position,
            keypoints_image=np.column_stack((seen[:17], np.full(17, 0.9))),
            box_xyxy=np.concatenate((seen.min(axis=0) - 8, seen.max(axis=0) + 8)),
        )
        return replace(person, **changes)

    return make
