"""Runs WHAM over a sequence: as published, or as the tracker's stream does. Both are causal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.geometry import ROTATION_FLU_OPTICAL, rotation_6d_to_matrix
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array, CameraMotion, CameraMotionMode, Track, TrackingState
from humor_ros.wham.camera_input import camera_angular_velocity
from humor_ros.wham.flip_averaging import FlipState, mirror_inputs, step_averaged
from humor_ros.wham.image_feature import PersonFeature
from humor_ros.wham.initialisation import initial_root, neutral_initialisation
from humor_ros.wham.keypoint_motion import keypoint_motion
from humor_ros.wham.keypoints import initial_input, keypoint_mask, normalise_keypoints
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.resampling import MIN_INTERVAL_S, NETWORK_RATE_HZ
from humor_ros.wham.runner import prepare_for_streaming
from humor_ros.wham.state import WhamState
from humor_ros.wham.stream import StreamConfig, WhamStream
from humor_ros.wham.values import WhamInputs, WhamOutputs

__all__ = ["RunSettings", "SequenceMotion", "at_network_rate", "run_sequence"]

#: Frames at a time; the state carries over, so the result does not depend on it.
_CHUNK_FRAMES = 64
_LEVEL = ROTATION_FLU_OPTICAL.astype(np.float64)


@dataclass(frozen=True)
class RunSettings:
    """How to run.

    Attributes:
        mode: "published": the network on the sequence's own boxes, as in the published
            evaluation, trajectory by its own roll-out. "stream": as the tracker, with the
            camera's calibration, boxes of the key-points and averaged shape.
        features: use image features, and the encoder's pose at the start, where the sequence
            has them.
        flip: average with the mirrored images; with features it needs those of the mirrored
            crops.
        intrinsics: take the key-points of the "published" run to the camera that the network
            assumes; False ignores the calibration, as published.
        world_mode: of "stream", see ``StreamConfig``.
        camera_fixed: likewise.
    """

    mode: Literal["published", "stream"] = "published"
    features: bool = True
    flip: bool = False
    intrinsics: bool = False
    world_mode: Literal["imu", "wham"] = "imu"
    camera_fixed: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("published", "stream"):
            raise ValueError(f"mode must be 'published' or 'stream', got {self.mode!r}")


@dataclass(frozen=True, eq=False)
class SequenceMotion:
    """What was said of a person in T frames.

    Attributes:
        rotations: (T, 24, 3, 3) joint rotations, the root's in the camera; betas: (T, 10).
        root_world: (T, 3, 3) root orientation and pelvis_world: (T, 3) pelvis joint, metres,
            in a world of its own; which axis is up is not said.
        contacts: (T, 4).
        used_features: frames whose image feature was used.
    """

    rotations: Tensor
    betas: Tensor
    root_world: Tensor
    pelvis_world: Tensor
    contacts: Tensor
    used_features: int = 0


def at_network_rate(sequence: PersonSequence) -> PersonSequence:
    """Every frame that is at least 22 ms after the one before, as the tracker takes them."""
    if len(sequence) < 2 or np.median(np.diff(sequence.stamp_s)) >= MIN_INTERVAL_S:
        return sequence
    step = max(1, round(sequence.fps / NETWORK_RATE_HZ))
    return replace(sequence.select(slice(None, None, step)), fps=sequence.fps / step)


def run_sequence(
    network: WhamNetwork, body: BodyModel, sequence: PersonSequence, settings: RunSettings
) -> SequenceMotion:
    """Say the motion of the person of a sequence, frame after frame.

    Args:
        network: in evaluation mode, packed or not.
        body: of the network's shape space.
        sequence: T frames, each stepped once: leave out before what shall not be seen.
        settings: how.

    Raises:
        ValueError: the sequence's image features do not fit the network.
    """
    with torch.inference_mode():
        if settings.mode == "stream":
            return _stream(network, body, sequence, settings)
        return _published(prepare_for_streaming(network), body, sequence, settings)


def _published(
    network: WhamNetwork, body: BodyModel, sequence: PersonSequence, settings: RunSettings
) -> SequenceMotion:
    inputs = _inputs(network, sequence, settings)
    other = None
    if settings.flip:
        mirrored = None if inputs.img_features is None else sequence.img_features_mirrored
        other = mirror_inputs(inputs, None if mirrored is None else _batch(mirrored))
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
    points, bbox = _batch(keypoints), _batch(boxes)
    size = torch.tensor([[float(camera.width), float(camera.height)]])
    mask = keypoint_mask(points[..., 2])
    turns = _batch(sequence.camera_turns())
    before = torch.cat((points[:, :1], points[:, :-1]), dim=1)
    hidden = mask | keypoint_mask(before[..., 2])
    virtual = camera.virtual()
    gravity = sequence.gravity_camera()
    features = _checked_features(network, sequence, settings)
    return WhamInputs(
        x=normalise_keypoints(points, bbox, size),
        mask=mask,
        cam_angvel=camera_angular_velocity(turns),
        img_features=None if features is None else _batch(np.nan_to_num(features)),
        feature_mask=None if features is None else torch.from_numpy(sequence.has_features)[None],
        bbox=bbox,
        res=size,
        cam_intrinsics=_batch(virtual.matrix if settings.intrinsics else camera.matrix)[:, None],
        gravity=None if gravity is None else _batch(np.nan_to_num(gravity)),
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
    attitude = _attitudes(sequence)[0]
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
    return _batch(pose[0]), _batch(keypoints[0])


def _attitudes(sequence: PersonSequence) -> Array:
    """(T, 3, 3) camera to z-up world; level at first where nothing is known, then turned."""
    world = sequence.rotation_world_camera
    turns = sequence.camera_turns()
    attitudes = np.empty((len(sequence), 3, 3))
    for index in range(len(sequence)):
        if world is not None and sequence.has_camera[index]:
            attitudes[index] = world[index]
        else:
            attitudes[index] = attitudes[index - 1] @ turns[index] if index else _LEVEL
    return attitudes


def _stream(
    network: WhamNetwork, body: BodyModel, sequence: PersonSequence, settings: RunSettings
) -> SequenceMotion:
    features = _checked_features(network, sequence, settings)
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
    attitudes, turns, camera = _attitudes(sequence), sequence.camera_turns(), sequence.camera
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
        pelvis_world=_stack([person.joints_world[0] for person in said]).double(),
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
    rotations = torch.eye(3).expand(24, 3, 3) if pose is None else _batch(pose[index])[0]
    return PersonFeature(_batch(feature)[0], rotations, torch.zeros(10))


def _checked_features(
    network: WhamNetwork, sequence: PersonSequence, settings: RunSettings
) -> NDArray[np.floating[Any]] | None:
    """(T, F) image features that shall be used, or None.

    Raises:
        ValueError: they are not the network's, or averaging lacks those of mirrored crops.
    """
    features = sequence.img_features
    if not settings.features or features is None or not sequence.has_features.any():
        return None
    if features.shape[1] != network.config.d_feat:
        raise ValueError(
            f"{sequence.name} has image features of {features.shape[1]} numbers, the network takes "
            f"{network.config.d_feat}; run without features"
        )
    if settings.flip and sequence.img_features_mirrored is None:
        raise ValueError(
            f"{sequence.name} has no features of mirrored crops; cache them, or leave out flip"
        )
    return features


def _batch(values: NDArray[np.floating[Any]]) -> Tensor:
    """One person's values as float32 with an axis for people before them."""
    return torch.tensor(np.asarray(values), dtype=torch.float32)[None]


def _stack(values: list[Array]) -> Tensor:
    return torch.as_tensor(np.stack(values), dtype=torch.float32)
