"""From a prediction to a posed body with its place in the world and in the camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from humor_ros.body.skeleton import LEFT_HIP, RIGHT_HIP
from humor_ros.geometry.rotation import rotation_6d_to_matrix
from humor_ros.wham.layers import LstmState
from humor_ros.wham.modules import TrajectoryRefiner
from humor_ros.wham.state import WhamState
from humor_ros.wham.trajectory import (
    FRAME_RATE,
    first_frames,
    foot_steps,
    full_image_translation,
    held_velocity,
    sum_up,
    turn,
)
from humor_ros.wham.values import Body, MotionPrediction, WhamInputs, WhamOutputs

__all__ = ["resolve"]


@dataclass(frozen=True)
class _Posed:
    """Points of the posed body, mid-hip centred, camera axes, metres."""

    rotations: Tensor
    joints: Tensor
    keypoints31: Tensor
    feet: Tensor
    vertices: Tensor | None
    offset: Tensor


@dataclass(frozen=True)
class _Way:
    """Root orientation along T frames and before them: (P, T + 1, 6) and as matrices."""

    root: Tensor
    rotation: Tensor

    @classmethod
    def of(cls, before: Tensor, root: Tensor) -> _Way:
        """Join the orientation (P, 6) before the first frame and those of the frames."""
        joined = torch.cat((before[:, None], root), dim=1)
        return cls(joined, rotation_6d_to_matrix(joined))


def resolve(
    refiner: TrajectoryRefiner | None,
    state: WhamState,
    motion: MotionPrediction,
    inputs: WhamInputs,
    body: Body,
    *,
    vertices: bool,
) -> tuple[WhamState, WhamOutputs]:
    """Pose the body, hold standing feet still, refine the trajectory and roll it out.

    Args:
        refiner: the network's refiner; None leaves it and the reset of the velocity out.
        state: of the recurrent modules after these frames, of the trajectory before them.
        motion: the prediction.
        inputs: the measurements; boxes, sizes and intrinsics place the body in the camera.
        body: poses the body.
        vertices: whether to compute the surface too.

    Returns:
        The advanced state and all outputs.
    """
    posed = _pose(body, motion, vertices)
    way = _Way.of(motion.root_previous[:, 0], motion.root)
    rotation_world_camera = way.rotation[:, 1:] @ posed.rotations[..., 0, :, :].transpose(-1, -2)
    feet_world = posed.feet @ rotation_world_camera.transpose(-1, -2)
    root_step = turn(way.rotation[:, :-1], motion.velocity)
    unrefined = sum_up(root_step, state.translation_unrefined)

    root, velocity, velocity_reset = motion.root, motion.velocity, motion.velocity
    memory = (state.refiner_h, state.refiner_c)
    if refiner is not None:
        velocity_reset, root, velocity, memory = _refine(
            refiner, memory, state, motion, way.rotation[:, 1:], root_step, feet_world
        )
    refined = _Way.of(state.root_refined, root)
    translation = sum_up(turn(refined.rotation[:, :-1], velocity), state.translation)
    outputs = WhamOutputs(
        motion=motion,
        rotations=posed.rotations,
        joints=posed.joints,
        keypoints31=posed.keypoints31,
        feet=posed.feet,
        vertices=posed.vertices,
        offset=posed.offset,
        velocity_reset=velocity_reset,
        root_refined=root,
        root_refined_previous=refined.root[:, :-1],
        velocity_refined=velocity,
        rotation_world_root=refined.rotation[:, 1:],
        translation_world=translation,
        feet_world_unrefined=feet_world + unrefined[..., None, :],
        translation_camera=_translation_camera(motion, inputs),
    )
    advanced = replace(
        state,
        refiner_h=memory[0],
        refiner_c=memory[1],
        root_refined=root[:, -1],
        feet=feet_world[:, -1],
        translation=translation[:, -1],
        translation_unrefined=unrefined[:, -1],
        n_frames=state.n_frames + root.shape[1],
    )
    return advanced, outputs


def _pose(body: Body, motion: MotionPrediction, vertices: bool) -> _Posed:
    """Pose the body of every person and frame and centre it."""
    shape = motion.root.shape[:2]
    rotations = rotation_6d_to_matrix(motion.pose)
    points = body(motion.betas.flatten(0, 1), rotations.flatten(0, 1), vertices=vertices)
    keypoints = points.keypoints31
    offset = (keypoints[:, LEFT_HIP] + keypoints[:, RIGHT_HIP])[:, None] / 2.0

    def centred(values: Tensor) -> Tensor:
        return (values - offset).unflatten(0, shape)

    return _Posed(
        rotations=rotations,
        joints=centred(points.joints),
        keypoints31=centred(keypoints),
        feet=centred(points.feet),
        vertices=None if points.vertices is None else centred(points.vertices),
        offset=offset[:, 0].unflatten(0, shape),
    )


def _refine(
    refiner: TrajectoryRefiner,
    memory: LstmState,
    state: WhamState,
    motion: MotionPrediction,
    rotation_world_root: Tensor,
    root_step: Tensor,
    feet_world: Tensor,
) -> tuple[Tensor, Tensor, Tensor, LstmState]:
    """Reset the velocity and refine; returns reset velocity, root, velocity, LSTM state.

    As published, no gradient flows from the refiner into its inputs but the velocity.
    """
    no_step = first_frames(state.n_frames == 0, motion.root.shape[1])
    steps = foot_steps(feet_world, state.feet)
    velocity_reset = held_velocity(
        rotation_world_root, motion.velocity, steps, motion.contacts, no_step
    )
    foot_velocity = (steps + root_step[..., None, :]).detach() * FRAME_RATE
    foot_velocity = torch.where(no_step[..., None, None], 0.0, foot_velocity)
    root, velocity, memory = refiner(
        motion.context.detach(),
        (foot_velocity * motion.contacts.detach()[..., None]).flatten(-2),
        motion.root.detach(),
        velocity_reset,
        memory,
    )
    return velocity_reset, root, velocity, memory


def _translation_camera(motion: MotionPrediction, inputs: WhamInputs) -> Tensor | None:
    if inputs.bbox is None or inputs.res is None or inputs.cam_intrinsics is None:
        return None
    return full_image_translation(motion.cam, inputs.bbox, inputs.res, inputs.cam_intrinsics)
