"""One person of the stream: what is told, and what is remembered between two images."""

from __future__ import annotations

from dataclasses import dataclass

from humor_ros.types import Array
from humor_ros.wham.anchor import PositionFilter
from humor_ros.wham.answer import Answer
from humor_ros.wham.correction import Correction
from humor_ros.wham.keypoint_memory import KeypointMemory
from humor_ros.wham.output_filter import RotationFilter
from humor_ros.wham.pose_fit import PoseCorrection

__all__ = ["PersonMemory", "PersonMotion"]


@dataclass(frozen=True)
class PersonMotion:
    """Motion of one person at one image; see the same names in ``HumanState``.

    Attributes:
        track_id: the track's id.
        betas: (10,) averaged shape.
        rotations_camera: (24, 3, 3) joint rotations, the first is the root in the camera.
        joints_camera: (24, 3) metres.
        coco17_camera: (17, 3) metres.
        joints_world: (24, 3) metres, z-up.
        root_orientation_world: (3, 3).
        contacts: (4,) probabilities.
        contact_positions_world: (4, 3) metres.
        root_covariance_camera, root_covariance_world: (6, 6).
        linear_velocity_world: (3,) m/s.
        angular_velocity_world: (3,) rad/s.
    """

    track_id: int
    betas: Array
    rotations_camera: Array
    joints_camera: Array
    coco17_camera: Array
    joints_world: Array
    root_orientation_world: Array
    contacts: Array
    contact_positions_world: Array
    root_covariance_camera: Array
    root_covariance_world: Array
    linear_velocity_world: Array
    angular_velocity_world: Array


@dataclass(frozen=True)
class PersonMemory:
    """What is remembered of a person beside the network's state.

    Attributes:
        track_id: the track's id.
        keypoints: (17, 3) last key-points, virtual camera.
        memory: the same with those that were seen lately.
        box: (3,) last smoothed box: centre px, side / 200.
        betas: (10,) averaged shape; ``betas_time_s`` how much time stands in it.
        orientation_world: (3, 3) last root orientation, z-up world.
        place: world position of the mid-hip, None before the first output.
        feet_world: (4, 3) contact points from the mid-hip in world axes, and their contacts (4,),
            at the last image; None before the first output.
        filtered: filter of the told rotations, the root's in the world; None before the first.
        velocity_world: (3,) of the mid-hip over the last interval, m/s; None before there was one.
        going: (3,) the same over a stride, kept up while the person is occluded.
        pose_correction: from the network's pose to the one that fits the key-points; None before
            the first, or where no fit is made.
        told: what was told last of the network's answer.
        correction: what is left between that and the network, after a late correction.
        image_started: whether the network's state began from an image encoder's pose.
    """

    track_id: int
    keypoints: Array
    memory: KeypointMemory
    box: Array
    betas: Array
    betas_time_s: float
    orientation_world: Array
    place: PositionFilter | None
    feet_world: tuple[Array, Array] | None = None
    filtered: RotationFilter | None = None
    velocity_world: Array | None = None
    going: Array | None = None
    pose_correction: PoseCorrection | None = None
    told: Answer | None = None
    correction: Correction | None = None
    image_started: bool = False
