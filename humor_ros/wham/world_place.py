"""A person's place in the camera frame and in the gravity-true world, with covariances."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from humor_ros.body import BodyModel
from humor_ros.geometry import ROTATION_FLU_OPTICAL, PinholeCamera
from humor_ros.types import Array, CameraMotion, CameraMotionMode, Track, TrackingState
from humor_ros.wham.anchor import (
    PositionFilter,
    camera_position_covariance,
    coast,
    lasting_covariance,
    limited_displacement,
    orientation_covariance,
)
from humor_ros.wham.answer import Answer
from humor_ros.wham.camera_fit import fit_translation
from humor_ros.wham.keypoints import MIN_CONFIDENCE
from humor_ros.wham.output_filter import RotationFilter
from humor_ros.wham.person import PersonMemory, PersonMotion
from humor_ros.wham.pose_fit import FITTED_POINTS, PoseCorrection, fit_pose
from humor_ros.wham.resampling import split_rotation
from humor_ros.wham.standing_feet import held_displacement, standing_weights
from humor_ros.wham.stream_config import StreamConfig

__all__ = ["place_person"]

#: Key-points that place the body: all but those of the head, whose bias is the largest.
_PLACED = slice(5, 17)
#: Standard deviation of the network's place beside the pose's fit, as a fraction of the distance.
_FIT_PLACE_SIGMA = 0.1
#: For so long after their first image somebody's place may jump to where they are seen: of the
#: first one key-points may have been missing, and the network needs some images to settle.
_SETTLING_S = 0.5


def place_person(
    config: StreamConfig,
    body_model: BodyModel,
    person: PersonMemory,
    answer: Answer,
    track: Track,
    motion: CameraMotion,
    virtual: PinholeCamera,
    interval_s: float,
    pose_error: Array | None = None,
) -> tuple[PersonMemory, PersonMotion]:
    """Put one person into the camera frame and the world.

    Args:
        config: how the world is made.
        body_model: of the network's shape space.
        person: what is remembered, with this image's key-points and box.
        answer: of the network.
        track: the measurement.
        motion: of the camera.
        virtual: camera of the key-points.
        interval_s: since the last image, 0 at the first.
        pose_error: (42, 42) how the network errs, rad²; None leaves its pose as it is.

    Returns:
        What to remember, and the motion to tell.
    """
    seen = track.state is not TrackingState.OCCLUDED
    correction = None
    if config.fit_pose and pose_error is not None:
        rotations, correction = _fitted_pose(
            config, body_model, person, answer, virtual, interval_s, pose_error, seen
        )
        answer = _with_last(answer, rotations)
    filtered, answer = _steady(
        config, person, answer, motion.rotation_world_camera, interval_s, seen
    )
    betas, weight = person.betas, person.betas_time_s
    if seen:
        weight = min(weight + max(interval_s, 1.0 / 30.0), config.betas_time_s)
        share = min(1.0, max(interval_s, 1.0 / 30.0) / weight)
        betas = betas + share * (answer.betas[-1] - betas)
    body = body_model(
        torch.as_tensor(betas, dtype=torch.float32)[None],
        torch.as_tensor(answer.rotations[-1], dtype=torch.float32)[None],
    )
    coco = body.keypoints31[0, :17].double().numpy()
    hips = coco[11:13].mean(0)
    joints = body.joints[0].double().numpy() - hips
    feet = body.feet[0].double().numpy() - hips
    coco = coco - hips
    hips_camera = answer.camera_translation(person.box, virtual)
    if config.fit_keypoints and seen:
        hips_camera = _fitted(coco, person, hips_camera, virtual)
    rotation_wc = motion.rotation_world_camera
    orientation, displacement = _displace(config, person, answer, rotation_wc)
    to_world = orientation @ answer.rotations[-1, 0].T
    feet_world, contacts = feet @ to_world.T, np.clip(answer.contacts[-1], 0.0, 1.0)
    if config.world_mode == "imu" and person.feet_world is not None and seen:
        feet_before, contacts_before = person.feet_world
        standing = standing_weights(contacts, contacts_before)
        displacement = held_displacement(displacement, feet_world, feet_before, standing)
    if config.world_mode == "imu" and person.velocity_world is not None:
        displacement = limited_displacement(displacement, interval_s, person.velocity_world)
    duration = interval_s if interval_s > 0.0 else 1.0 / 30.0
    going = None
    if config.world_mode == "imu" and interval_s > 0.0:
        going = coast(displacement / duration, person.going, interval_s, seen)
        displacement = displacement if seen else going * duration
    ray = rotation_wc @ hips_camera
    seen_world = ray + motion.position_world_camera
    told = person.memory.told(config.keypoint_memory_s)[_PLACED, 2]
    missing = int((told < MIN_CONFIDENCE).sum())
    seen_covariance = camera_position_covariance(hips_camera, missing)
    world_covariance = rotation_wc @ seen_covariance @ rotation_wc.T
    place = person.place
    if place is None:
        place = PositionFilter.start(seen_world, world_covariance)
        displacement = np.zeros(3)
    else:
        place = place.move(displacement, interval_s, seen)
        if seen and _tied(config, motion):
            settling = person.betas_time_s < _SETTLING_S
            place = place.see(seen_world, world_covariance, math.inf if settling else interval_s)
    turned = Rotation.from_matrix(orientation @ person.orientation_world.T).as_rotvec()
    turned_covariance = orientation_covariance(config.orientation_sigma_rad)
    if not seen:
        turned_covariance = 4.0 * turned_covariance
    new = replace(
        person,
        betas=betas,
        betas_time_s=weight,
        orientation_world=orientation,
        place=place,
        feet_world=(feet_world, contacts),
        filtered=filtered,
        pose_correction=correction,
        velocity_world=displacement / duration if interval_s > 0.0 else None,
        going=going,
    )
    return new, PersonMotion(
        track_id=person.track_id,
        betas=betas,
        rotations_camera=answer.rotations[-1],
        joints_camera=joints + hips_camera,
        coco17_camera=coco + hips_camera,
        joints_world=joints @ to_world.T + place.position,
        root_orientation_world=orientation,
        contacts=contacts,
        contact_positions_world=feet_world + place.position,
        root_covariance_camera=_block(seen_covariance, turned_covariance),
        root_covariance_world=_block(
            place.covariance + lasting_covariance(ray),
            rotation_wc @ turned_covariance @ rotation_wc.T + motion.rotation_covariance,
        ),
        linear_velocity_world=displacement / duration,
        angular_velocity_world=turned / duration,
    )


def _steady(
    config: StreamConfig,
    person: PersonMemory,
    answer: Answer,
    rotation_world_camera: Array,
    interval_s: float,
    seen: bool,
) -> tuple[RotationFilter | None, Answer]:
    """The answer with filtered rotations at the image, and the filter."""
    if config.output_cutoff_hz <= 0.0:
        return None, answer
    held = config.hold_unseen_pose and config.world_mode == "imu" and not seen
    measured = answer.rotations[-1].copy()
    measured[0] = rotation_world_camera @ measured[0]
    if person.filtered is None:
        filtered = RotationFilter.start(measured)
    elif held:
        filtered = replace(person.filtered, measured=measured)
    else:
        filtered = person.filtered.step(
            measured, interval_s, config.output_cutoff_hz, config.output_cutoff_per_speed
        )
    told = filtered.rotations.copy()
    told[0] = rotation_world_camera.T @ told[0]
    return filtered, _with_last(answer, told)


def _with_last(answer: Answer, rotations: Array) -> Answer:
    """The answer with other rotations (24, 3, 3) at the image."""
    return replace(answer, rotations=np.concatenate((answer.rotations[:-1], rotations[None])))


def _fitted_pose(
    config: StreamConfig,
    body_model: BodyModel,
    person: PersonMemory,
    answer: Answer,
    virtual: PinholeCamera,
    interval_s: float,
    pose_error: Array,
    seen: bool,
) -> tuple[Array, PoseCorrection]:
    """Rotations (24, 3, 3) that fit the key-points, and what is thought of the network's errors."""
    correction = PoseCorrection.unknown(pose_error)
    if person.pose_correction is not None:
        correction = person.pose_correction.after(interval_s, pose_error, config.pose_fit_time_s)
    rotations = answer.rotations[-1]
    body = body_model(
        torch.as_tensor(person.betas, dtype=torch.float32)[None],
        torch.as_tensor(rotations, dtype=torch.float32)[None],
    )
    coco = body.keypoints31[0, :17].double().numpy()
    hips = coco[11:13].mean(0)
    points = list(FITTED_POINTS)
    rays, confidence, side = _measured(person, virtual)
    place = answer.camera_translation(person.box, virtual)
    return fit_pose(
        rotations,
        body.joints[0].double().numpy() - hips,
        (coco - hips)[points],
        rays[points],
        confidence[points] if seen else np.zeros(len(points)),
        place,
        correction=correction,
        translation_covariance=(_FIT_PLACE_SIGMA * place[2]) ** 2 * np.eye(3),
        ray_sigma=config.pose_fit_sigma * side,
    )


