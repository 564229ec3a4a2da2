"""Human states to messages and back.

The messages carry all of :class:`~humor_ros.types.HumanState` but the body model's own COCO
key-points, which follow from shape and pose.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from humor_ros.body.skeleton import FOOT_POINT_NAMES
from humor_ros.msg import FootContacts, HumanStates, KeyPoint2D
from humor_ros.msg import HumanState as HumanStateMessage
from humor_ros.ros.derived_human import DerivedHuman
from humor_ros.types import Array, CameraMotion, HumanState, TrackingState

__all__ = [
    "contacts_to_message",
    "frame_to_message",
    "human_from_message",
    "human_to_message",
    "points_from_array",
    "pose_from_array",
]


def points_from_array(points: Array) -> list[Point]:
    """Turn (N, 3) metres into a list of points."""
    return [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]


def quaternions_from_array(quaternions_xyzw: Array) -> list[Quaternion]:
    """Turn (N, 4) x, y, z, w into a list of quaternions."""
    return [Quaternion(x=x, y=y, z=z, w=w) for x, y, z, w in quaternions_xyzw.tolist()]


def pose_from_array(position: Array, quaternion_xyzw: Array) -> Pose:
    """Turn (3,) metres and (4,) x, y, z, w into a pose."""
    x, y, z = position.tolist()
    qx, qy, qz, qw = quaternion_xyzw.tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def contacts_to_message(state: HumanState, header: Header) -> FootContacts:
    """The feet of one person.

    Args:
        state: the human state.
        header: stamp of the image and name of the world frame.
    """
    return FootContacts(
        header=header,
        person_id=state.person_id,
        names=list(FOOT_POINT_NAMES),
        probabilities=np.asarray(state.contacts, dtype=np.float32).tolist(),
        positions=points_from_array(state.contact_positions_world),
    )


def human_to_message(
    human: DerivedHuman, world_header: Header, latency_s: float
) -> HumanStateMessage:
    """One person as a message.

    Args:
        human: the person.
        world_header: stamp of the image and name of the world frame.
        latency_s: time from the image's stamp to now, seconds.
    """
    state = human.state
    message = HumanStateMessage()
    message.id = state.person_id
    message.tracking_state = int(state.tracking_state)
    message.age = float(state.age_s)
    message.unseen_time = float(state.unseen_s)
    message.latency = float(latency_s)
    message.betas = np.asarray(state.betas, dtype=np.float32)
    message.joint_rotations = quaternions_from_array(human.joint_quaternions_xyzw)
    message.joints_camera = points_from_array(state.joints_camera)
    message.joints_world = points_from_array(state.joints_world)
    message.joint_confidence = np.asarray(state.joint_confidence, dtype=np.float32)
    message.root_camera.pose = pose_from_array(
        state.root_position_camera, human.joint_quaternions_xyzw[0]
    )
    message.root_camera.covariance = _covariance(state.root_covariance_camera)
    message.root_world.pose = pose_from_array(
        state.root_position_world, human.root_world_quaternion_xyzw
    )
    message.root_world.covariance = _covariance(state.root_covariance_world)
    message.root_twist_world.twist.linear = _vector(state.root_linear_velocity_world)
    message.root_twist_world.twist.angular = _vector(state.root_angular_velocity_world)
    message.keypoints = [
        KeyPoint2D(x=x, y=y, confidence=c) for x, y, c in state.keypoints_image.tolist()
    ]
    message.box_xyxy = np.asarray(state.box_xyxy, dtype=np.float32)
    message.contacts = contacts_to_message(state, world_header)
    return message


def human_from_message(message: HumanStateMessage, stamp_s: float) -> HumanState:
    """One person back from a message.

    Args:
        message: as :func:`human_to_message` makes it.
        stamp_s: of the header of ``HumanStates``, seconds.

    Returns:
        The state; ``coco17_camera`` is NaN because the message does not carry it.
    """
    rotations = _matrices([_xyzw(rotation) for rotation in message.joint_rotations])
    root_world = message.root_world.pose
    twist = message.root_twist_world.twist
    return HumanState(
        person_id=message.id,
        stamp_s=stamp_s,
        tracking_state=TrackingState(message.tracking_state),
        age_s=message.age,
        unseen_s=message.unseen_time,
        betas=np.array(message.betas, dtype=np.float64),
        body_pose=rotations[1:],
        root_orientation_camera=rotations[0],
        root_position_camera=_xyz(message.root_camera.pose.position),
        root_orientation_world=_matrices([_xyzw(root_world.orientation)])[0],
        root_position_world=_xyz(root_world.position),
        root_covariance_camera=np.array(message.root_camera.covariance).reshape(6, 6),
        root_covariance_world=np.array(message.root_world.covariance).reshape(6, 6),
        root_linear_velocity_world=_xyz(twist.linear),
        root_angular_velocity_world=_xyz(twist.angular),
        joints_camera=_xyz_rows(message.joints_camera),
        joints_world=_xyz_rows(message.joints_world),
        joint_confidence=np.array(message.joint_confidence, dtype=np.float64),
        coco17_camera=np.full((17, 3), np.nan),
        contacts=np.array(message.contacts.probabilities, dtype=np.float64),
        contact_positions_world=_xyz_rows(message.contacts.positions),
        keypoints_image=np.array([(k.x, k.y, k.confidence) for k in message.keypoints]),
        box_xyxy=np.array(message.box_xyxy, dtype=np.float64),
    )


def frame_to_message(
    people: Iterable[DerivedHuman],
    camera: CameraMotion,
    header: Header,
    world_header: Header,
    image_size: tuple[int, int],
    latency_s: float,
) -> HumanStates:
    """All people of one image.

    Args:
        people: of this image.
        camera: the camera's motion at it.
        header: of the image, with the camera's optical frame.
        world_header: the same stamp with the world frame.
        image_size: width and height, pixels.
        latency_s: time from the image's stamp to now, seconds.
    """
    message = HumanStates(header=header, world_frame=world_header.frame_id)
    message.camera_motion = camera.mode.value
    message.gravity_known = camera.gravity_known
    message.camera_position_known = camera.position_known
    message.camera_world.pose = pose_from_array(
        np.asarray(camera.position_world_camera, dtype=np.float64),
        Rotation.from_matrix(camera.rotation_world_camera).as_quat(),
    )
    covariance = np.zeros((6, 6))
    covariance[3:, 3:] = camera.rotation_covariance
    message.camera_world.covariance = _covariance(covariance)
    message.image_width, message.image_height = image_size
    message.humans = [human_to_message(human, world_header, latency_s) for human in people]
    return message


def _covariance(covariance: Array) -> Array:
    return np.ascontiguousarray(covariance, dtype=np.float64).reshape(36)


def _vector(values: Array) -> Vector3:
    x, y, z = values.tolist()
    return Vector3(x=x, y=y, z=z)


def _xyz(point: Point | Vector3) -> Array:
    return np.array((point.x, point.y, point.z))


def _xyz_rows(points: Iterable[Point]) -> Array:
    return np.array([(point.x, point.y, point.z) for point in points]).reshape(-1, 3)


def _xyzw(quaternion: Quaternion) -> tuple[float, float, float, float]:
    return quaternion.x, quaternion.y, quaternion.z, quaternion.w


def _matrices(quaternions_xyzw: list[tuple[float, float, float, float]]) -> Array:
    return Rotation.from_quat(quaternions_xyzw).as_matrix()
