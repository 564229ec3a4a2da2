"""The objective of each stage, its terms and gradients, at given variables.

Three fits are covered: 3D joints (``amassjoints``) and surface vertices (``amasskeypts``) in a
world with its own ground, and image key-points of two overlapping windows (``rgb``). The inputs
hold the variables of stage 2; those of stage 3 follow from them. The 3D observations are defined
by formula (:func:`world_observations`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from humor_ros.humor.body import KEYPOINT_VERTICES, HumorBody
from humor_ros.humor.fit_config import PRESETS, FitConfig
from humor_ros.humor.ground import plane_from_point
from humor_ros.humor.initialisation import initial_poses
from humor_ros.humor.mixture import InitialStateMixture
from humor_ros.humor.motion import MotionBuilder
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.objective import FitObjective, ObjectiveValue
from humor_ros.humor.pose_prior import PosePrior
from humor_ros.humor.rotations import rodrigues, rotation_vector
from humor_ros.humor.state import NUM_JOINTS
from humor_ros.humor.variables import FitObservations, MotionVariables, PoseVariables

__all__ = ["stages", "world_observations"]

_Inputs = Mapping[str, Tensor]
_Results = dict[str, Tensor]

_ROOT = ("trans", "root_orient")
_POSES = (*_ROOT, "betas", "latent_pose")
_FROZEN = ("latent_motion", "betas", "floor_plane")
_TERMS = {
    "overlap_verts3d": "rgb_overlap_consist_verts3d_pos",
    "overlap_verts3d_vel": "rgb_overlap_consist_verts3d_vel",
    "overlap_betas": "rgb_overlap_consist_betas",
    "overlap_floor": "rgb_overlap_consist_floor",
}
#: The ground's variable stands beside the observed ground by this much, metres.
_FLOOR_AWAY = (0.01, -0.02, 0.015)
#: Joints and frames that the 3D joints lack.
_HIDDEN_FRAMES, _HIDDEN_JOINTS = slice(5, 8), slice(3, 9)
#: Vertices lower than this are not observed, metres.
_LOWEST_VERTEX = 0.9


@dataclass(frozen=True)
class _Case:
    name: str
    config: FitConfig
    observations: FitObservations
    poses: PoseVariables


def stages(
    data: _Inputs,
    network: HumorNetwork,
    body: HumorBody,
    pose_prior: PosePrior,
    mixture: InitialStateMixture,
) -> _Results:
    """Evaluate all stages of the three fits.

    Args:
        data: inputs by name; those of the stages begin with ``M_``.
        network: frozen.
        body: with all vertices.
        pose_prior: VPoser.
        mixture: prior of initial states.

    Returns:
        ``<case>_<stage>_loss``, ``_term_*``, ``_var_*`` and ``_grad_*``, first values
        (``<case>_init_*``) and results (``<case>_res_*``, ``<case>_final_*``).
    """
    joints3d, verts3d = world_observations(data["M_trans_w"])
    results = {"amass_obs_joints3d": joints3d, "amass_obs_verts3d": verts3d}
    camera = FitObservations(
        joints2d=data["M_obs_joints2d"],
        camera_matrix=data["M_cam"],
        floor_plane=data["M_floor"],
        seq_interval=data["M_seq_interval"],
    )
    world = _poses(data, "w")
    cases = (
        _Case("amassjoints", PRESETS["amass_joints"], FitObservations(joints3d=joints3d), world),
        _Case("amasskeypts", PRESETS["amass_keypts"], FitObservations(verts3d=verts3d), world),
        _Case("rgb", PRESETS["rgb_windows"], camera, _poses(data, "c")),
    )
    for case in cases:
        objective = FitObjective(
            network, body, pose_prior, mixture, case.observations, published_rounding=True
        )
        start = initial_poses(case.observations, body, pose_prior)
        found: _Results = {"init_trans": start.trans, "init_root_orient": start.root_orient}
        found |= _pose_stages(objective, case)
        found |= _motion_stages(objective, body, case)
        results |= {f"{case.name}_{name}": value for name, value in found.items()}
    return results


def world_observations(trans: Tensor) -> tuple[Tensor, Tensor]:
    """3D joints and vertices in the world, made of sines about given translations.

    Args:
        trans: (B, T, 3).

    Returns:
        (B, T, 22, 3) joints and (B, T, 43, 3) vertices, infinite where they are not observed.
    """

    def angles(points: int) -> Tensor:
        count = trans.shape[1] * points * 3
        steps = torch.arange(count, dtype=trans.dtype, device=trans.device)
        return steps.reshape(1, trans.shape[1], points, 3)

    joints = trans[:, :, None] + 0.3 * torch.sin(angles(NUM_JOINTS))
    joints[:, _HIDDEN_FRAMES, _HIDDEN_JOINTS] = torch.inf
    vertices = trans[:, :, None] + 0.4 * torch.cos(angles(len(KEYPOINT_VERTICES)))
    hidden = vertices[..., 2:] < _LOWEST_VERTEX
    return joints, torch.where(hidden, torch.inf, vertices)


def _poses(data: _Inputs, frame: str) -> PoseVariables:
    return PoseVariables(
        trans=data[f"M_trans_{frame}"],
        root_orient=data[f"M_root_{frame}"],
        latent_pose=data["M_latent_pose"],
        betas=data["M_betas"],
    )


def _pose_stages(objective: FitObjective, case: _Case) -> _Results:
    poses = case.poses
    zeros = replace(
        poses,
        latent_pose=torch.zeros_like(poses.latent_pose),
        betas=torch.zeros_like(poses.betas),
    )
    first, second = (
        PoseVariables(**{k: t.detach().clone().requires_grad_() for k, t in p.tensors().items()})
        for p in (zeros, poses)
    )
    results = _evaluated("s1", objective.root(first, case.config.stage1), first.tensors(), _ROOT)
    value = objective.poses(second, case.config.stage2)
    return results | _evaluated("s2", value, second.tensors(), _POSES)


def _motion_stages(objective: FitObjective, body: HumorBody, case: _Case) -> _Results:
    config, weights = case.config, case.config.stage3
    start = objective.builder.variables_from_poses(case.poses, case.observations.floor_plane)
    if start.floor_plane is not None:
        start = replace(
            start, floor_plane=start.floor_plane + start.floor_plane.new_tensor(_FLOOR_AWAY)
        )
    motion = MotionVariables(
        **{k: t.detach().clone().requires_grad_() for k, t in start.tensors().items()}
    )
    tensors = motion.tensors()
    scale = case.poses.trans.shape[1] / config.first_frames
    value = objective.motion(motion, replace(weights, overlap=0.0), n_frames=config.first_frames)
    results = _evaluated("s3a", value, tensors, list(tensors))
    still = replace(weights, contact_vel=0.0, contact_height=0.0)
    value = objective.motion(motion, still, initial_scale=scale)
    results |= _evaluated("s3b", value, tensors, [n for n in _FROZEN if n in tensors])
    value = objective.motion(motion, weights, initial_scale=scale)
    results |= _evaluated("s3c", value, tensors, list(tensors))
    return results | _outcome(objective, body, motion)


def _evaluated(
    stage: str, value: ObjectiveValue, tensors: Mapping[str, Tensor], names: Sequence[str]
) -> _Results:
    gradients = torch.autograd.grad(value.total, [tensors[name] for name in names])
    results = {f"{stage}_loss": value.total}
    results |= {f"{stage}_term_{_TERMS.get(k, k)}": term for k, term in value.terms.items()}
    for name, gradient in zip(names, gradients, strict=True):
        results |= {f"{stage}_var_{name}": tensors[name], f"{stage}_grad_{name}": gradient}
    return results


@torch.no_grad()
def _outcome(objective: FitObjective, body: HumorBody, variables: MotionVariables) -> _Results:
    # The objective poses only what it needs; the result has vertices in any case.
    builder = MotionBuilder(
        objective.builder.network,
        body.with_vertices(KEYPOINT_VERTICES),
        objective.builder.pose_prior,
        published_rounding=True,
    )
    motion = builder.motion(variables)
    poses = builder.poses_from_motion(motion, variables.betas)
    contacts = (motion.contacts > 0.5).to(motion.contacts.dtype)
    results = {
        "res_joints3d": motion.observed.joints,
        "res_contacts": contacts,
        "res_verts3d": motion.observed.vertices,
        "final_trans": poses.trans,
        "final_root_orient": poses.root_orient,
        "final_pose_body": rotation_vector(motion.rotations[:, :, 1:]).flatten(-2),
        "final_betas": variables.betas,
        "final_latent_pose": poses.latent_pose,
        "final_latent_motion": variables.latent_motion,
        "final_contacts": contacts,
    }
    if motion.frame is not None and variables.floor_plane is not None:
        results["res_prior_trans"] = motion.trans
        results["res_prior_root_orient"] = rotation_vector(
            motion.frame.orient_to_prior(rodrigues(poses.root_orient))
        )
        results["final_floor_plane"] = plane_from_point(variables.floor_plane)
        results["cam2prior_R"] = motion.frame.rotation
        results["cam2prior_t"] = motion.frame.shift
        results["cam2prior_h"] = motion.frame.root_height
    return results
