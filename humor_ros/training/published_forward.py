"""The published network over whole clips, free-running, and what the losses need of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from humor_ros.body.model import BodyModel
from humor_ros.geometry.rotation import rotation_6d_to_matrix
from humor_ros.training.losses import PublishedPrediction, PublishedTruth
from humor_ros.training.published_batch import BODIES, PublishedBatch
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.state import WhamState
from humor_ros.wham.trajectory import project, weak_translation
from humor_ros.wham.values import MotionPrediction, WhamOutputs

__all__ = ["predict_clips", "true_clips"]

_Values = TypeVar("_Values", WhamState, MotionPrediction)


def predict_clips(
    network: WhamNetwork,
    body: BodyModel,
    batch: PublishedBatch,
    *,
    vertices: bool,
    autocast: torch.dtype | None = None,
) -> PublishedPrediction:
    """Run the network on its own outputs, as in use, with gradients.

    Args:
        network: in training mode, or not.
        body: neutral body model, on the same device.
        batch: on the same device.
        vertices: whether to compute the surface.
        autocast: reduced precision of the learned modules but the refiner; the body and the
            geometry stay in float32. None: all in float32.

    Returns:
        The prediction.
    """
    inputs = batch.inputs(network.config)
    with torch.autocast(
        batch.x.device.type, dtype=autocast or torch.bfloat16, enabled=autocast is not None
    ):
        state = network.initial_state(batch.init_kp, batch.init_smpl, batch.init_root)
        state, motion = network.predict(state, inputs)
    _, answer = network.resolve(_single(state), _single(motion), inputs, body, vertices=vertices)
    return _prediction(answer, batch)


def _single(values: _Values) -> _Values:
    """The same with float32 in place of reduced precision."""
    reduced = {
        field.name: getattr(values, field.name).float()
        for field in fields(values)
        if getattr(values, field.name).dtype in (torch.bfloat16, torch.float16)
    }
    return replace(values, **reduced)


def _prediction(answer: WhamOutputs, batch: PublishedBatch) -> PublishedPrediction:
    motion = answer.motion
    if answer.translation_camera is None:
        raise ValueError("the batch has no boxes; the published losses need the camera's place")
    root_camera = answer.rotations[:, :, 0]
    rotation_world_root = rotation_6d_to_matrix(motion.root)
    refined = answer.rotation_world_root @ root_camera.mT
    feet_refined = answer.feet @ refined.mT + answer.translation_world[:, :, None].float()
    return PublishedPrediction(
        pose=motion.pose,
        betas=motion.betas,
        contact=motion.contacts,
        keypoints3d_network=motion.kp3d,
        keypoints3d=answer.keypoints31,
        keypoints2d_full=project(answer.keypoints31, answer.translation_camera, batch.intrinsics),
        keypoints2d_weak=project(answer.keypoints31, weak_translation(motion.cam)),
        vertices=answer.vertices,
        root=torch.cat((batch.init_root, motion.root), 1),
        root_refined=torch.cat((batch.init_root, answer.root_refined), 1),
        velocity=motion.velocity,
        velocity_refined=answer.velocity_refined,
        feet=answer.feet_world_unrefined.float(),
        feet_refined=feet_refined,
        rotation_camera_world=root_camera @ rotation_world_root.mT,
    )


@torch.no_grad()
def true_clips(
    batch: PublishedBatch, bodies: Mapping[str, BodyModel], *, vertices: bool
) -> PublishedTruth:
    """The truth of a batch, with the surface posed where it is known.

    Args:
        batch: the clips.
        bodies: body models by the names of :data:`BODIES`, on the batch's device.
        vertices: whether to pose the surface.
    """
    return PublishedTruth(
        pose=batch.pose,
        betas=batch.betas,
        has_smpl=batch.has_smpl,
        vertices=_true_vertices(batch, bodies) if vertices else None,
        has_vertices=batch.has_vertices,
        keypoints3d=batch.keypoints3d,
        keypoints2d_full=batch.keypoints2d_full,
        keypoints2d_weak=batch.keypoints2d_weak,
        bbox=batch.bbox,
        contact=batch.contact,
        root=batch.root,
        has_root=batch.has_root,
        velocity=batch.velocity,
        has_velocity=batch.has_velocity,
        rotation_camera_world=batch.rotation_camera_world,
        cam_angvel=batch.cam_angvel,
        has_camera=batch.has_camera,
    )


def _true_vertices(batch: PublishedBatch, bodies: Mapping[str, BodyModel]) -> Tensor:
    size, frames = batch.x.shape[:2]
    surface = batch.x.new_zeros(size, frames, bodies[BODIES[0]].num_vertices, 3)
    rotations = rotation_6d_to_matrix(batch.pose)
    for index, name in enumerate(BODIES):
        chosen = batch.has_vertices & (batch.body_index == index)
        if name not in bodies or not bool(chosen.any()):
            continue
        posed = bodies[name](
            batch.betas[chosen].flatten(0, 1), rotations[chosen].flatten(0, 1), vertices=True
        )
        assert posed.vertices is not None
        surface[chosen] = posed.vertices.unflatten(0, (-1, frames))
    return surface
