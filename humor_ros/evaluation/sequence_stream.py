"""WHAM over a sequence as the tracker runs it: image by image through its stream of people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.evaluation.sequence_motion import (
    RunSettings,
    SequenceMotion,
    batch_of_one,
    camera_attitudes,
    usable_features,
)
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array, CameraMotion, CameraMotionMode, Track, TrackingState
from humor_ros.wham.image_feature import PersonFeature
from humor_ros.wham.keypoints import keypoint_mask
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.stream import StreamConfig, WhamStream

__all__ = ["run_stream"]


def run_stream(
    network: WhamNetwork, body: BodyModel, sequence: PersonSequence, settings: RunSettings
) -> SequenceMotion:
    """Say the motion of a sequence of T frames; see ``sequence_runner.run_sequence``."""
    features = usable_features(network, sequence, settings)
    stream = WhamStream(
        network,
        body,
        StreamConfig(
            world_mode=settings.world_mode,
            camera_fixed=settings.camera_fixed,
            image_features=features is not None,
            flip_averaging=settings.flip,
        ),
    )
    used = 0
    attitudes, turns, camera = camera_attitudes(sequence), sequence.camera_turns(), sequence.camera
    moving = sequence.camera_angular_velocity is not None or bool(sequence.has_camera.any())
    mode = CameraMotionMode.IMU if moving else CameraMotionMode.STATIC
    said = []
    for index, stamp_s in enumerate(sequence.stamp_s.tolist()):
        keypoints = sequence.keypoints[index].astype(np.float64)
        centre, half = sequence.boxes[index, :2], 100.0 * sequence.boxes[index, 2]
        seen = not bool(keypoint_mask(torch.from_numpy(keypoints[:, 2])).all())
        track = Track(
            track_id=1,
            state=TrackingState.TRACKED if seen else TrackingState.OCCLUDED,
            keypoints=keypoints,
            box_xyxy=np.concatenate((centre - half, centre + half)).astype(np.float64),
            age_s=stamp_s - float(sequence.stamp_s[0]),
            unseen_s=0.0,
            score=1.0,
        )
        motion = CameraMotion(
            stamp_s=stamp_s,
            interval_s=stamp_s - float(sequence.stamp_s[index - 1]) if index else 0.0,
            rotation_previous_current=turns[index],
            rotation_world_camera=attitudes[index],
            position_world_camera=np.zeros(3),
            position_known=False,
            gravity_known=sequence.gravity_known,
            mode=mode,
            rotation_covariance=np.zeros((3, 3)),
        )
        seen_by_encoder = {}
        if features is not None and (feature := _feature(sequence, index, settings)) is not None:
            seen_by_encoder[track.track_id] = feature
            used += 1
        said.append(stream.step([track], motion, camera, seen_by_encoder)[0])
    return SequenceMotion(
        rotations=_stack([person.rotations_camera for person in said]),
        betas=_stack([person.betas for person in said]),
        root_world=_stack([person.root_orientation_world for person in said]),
        pelvis_world=_stack([person.joints_world[0] for person in said], torch.float64),
        contacts=_stack([person.contacts for person in said]),
        used_features=used,
    )


def _feature(sequence: PersonSequence, index: int, settings: RunSettings) -> PersonFeature | None:
    """What the encoder saw in one frame; at the first only where its pose is known too."""
    if not sequence.has_features[index] or sequence.img_features is None:
        return None
    if not index and not sequence.has_init[0]:
        return None
    mirrored = None
    if settings.flip and sequence.img_features_mirrored is not None:
        mirrored = _person_feature(
            sequence.img_features_mirrored[index], sequence.init_pose_mirrored, index
        )
    return replace(
        _person_feature(sequence.img_features[index], sequence.init_pose, index), mirrored=mirrored
    )


def _person_feature(
    feature: NDArray[np.floating[Any]], pose: NDArray[np.floating[Any]] | None, index: int
) -> PersonFeature:
    """With the mean shape: the files keep no shape of the encoder's, and only a start reads it."""
    rotations = torch.eye(3).expand(24, 3, 3) if pose is None else batch_of_one(pose[index])[0]
    return PersonFeature(batch_of_one(feature)[0], rotations, torch.zeros(10))


def _stack(values: list[Array], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.as_tensor(np.stack(values), dtype=dtype)
