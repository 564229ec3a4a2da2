"""Values that walk between the rooms: detections, tracks, camera motion and human states.

Conventions (REP-103): metres, radians, seconds. The camera frame is the *optical* frame
(x right, y down, z forward). The world frame is gravity-true and z-up. ``rotation_a_b``
maps vectors of frame ``b`` to frame ``a``. Quaternions are xyzw. Arrays are NumPy,
float64 unless stated, and are treated as read-only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

__all__ = [
    "Array",
    "CameraMotion",
    "CameraMotionMode",
    "Detection",
    "FrameResult",
    "HumanState",
    "Image",
    "ImuSample",
    "Track",
    "TrackingState",
]


class TrackingState(IntEnum):
    """Life of a tracked person; the values are those of ``HumanState.msg``."""

    TENTATIVE = 0  #: seen too briefly to be published by default
    TRACKED = 1  #: measured in this image
    OCCLUDED = 2  #: not measured in this image; the state is predicted
    LOST = 3  #: gone for longer than the re-identification window (sent once)


@dataclass(frozen=True)
class Detection:
    """One person found in one image by a detector.

    Attributes:
        box_xyxy: (4,) left, top, right, bottom, pixels of the image given.
        score: confidence in [0, 1].
        keypoints: (17, 3) COCO-17 x, y (pixels) and confidence in [0, 1]; None if the
            detector gives boxes only.
    """

    box_xyxy: Array
    score: float
    keypoints: Array | None = None


@dataclass(frozen=True)
class Track:
    """One person followed over time, as of one image.

    Attributes:
        track_id: stable positive integer, never reused.
        state: whether the person was measured in this image.
        keypoints: (17, 3) COCO-17 x, y (pixels of the image) and confidence in [0, 1];
            for an OCCLUDED track the predicted places with confidence 0.
        box_xyxy: (4,) box around the person, pixels.
        age_s: seconds since the first detection.
        unseen_s: seconds since the last measurement (0 when measured now).
        score: confidence of the person as a whole, in [0, 1].
    """

    track_id: int
    state: TrackingState
    keypoints: Array
    box_xyxy: Array
    age_s: float
    unseen_s: float
    score: float


@dataclass(frozen=True)
class ImuSample:
    """One inertial sample in the IMU's own frame.

    Attributes:
        stamp_s: time of the sample, seconds, same clock as the images.
        angular_velocity: (3,) rad/s.
        linear_acceleration: (3,) specific force, m/s² (about +9.81 along "up" at rest,
            REP-145); None where the message carries none.
    """

    stamp_s: float
    angular_velocity: Array
    linear_acceleration: Array | None = None


class CameraMotionMode(str, Enum):
    """Where the camera's motion comes from, best first."""

    IMU = "imu"
    ODOMETRY = "odometry"
    VISUAL = "visual"
    STATIC = "static"


@dataclass(frozen=True)
class CameraMotion:
    """Motion of the camera between the previous processed image and this one.

    Attributes:
        stamp_s: exposure time of this image, seconds.
        interval_s: time since the previous processed image (0 for the first).
        rotation_previous_current: (3, 3) maps vectors in the camera frame now to the
            camera frame at the previous image (R_{k-1} R_k^T with R world-to-camera,
            i.e. Exp(omega dt) for a gyro in camera axes).
        rotation_world_camera: (3, 3) camera to gravity-true, z-up world. Heading is zero
            where the first image looked, unless odometry or TF gives it.
        position_world_camera: (3,) camera centre in the world, metres; zeros (origin at
            the camera) where nothing measures it.
        position_known: whether ``position_world_camera`` was measured.
        gravity_known: whether tilt comes from an accelerometer, TF or odometry; False
            means "the camera is assumed level".
        mode: source actually used for this interval.
        rotation_covariance: (3, 3) covariance of the world rotation error as a rotation
            vector in world axes, rad².
    """

    stamp_s: float
    interval_s: float
    rotation_previous_current: Array
    rotation_world_camera: Array
    position_world_camera: Array
    position_known: bool
    gravity_known: bool
    mode: CameraMotionMode
    rotation_covariance: Array


@dataclass(frozen=True)
class HumanState:
    """Everything known of one person at one image.

    Attributes:
        person_id: 5 lower-case letters (REP-155), never reused in a run.
        stamp_s: exposure time of the image, seconds.
        tracking_state: see :class:`TrackingState`.
        age_s: seconds since first seen.
        unseen_s: seconds since last measured.
        betas: (10,) shape of the body model in use.
        body_pose: (23, 3, 3) rotation of each joint relative to its parent, SMPL order
            without the root.
        root_orientation_camera: (3, 3) SMPL ``global_orient`` in the camera frame.
        root_position_camera: (3,) pelvis joint (SMPL joint 0), camera frame, metres.
        root_orientation_world: (3, 3) SMPL ``global_orient`` in the world (the SMPL root
            frame: x left, y up along the spine, z out of the belly).
        root_position_world: (3,) pelvis joint, world, metres.
        root_covariance_camera: (6, 6) position (m²) and rotation vector (rad²) in camera
            axes, order x y z rx ry rz.
        root_covariance_world: (6, 6) the same in world axes.
        root_linear_velocity_world: (3,) m/s.
        root_angular_velocity_world: (3,) rad/s.
        joints_camera: (24, 3) SMPL joints, camera frame, metres.
        joints_world: (24, 3) SMPL joints, world, metres.
        joint_confidence: (24,) in [0, 1].
        coco17_camera: (17, 3) COCO key-points of the body model, camera frame, metres.
        contacts: (4,) probability that left toe, left heel, right toe, right heel rests.
        contact_positions_world: (4, 3) those points in the world, metres.
        keypoints_image: (17, 3) measured COCO-17, pixels of the image and confidence.
        box_xyxy: (4,) pixels of the image.
    """

    person_id: str
    stamp_s: float
    tracking_state: TrackingState
    age_s: float
    unseen_s: float
    betas: Array
    body_pose: Array
    root_orientation_camera: Array
    root_position_camera: Array
    root_orientation_world: Array
    root_position_world: Array
    root_covariance_camera: Array
    root_covariance_world: Array
    root_linear_velocity_world: Array
    root_angular_velocity_world: Array
    joints_camera: Array
    joints_world: Array
    joint_confidence: Array
    coco17_camera: Array
    contacts: Array
    contact_positions_world: Array
    keypoints_image: Array
    box_xyxy: Array


@dataclass(frozen=True)
class FrameResult:
    """What the pipeline says about one processed image.

    Attributes:
        stamp_s: exposure time, seconds.
        humans: published people (TRACKED and OCCLUDED, and each LOST one once).
        camera: camera motion that was used.
        timings_s: seconds spent by stage name ("detection", "wham", ...).
        counters: running totals of everything unusual since start, by name.
    """

    stamp_s: float
    humans: tuple[HumanState, ...]
    camera: CameraMotion
    timings_s: dict[str, float] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
