"""Human states with consistent joints, made by forward kinematics of a stick body."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.types import (
    CameraMotion,
    CameraMotionMode,
    FrameResult,
    HumanState,
    TrackingState,
)

#: Joint in its parent, metres, SMPL axes (x left, y up, z forward), T-pose.
OFFSETS = np.array(
    [
        (0, 0, 0), (0.07, -0.09, 0), (-0.07, -0.09, 0), (0, 0.11, -0.02), (0.04, -0.38, 0.005),
        (-0.04, -0.38, 0.005), (0, 0.14, 0.03), (-0.01, -0.42, -0.04), (0.01, -0.42, -0.04),
        (0, 0.05, 0.0), (0.03, -0.06, 0.12), (-0.03, -0.06, 0.12), (0, 0.21, -0.04),
        (0.08, 0.12, -0.02), (-0.08, 0.12, -0.02), (0, 0.09, 0.05), (0.1, 0.03, -0.01),
        (-0.1, 0.03, -0.01), (0.26, -0.01, -0.02), (-0.26, -0.01, -0.02), (0.25, 0.01, 0),
        (-0.25, 0.01, 0), (0.08, -0.01, -0.01), (-0.08, -0.01, -0.01),
    ]
)  # fmt: skip
#: SMPL root axes in the optical frame for a person who stands upright and faces the camera.
FACING_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
#: Optical axes in a level, z-up world that looks along +x.
LEVEL_WORLD_CAMERA = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def forward_kinematics(root_orientation, root_position, body_pose):
    """(24, 3) joints of the stick body."""
    rotations = [root_orientation]
    joints = [root_position]
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        joints.append(joints[parent] + rotations[parent] @ OFFSETS[joint])
        rotations.append(rotations[parent] @ body_pose[joint - 1])
    return np.array(joints)


def make_human(
    person_id="abcde",
    stamp_s=0.0,
    *,
    seed=None,
    body_pose=None,
    position=(0.0, 0.0, 3.0),
    state=TrackingState.TRACKED,
):
    """A finite human state; ``seed`` gives random poses, None the T-pose."""
    random = np.random.default_rng(seed)
    if body_pose is None:
        body_pose = np.tile(np.eye(3), (23, 1, 1))
        if seed is not None:
            body_pose = Rotation.from_rotvec(random.normal(0, 0.4, (23, 3))).as_matrix()
    root = FACING_CAMERA
    if seed is not None:
        root = root @ Rotation.from_rotvec(random.normal(0, 0.4, 3)).as_matrix()
    position = np.array(position, dtype=float)
    joints = forward_kinematics(root, position, body_pose)
    covariance = np.diag([0.01, 0.01, 0.04, 0.02, 0.02, 0.02])
    keypoints = np.column_stack((joints[:17, :2] * 300 + (640, 360), np.full(17, 0.8)))
    world = LEVEL_WORLD_CAMERA
    return HumanState(
        person_id=person_id,
        stamp_s=stamp_s,
        tracking_state=state,
        age_s=1.5,
        unseen_s=0.25,
        betas=np.linspace(-1, 1, 10),
        body_pose=body_pose,
        root_orientation_camera=root,
        root_position_camera=joints[0],
        root_orientation_world=world @ root,
        root_position_world=world @ joints[0],
        root_covariance_camera=covariance,
        root_covariance_world=covariance * 2,
        root_linear_velocity_world=np.array([0.5, 0.25, 0.0]),
        root_angular_velocity_world=np.array([0.0, 0.0, 0.125]),
        joints_camera=joints,
        joints_world=joints @ world.T,
        joint_confidence=np.linspace(0.2, 1.0, 24),
        coco17_camera=joints[:17],
        contacts=np.array([0.9, 0.8, 0.1, 0.2]),
        contact_positions_world=joints[[10, 7, 11, 8]] @ world.T,
        keypoints_image=keypoints,
        box_xyxy=np.array([500.0, 100.0, 800.0, 700.0]),
    )


def static_motion(stamp_s=0.0, interval_s=0.0, mode=CameraMotionMode.STATIC):
    """A camera that stands level at the origin."""
    return CameraMotion(
        stamp_s=stamp_s,
        interval_s=interval_s,
        rotation_previous_current=np.eye(3),
        rotation_world_camera=LEVEL_WORLD_CAMERA,
        position_world_camera=np.zeros(3),
        position_known=False,
        gravity_known=mode is CameraMotionMode.IMU,
        mode=mode,
        rotation_covariance=np.eye(3) * 1e-3,
    )


def make_result(humans, stamp_s=0.0, **motion):
    """One frame's result."""
    return FrameResult(
        stamp_s=stamp_s, humans=tuple(humans), camera=static_motion(stamp_s, **motion)
    )
