"""TF frames of the people: ``<id>/pelvis`` and the 23 joints below it, and ``body_<id>``.

``<id>/<joint>`` has SMPL's axes (x left, y up along the spine, z out of the belly in the
T-pose) and hangs on ``<id>/<its SMPL parent>``; ``<id>/pelvis`` hangs on the world or on the
camera. ``body_<id>`` is REP-155's: in the middle of the hips, x forward, z up.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from humor_ros.body.skeleton import SMPL_JOINT_NAMES, SMPL_PARENTS
from humor_ros.ros.derived_human import ROTATION_ROOT_BODY, DerivedHuman
from humor_ros.ros.rotation_door import quaternion_xyzw_from_matrix
from humor_ros.types import Array, CameraMotion

__all__ = ["body_transform", "joint_frame_names", "person_transforms", "world_transform"]

# Copied, because SciPy before 1.12 refuses arrays that are read-only.
_QUATERNION_ROOT_BODY = Rotation.from_matrix(ROTATION_ROOT_BODY.copy())


@lru_cache(maxsize=256)
def joint_frame_names(person_id: str) -> tuple[str, ...]:
    """Names of a person's 24 joint frames, SMPL order."""
    return tuple(f"{person_id}/{name}" for name in SMPL_JOINT_NAMES)


@lru_cache(maxsize=256)
def _joint_headers_frames(person_id: str) -> tuple[str, ...]:
    names = joint_frame_names(person_id)
    return tuple(names[parent] for parent in SMPL_PARENTS[1:])


def person_transforms(
    human: DerivedHuman, parent: Header, *, in_world: bool
) -> list[TransformStamped]:
    """The 24 frames of one person.

    Args:
        human: the person.
        parent: stamp of the image and frame that the root hangs on.
        in_world: whether ``parent`` is the world frame, else it is the camera frame.
    """
    state = human.state
    names = joint_frame_names(state.person_id)
    position = state.root_position_world if in_world else state.root_position_camera
    root_quaternion = (
        human.root_world_quaternion_xyzw if in_world else human.joint_quaternions_xyzw[0]
    )
    transforms = [_stamped(parent, names[0], position.tolist(), root_quaternion.tolist())]
    parents = _joint_headers_frames(state.person_id)
    offsets = human.bone_offsets[1:].tolist()
    turns = human.joint_quaternions_xyzw[1:].tolist()
    for name, above, offset, turn in zip(names[1:], parents, offsets, turns, strict=True):
        transforms.append(_stamped(Header(stamp=parent.stamp, frame_id=above), name, offset, turn))
    return transforms


def body_transform(human: DerivedHuman, parent: Header, *, in_world: bool) -> TransformStamped:
    """REP-155's ``body_<id>``: same arguments as :func:`person_transforms`."""
    state = human.state
    if in_world:
        root, pelvis = state.root_orientation_world, state.root_position_world
        turn = Rotation.from_quat(human.root_world_quaternion_xyzw)
    else:
        root, pelvis = state.root_orientation_camera, state.root_position_camera
        turn = Rotation.from_quat(human.joint_quaternions_xyzw[0])
    origin = pelvis + root @ human.body_origin_root
    quaternion = (turn * _QUATERNION_ROOT_BODY).as_quat()
    return _stamped(parent, f"body_{state.person_id}", origin.tolist(), quaternion.tolist())


def world_transform(camera: CameraMotion, camera_header: Header, world: str) -> TransformStamped:
    """The world as a child of the camera, so that the camera keeps the parent it has.

    Args:
        camera: pose of the camera in the world.
        camera_header: stamp of the image and the camera's optical frame.
        world: name of the world frame.
    """
    rotation: Array = np.asarray(camera.rotation_world_camera).T
    position = -rotation @ np.asarray(camera.position_world_camera)
    quaternion = quaternion_xyzw_from_matrix(rotation)
    return _stamped(camera_header, world, position.tolist(), quaternion.tolist())


def _stamped(
    header: Header, child: str, position: list[float], quaternion_xyzw: list[float]
) -> TransformStamped:
    x, y, z = position
    qx, qy, qz, qw = quaternion_xyzw
    return TransformStamped(
        header=header,
        child_frame_id=child,
        transform=Transform(
            translation=Vector3(x=x, y=y, z=z), rotation=Quaternion(x=qx, y=qy, z=qz, w=qw)
        ),
    )
