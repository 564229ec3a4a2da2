"""The complete objective of each stage of the published fit.

Rempe et al., "HuMoR", ICCV 2021, section 4. Terms of weight 0 are not computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.humor.body import (
    KEYPOINT_VERTICES,
    OPENPOSE_FROM_POINTS,
    OPENPOSE_VERTICES,
    SMPL_MESH_SIZE,
    HumorBody,
    PosedPoints,
)
from humor_ros.humor.energies import (
    ImageProjection,
    bone_length_energy,
    contact_height_energy,
    contact_velocity_energy,
    ground_energy,
    image_energy,
    initial_state_energy,
    latent_energy,
    point_energy,
    smoothness_energy,
    surface_energy,
    transition_energy,
    velocity_difference_energy,
)
from humor_ros.humor.fit_config import StageWeights
from humor_ros.humor.mixture import InitialStateMixture
from humor_ros.humor.motion import FittedMotion, MotionBuilder
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.pose_prior import PosePrior
from humor_ros.humor.variables import FitObservations, MotionVariables, PoseVariables

__all__ = ["FitObjective", "ObjectiveValue", "PastWindow"]

_KEYPOINTS = len(KEYPOINT_VERTICES)


@dataclass(frozen=True, eq=False)
class ObjectiveValue:
    """A value of the objective.

    Attributes:
        total: weighted sum of the terms.
        terms: each energy without its weight, by name.
    """

    total: Tensor
    terms: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class PastWindow:
    """The last window of the batch before, which the first window of this one must agree with.

    Attributes:
        verts3d: (T, 43, 3) surface vertices in the frame of the observations.
        betas: (num_betas,) shape.
        floor_plane: (3,) ground variable, None where there is none.
        seq_interval: (2,) its first frame and the one after its last.
    """

    verts3d: Tensor
    betas: Tensor
    floor_plane: Tensor | None
    seq_interval: Tensor


class FitObjective:
    """Values of the objective for given observations; holds no variables."""

    def __init__(
        self,
        network: HumorNetwork,
        body: HumorBody,
        pose_prior: PosePrior,
        mixture: InitialStateMixture | None,
        observations: FitObservations,
        past: PastWindow | None = None,
        *,
        published_rounding: bool = False,
        canonical_start: bool = False,
    ) -> None:
        """Prepare the objective.

        Args:
            network: the networks, preferably frozen.
            body: with all vertices of the SMPL mesh where vertices are observed.
            pose_prior: space of the pose latents.
            mixture: prior of initial states, needed where its weight is not 0.
            observations: what is fitted to; taken in the body's floating-point type.
            past: window that the first one overlaps with.
            published_rounding: see :class:`humor_ros.humor.motion.MotionBuilder`, as
                ``canonical_start``.

        Raises:
            ValueError: the observations need vertices that the body does not have.
        """
        self.observations = observations = observations.to(body.dtype)
        self.mixture = mixture
        self.past = past
        self._uses_surface = observations.points3d is not None
        self._uses_vertices = self._uses_surface or any(
            value is not None
            for value in (observations.joints2d, observations.verts3d, observations.seq_interval)
        )
        chosen: list[int] = [*KEYPOINT_VERTICES, *OPENPOSE_VERTICES] if self._uses_vertices else []
        if chosen and not body.has_smpl_mesh:
            raise ValueError(
                f"the body has {body.num_vertices} vertices; image key-points, vertices and "
                f"overlapping windows need SMPL's mesh of {SMPL_MESH_SIZE}: give a SMPL or SMPL+H "
                "file, or fit 3D joints"
            )
        if self._uses_surface:
            chosen += range(body.num_vertices)
        self.builder = MotionBuilder(
            network,
            body.with_vertices(chosen),
            pose_prior,
            published_rounding=published_rounding,
            canonical_start=canonical_start,
        )
        self._projection = None
        if observations.camera_matrix is not None:
            matrix = observations.camera_matrix
            focal = torch.stack((matrix[:, 0, 0], matrix[:, 1, 1]), dim=-1)
            self._projection = ImageProjection(focal, matrix[:, :2, 2])

    def root(self, variables: PoseVariables, weights: StageWeights) -> ObjectiveValue:
        """Stage 1: data and overlap of the surface alone."""
        points = self.builder.pose(variables, vertices=self._uses_vertices)
        terms = self._data(points, weights, variables.trans.shape[1])
        terms |= self._overlap_surface(points, weights)
        return _weighted(terms, weights, n_frames=variables.trans.shape[1])

    def poses(self, variables: PoseVariables, weights: StageWeights) -> ObjectiveValue:
        """Stage 2: data, overlap, pose and shape priors, smoothness."""
        points = self.builder.pose(variables, vertices=self._uses_vertices)
        count = variables.trans.shape[1]
        terms = self._data(points, weights, count)
        terms |= self._overlap_surface(points, weights)
        if weights.pose_prior:
            terms["pose_prior"] = latent_energy(variables.latent_pose)
        if weights.joints3d_smooth:
            terms["joints3d_smooth"] = smoothness_energy(points.joints)
        terms |= self._shape(variables.betas, weights)
        return _weighted(terms, weights, n_frames=count)

    def motion(
        self,
        variables: MotionVariables,
        weights: StageWeights,
        *,
        n_frames: int | None = None,
        initial_scale: float = 1.0,
    ) -> ObjectiveValue:
        """Stage 3.

        Args:
            variables: the initial state, transitions, shape and ground.
            weights: of the phase.
            n_frames: only the first frames count; None for all.
            initial_scale: factor of the initial state's energy.

        Raises:
            ValueError: the initial state's energy has weight but there is no mixture.
        """
        motion = self.builder.motion(variables, n_frames)
        count = motion.trans.shape[1]
        terms = self._data(motion.observed, weights, count)
        terms |= self._overlap_surface(motion.observed, weights)
        terms |= self._shape(variables.betas, weights)
        terms |= self._motion_terms(motion, weights)
        terms |= self._ground(variables.floor_plane, weights)
        return _weighted(terms, weights, n_frames=count, initial_scale=initial_scale)

    def _motion_terms(self, motion: FittedMotion, weights: StageWeights) -> dict[str, Tensor]:
        terms = {}
        joints = motion.posed.joints
        if weights.motion_prior:
            terms["motion_prior"] = transition_energy(motion.rollout.z, motion.rollout.prior)
        if weights.init_motion_prior:
            if self.mixture is None:
                raise ValueError("init_motion_prior has weight: give the initial-state mixture")
            terms["init_motion_prior"] = initial_state_energy(motion.initial, self.mixture)
        if weights.joint_consistency:
            terms["joint_consistency"] = point_energy(joints, motion.predicted_joints)
        if weights.bone_length:
            terms["bone_length"] = bone_length_energy(motion.predicted_joints)
        if weights.contact_vel:
            terms["contact_vel"] = contact_velocity_energy(joints, motion.contacts)
        if weights.contact_height:
            terms["contact_height"] = contact_height_energy(joints, motion.contacts)
        return terms

    def _data(self, points: PosedPoints, weights: StageWeights, n: int) -> dict[str, Tensor]:
        seen, terms = self.observations, {}
        if weights.joints2d and seen.joints2d is not None and self._projection is not None:
            extra = points.vertices[:, :, _KEYPOINTS : _KEYPOINTS + len(OPENPOSE_VERTICES)]
            body = torch.cat((points.joints, extra), dim=2)
            openpose = body[:, :, list(OPENPOSE_FROM_POINTS)]
            terms["joints2d"] = image_energy(openpose, seen.joints2d[:, :n], self._projection)
        if weights.joints3d and seen.joints3d is not None:
            terms["joints3d"] = point_energy(points.joints, seen.joints3d[:, :n])
        if weights.verts3d and seen.verts3d is not None:
            terms["verts3d"] = point_energy(points.vertices[:, :, :_KEYPOINTS], seen.verts3d[:, :n])
        if weights.points3d and seen.points3d is not None:
            surface = points.vertices[:, :, _KEYPOINTS + len(OPENPOSE_VERTICES) :]
            terms["points3d"] = surface_energy(surface, seen.points3d[:, :n])
        return terms

    def _shape(self, betas: Tensor, weights: StageWeights) -> dict[str, Tensor]:
        terms = {}
        if weights.shape_prior:
            terms["shape_prior"] = latent_energy(betas)
        if weights.overlap and self.observations.seq_interval is not None:
            terms["overlap_betas"] = point_energy(betas[1:], betas[:-1])
            if self.past is not None:
                terms["overlap_betas"] = terms["overlap_betas"] + point_energy(
                    betas[0], self.past.betas
                )
        return terms

    def _ground(self, floor_plane: Tensor | None, weights: StageWeights) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        if floor_plane is None:
            return terms
        if weights.floor_reg and self.observations.floor_plane is not None:
            terms["floor_reg"] = ground_energy(floor_plane, self.observations.floor_plane)
        if weights.overlap and self.observations.seq_interval is not None:
            terms["overlap_floor"] = point_energy(floor_plane[1:], floor_plane[:-1])
            if self.past is not None and self.past.floor_plane is not None:
                terms["overlap_floor"] = terms["overlap_floor"] + point_energy(
                    floor_plane[0], self.past.floor_plane
                )
        return terms

    def _overlap_surface(self, points: PosedPoints, weights: StageWeights) -> dict[str, Tensor]:
        """Places and displacements of the surface where consecutive windows overlap."""
        intervals = self.observations.seq_interval
        if not weights.overlap or intervals is None:
            return {}
        surface = points.vertices[:, :, :_KEYPOINTS]
        place = surface.new_zeros(())
        moved = surface.new_zeros(())
        pairs = [
            (surface[i], surface[i + 1], int(intervals[i, 1] - intervals[i + 1, 0]))
            for i in range(len(surface) - 1)
        ]
        if self.past is not None:
            shared = int(self.past.seq_interval[1] - intervals[0, 0])
            pairs.append((self.past.verts3d, surface[0], shared))
        for earlier, later, shared in pairs:
            if shared > 0:
                end, start = earlier[-shared:], later[:shared]
                place = place + point_energy(start, end)
                moved = moved + velocity_difference_energy(start, end)
        return {"overlap_verts3d": place, "overlap_verts3d_vel": moved}


def _weighted(
    terms: dict[str, Tensor],
    weights: StageWeights,
    *,
    n_frames: int,
    initial_scale: float = 1.0,
) -> ObjectiveValue:
    """Sum the terms; shape and ground count once for each frame, as published."""
    scales = {
        "shape_prior": float(n_frames),
        "floor_reg": float(n_frames),
        "init_motion_prior": initial_scale,
    }
    total = torch.zeros(())
    for name, value in terms.items():
        weight = weights.overlap if name.startswith("overlap_") else getattr(weights, name)
        total = total + weight * scales.get(name, 1.0) * value
    return ObjectiveValue(total, terms)