def _tied(config: StreamConfig, motion: CameraMotion) -> bool:
    """Whether the seen position may correct the world position."""
    static = motion.mode is CameraMotionMode.STATIC
    return motion.position_known or config.camera_fixed or static


def _displace(
    config: StreamConfig, person: PersonMemory, answer: Answer, rotation_world_camera: Array
) -> tuple[Array, Array]:
    """Root orientation (3, 3) and displacement (3,) since the last image, z-up world."""
    if config.world_mode == "wham":
        axes = ROTATION_FLU_OPTICAL
        return axes @ answer.root_world[-1], axes @ answer.displacement_world.sum(0)
    orientation = rotation_world_camera @ answer.rotations[-1, 0]
    count = len(answer.velocity)
    if count == 1:
        return orientation, person.orientation_world @ answer.velocity[0]
    step = split_rotation(person.orientation_world.T @ orientation, count)
    displacement, at = np.zeros(3), person.orientation_world
    for velocity in answer.velocity:
        displacement, at = displacement + at @ velocity, at @ step
    return orientation, displacement


def _fitted(coco: Array, person: PersonMemory, prior: Array, camera: PinholeCamera) -> Array:
    """The mid-hip (3,) that carries the body's key-points (17, 3) onto the measured ones."""
    rays, confidence, side = _measured(person, camera)
    return fit_translation(coco[_PLACED], rays[_PLACED], confidence[_PLACED], prior, side)


def _measured(person: PersonMemory, camera: PinholeCamera) -> tuple[Array, Array, float]:
    """Rays (17, 2) x / z, y / z of the key-points, confidences (17,), the box's side in rays."""
    centre = np.array([camera.width, camera.height]) / 2.0
    confidence = np.where(person.keypoints[:, 2] >= MIN_CONFIDENCE, person.keypoints[:, 2], 0.0)
    rays = (person.keypoints[:, :2] - centre) / camera.fx
    return rays, confidence, 200.0 * float(person.box[2]) / camera.fx


def _block(upper: Array, lower: Array) -> Array:
    matrix = np.zeros((6, 6))
    matrix[:3, :3], matrix[3:, 3:] = upper, lower
    return matrix
