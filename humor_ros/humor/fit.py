"""The published three-stage fit of motions to observations.

Rempe et al., "HuMoR", ICCV 2021, section 4.3. Stage 1 moves the root alone, stage 2 every frame's
pose and the shape, stage 3 an initial state and the transitions that follow: first over few
frames, then over all with the initial state held still and contacts left out, then everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from humor_ros.humor.body import KEYPOINT_VERTICES, HumorBody
from humor_ros.humor.fit_config import FitConfig, StageWeights
from humor_ros.humor.ground import plane_from_point
from humor_ros.humor.initialisation import initial_poses
from humor_ros.humor.lbfgs import Minimum, minimise
from humor_ros.humor.mixture import InitialStateMixture
from humor_ros.humor.motion import FittedMotion, MotionBuilder
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.objective import FitObjective, ObjectiveValue, PastWindow
from humor_ros.humor.pose_prior import PosePrior
from humor_ros.humor.variables import FitObservations, MotionVariables, PoseVariables

__all__ = ["FitResult", "MotionFitter"]

#: Variables of the middle phase of stage 3.
_WITHOUT_START = ("latent_motion", "betas", "floor_plane")


@dataclass(frozen=True, eq=False)
class FitResult:
    """Fitted motions of B sequences of T frames.

    Attributes:
        poses: translation, root, pose latents and shape in the frame of the observations.
        pose_body: (B, T, 21, 3, 3) rotations of the body's joints.
        joints: (B, T, 22, 3) joints in the frame of the observations, metres.
        verts3d: (B, T, 43, 3) ``KEYPOINT_VERTICES`` in the same frame; empty on a body
            without SMPL's mesh.
        contacts: (B, T, 22) contact probability of joints.
        floor_plane: (B, 4) ground in the camera, None where the observations' world has its own.
        motion: the same in the world of the prior, with all that the networks said.
        variables: what stage 3 found.
        stages: how each minimisation went: stages 1, 2 and the phases of 3, by name.
    """

    poses: PoseVariables
    pose_body: Tensor
    joints: Tensor
    verts3d: Tensor
    contacts: Tensor
    floor_plane: Tensor | None
    motion: FittedMotion
    variables: MotionVariables
    stages: dict[str, Minimum]

    @property
    def diverged(self) -> bool:
        """Whether a stage ended early because its energy was not finite."""
        return any(stage.diverged for stage in self.stages.values())


class MotionFitter:
    """Fits motions with given networks, body and priors; holds no state between fits."""

    def __init__(
        self,
        network: HumorNetwork,
        body: HumorBody,
        pose_prior: PosePrior,
        mixture: InitialStateMixture | None,
        config: FitConfig,
    ) -> None:
        """Keep the parts; the networks are frozen.

        Args:
            network: the networks.
            body: with all vertices of the SMPL mesh where vertices are observed.
            pose_prior: VPoser or its substitute.
            mixture: prior of initial states; None leaves its energy out.
            config: weights and schedules.
        """
        self.network = network.requires_grad_(False).eval()
        self.body = body
        self.pose_prior = pose_prior
        self.mixture = mixture
        if mixture is None:
            config = replace(config, stage3=replace(config.stage3, init_motion_prior=0.0))
        self.config = config

    def fit(
        self,
        observations: FitObservations,
        *,
        past: PastWindow | None = None,
        start: PoseVariables | None = None,
        report: Callable[[str, Minimum], None] | None = None,
    ) -> FitResult:
        """Run all stages.

        Args:
            observations: what to fit to, T >= 2 frames.
            past: window that the first one overlaps with.
            start: first values instead of the published ones.
            report: called with the name and outcome of each stage.

        Raises:
            ValueError: there are fewer than two frames, or the body lacks the observed vertices.
        """
        count = observations.size[1]
        if count < 2:
            raise ValueError(f"a motion needs at least 2 frames, got {count}")
        objective = FitObjective(
            self.network,
            self.body,
            self.pose_prior,
            self.mixture,
            observations,
            past,
            canonical_start=self.config.canonical_start,
        )
        observations = objective.observations
        first = start or initial_poses(observations, self.body, self.pose_prior)
        variables = _leaves(first)
        stages: dict[str, Minimum] = {}

        def run(
            name: str,
            value: Callable[[Mapping[str, Tensor]], ObjectiveValue],
            over: dict[str, Tensor],
            free: tuple[str, ...],
            iterations: int,
        ) -> None:
            stages[name] = minimise(
                value,
                over,
                tuple(key for key in free if key in over),
                iterations=iterations,
                inner_iterations=self.config.inner_iterations,
                learning_rate=self.config.learning_rate,
            )
            if report is not None:
                report(name, stages[name])

        stage1, stage2, _ = self.config.iterations
        run(
            "1",
            partial(_root, objective, self.config.stage1),
            variables,
            ("trans", "root_orient"),
            stage1,
        )
        run(
            "2",
            partial(_poses, objective, self.config.stage2),
            variables,
            ("trans", "root_orient", "betas", "latent_pose"),
            stage2,
        )
        start3 = objective.builder.variables_from_poses(
            PoseVariables(**variables), observations.floor_plane
        )
        motion = _leaves(start3)
        for phase in self._phases(count):
            value = partial(_motion, objective, phase)
            free = _WITHOUT_START if phase.frozen else tuple(motion)
            run(phase.name, value, motion, free, phase.iterations)
        return self._result(MotionVariables(**motion), stages)

    def _phases(self, n_frames: int) -> tuple[_Phase, ...]:
        config, weights = self.config, self.config.stage3
        total = config.iterations[2]
        first, until = min(config.first_until, total), min(config.frozen_until, total)
        few = min(config.first_frames, n_frames)
        still = replace(weights, contact_vel=0.0, contact_height=0.0)
        scale = n_frames / few
        return (
            _Phase("3a", replace(weights, overlap=0.0), few, 1.0, first, frozen=False),
            _Phase("3b", still, n_frames, scale, until - first, frozen=True),
            _Phase("3c", weights, n_frames, scale, total - until, frozen=False),
        )

    @torch.no_grad()
    def _result(self, variables: MotionVariables, stages: dict[str, Minimum]) -> FitResult:
        body = self.body.with_vertices(KEYPOINT_VERTICES if self.body.has_smpl_mesh else ())
        builder = MotionBuilder(
            self.network, body, self.pose_prior, canonical_start=self.config.canonical_start
        )
        motion = builder.motion(variables)
        ground = variables.floor_plane
        return FitResult(
            poses=builder.poses_from_motion(motion, variables.betas),
            pose_body=motion.rotations[:, :, 1:],
            joints=motion.observed.joints,
            verts3d=motion.observed.vertices,
            contacts=motion.contacts,
            floor_plane=None if ground is None else plane_from_point(ground),
            motion=motion,
            variables=variables,
            stages=stages,
        )


@dataclass(frozen=True)
class _Phase:
    name: str
    weights: StageWeights
    n_frames: int
    initial_scale: float
    iterations: int
    frozen: bool


def _leaves(values: PoseVariables | MotionVariables) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in values.tensors().items()}


def _root(
    objective: FitObjective, weights: StageWeights, variables: Mapping[str, Tensor]
) -> ObjectiveValue:
    return objective.root(PoseVariables(**variables), weights)


def _poses(
    objective: FitObjective, weights: StageWeights, variables: Mapping[str, Tensor]
) -> ObjectiveValue:
    return objective.poses(PoseVariables(**variables), weights)


def _motion(
    objective: FitObjective, phase: _Phase, variables: Mapping[str, Tensor]
) -> ObjectiveValue:
    return objective.motion(
        MotionVariables(**variables),
        phase.weights,
        n_frames=phase.n_frames,
        initial_scale=phase.initial_scale,
    )
