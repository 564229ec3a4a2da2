"""WHAM over a sequence as the published evaluation runs it, frame by frame through its state."""

from __future__ import annotations

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
from humor_ros.geometry import ROTATION_FLU_OPTICAL, rotation_6d_to_matrix
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.wham.camera_input import camera_angular_velocity
from humor_ros.wham.flip_averaging import FlipState, mirror_inputs, step_averaged
from humor_ros.wham.initialisation import initial_root, neutral_initialisation
from humor_ros.wham.keypoint_motion import keypoint_motion
from humor_ros.wham.keypoints import initial_input, keypoint_mask, normalise_keypoints
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.state import WhamState
from humor_ros.wham.values import WhamInputs, WhamOutputs

__all__ = ["run_published"]

#: Frames at a time; the state carries over, so the result does not depend on it.
_CHUNK_FRAMES = 64


def run_published(
    network: WhamNetwork, body: BodyModel, sequence: PersonSequence, settings: RunSettings
) -> SequenceMotion:
    """Say the motion of a sequence of T frames; see ``sequence_runner.run_sequence``."""
    inputs = _inputs(network, sequence, settings)
    other = None
    if settings.flip:
        mirrored = None if inputs.img_features is None else sequence.img_features_mirrored
        other = mirror_inputs(inputs, None if mirrored is None else batch_of_one(mirrored))
    state = _start(network, body, sequence, inputs, other, settings)
    parts: list[WhamOutputs] = []
    for first in range(0, len(sequence), _CHUNK_FRAMES):
        now = inputs.frames(first, first + _CHUNK_FRAMES)
        if isinstance(state, FlipState) and other is not None:
            then = other.frames(first, first + _CHUNK_FRAMES)
            state, outputs = step_averaged(network, state, now, then, body)
        elif isinstance(state, WhamState):
            state, outputs = network.step(state, now, body)
        parts.append(outputs)
    betas = torch.cat([part.motion.betas[0] for part in parts])
    translation = torch.cat([part.translation_world[0] for part in parts])
    # As published, the roll-out is taken for SMPL's transl.
    pelvis = translation + body.rest_joints(betas)[:, 0]
    return SequenceMotion(
        rotations=torch.cat([part.rotations[0] for part in parts]),
        betas=betas,
        root_world=torch.cat([part.rotation_world_root[0] for part in parts]),
        pelvis_world=pelvis,
        contacts=torch.cat([part.motion.contacts[0] for part in parts]),
        used_features=0 if inputs.img_features is None else int(sequence.has_features.sum()),
    )


def _inputs(network: WhamNetwork, sequence: PersonSequence, settings: RunSettings) -> WhamInputs:
    keypoints = sequence.keypoints.astype(np.float64)
    boxes = sequence.boxes.astype(np.float64)
    camera = sequence.camera
    if settings.intrinsics:
        keypoints[..., :2] = camera.to_virtual(keypoints[..., :2])
        lost = ~np.isfinite(keypoints).all(axis=-1)
        keypoints[lost] = 0.0
        corners = np.stack((boxes[:, :2] - 100 * boxes[:, 2:], boxes[:, :2] + 100 * boxes[:, 2:]))
        corners = camera.to_virtual(corners)
        side = (corners[1] - corners[0]).max(axis=-1, keepdims=True) / 200.0
        moved = np.concatenate((corners.mean(axis=0), side), axis=1)
        boxes = np.where(np.isfinite(moved).all(axis=1, keepdims=True), moved, boxes)
    points, bbox = batch_of_one(keypoints), batch_of_one(boxes)
    size = torch.tensor([[float(camera.width), float(camera.height)]])
    mask = keypoint_mask(points[..., 2])
    turns = batch_of_one(sequence.camera_turns())
    before = torch.cat((points[:, :1], points[:, :-1]), dim=1)
    hidden = mask | keypoint_mask(before[..., 2])
    virtual = camera.virtual()
    gravity = sequence.gravity_camera()
    features = usable_features(network, sequence, settings)
    return WhamInputs(
        x=normalise_keypoints(points, bbox, size),
        mask=mask,
        cam_angvel=camera_angular_velocity(turns),
        img_features=None if features is None else batch_of_one(np.nan_to_num(features)),
        feature_mask=None if features is None else torch.from_numpy(sequence.has_features)[None],
        bbox=bbox,
        res=size,
        cam_intrinsics=batch_of_one(virtual.matrix if settings.intrinsics else camera.matrix)[
            :, None
        ],
        gravity=None if gravity is None else batch_of_one(np.nan_to_num(gravity)),
        motion=keypoint_motion(
            points[..., :2],
            before[..., :2],
            ~hidden,
            turns,
            points.new_full(points.shape[:2], virtual.fx),
            size[:, None].expand(1, len(sequence), 2),
            bbox,
        ),
    )


def _start(
    network: WhamNetwork,
    body: BodyModel,
    sequence: PersonSequence,
    inputs: WhamInputs,
    other: WhamInputs | None,
    settings: RunSettings,
) -> WhamState | FlipState:
    """State before the first frame: of the encoder's pose where it is known, else neutral."""
    attitude = camera_attitudes(sequence)[0]
    rotation = torch.as_tensor(ROTATION_FLU_OPTICAL.T @ attitude, dtype=torch.float32)[None]
    pose = mirrored = None
    if settings.features and sequence.has_init[0]:
        pose = _first(sequence.init_pose, sequence.init_kp3d)
        mirrored = _first(sequence.init_pose_mirrored, sequence.init_kp3d_mirrored)
    normal = _state(network, body, inputs, rotation, pose)
    if other is None:
        return normal
    return FlipState(normal, _state(network, body, other, rotation, mirrored))


def _state(
    network: WhamNetwork,
    body: BodyModel,
    inputs: WhamInputs,
    rotation_world_camera: Tensor,
    known: tuple[Tensor, Tensor] | None,
) -> WhamState:
    first = inputs.frames(0, 1)
    if known is not None:
        pose, keypoints = known
        root = initial_root(rotation_world_camera, pose[:, 0])
        start = initial_input(keypoints, first.x)
        return network.initial_state(start, pose[..., :2, :].flatten(-2)[:, None], root)
    neutral = neutral_initialisation(body, first.x[:, 0], first.mask[:, 0])
    root = initial_root(rotation_world_camera, rotation_6d_to_matrix(neutral.init_smpl[:, 0, 0]))
    state = network.initial_state(neutral.init_kp, neutral.init_smpl, root)
    # A first pass over the first frame finds how the person faces.
    _, outputs = network.step(state, first, body)
    root = initial_root(rotation_world_camera, outputs.rotations[:, 0, 0])
    return network.initial_state(neutral.init_kp, neutral.init_smpl, root)


def _first(
    pose: NDArray[np.floating[Any]] | None, keypoints: NDArray[np.floating[Any]] | None
) -> tuple[Tensor, Tensor] | None:
    """Pose (1, 24, 3, 3) and key-points (1, 17, 3) of the encoder at the first frame."""
    if pose is None or keypoints is None:
        return None
    return batch_of_one(pose[0]), batch_of_one(keypoints[0])
