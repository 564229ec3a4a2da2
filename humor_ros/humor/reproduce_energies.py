"""Each energy of the fit and its gradient for given inputs, under the names of golden arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.humor.body import OPENPOSE_FROM_POINTS
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
)
from humor_ros.humor.mixture import InitialStateMixture
from humor_ros.humor.networks import LatentGaussian
from humor_ros.humor.state import NUM_JOINTS, MotionState

__all__ = ["energies"]

_PREFIX = "L_"
#: Of 51 further SMPL+H joints, the first 30 are fingers.
_FINGERS = 30

_Inputs = Mapping[str, Tensor]


@dataclass(frozen=True)
class _Energy:
    """An energy, and the inputs that its gradient is given for."""

    value: Callable[[_Inputs], Tensor]
    inputs: tuple[str, ...]


def energies(data: _Inputs, mixture: InitialStateMixture) -> dict[str, Tensor]:
    """Compute every energy and its gradients.

    Args:
        data: inputs by name; those of the energies begin with ``L_``.
        mixture: prior of initial states.

    Returns:
        ``E_<term>`` and ``E_<term>__d_<input>``.
    """
    results = {}
    for name, energy in _energies(mixture).items():
        leaves = {k.removeprefix(_PREFIX): v for k, v in data.items() if k.startswith(_PREFIX)}
        leaves |= {k: leaves[k].clone().requires_grad_() for k in energy.inputs}
        value = energy.value(leaves)
        gradients = torch.autograd.grad(value, [leaves[k] for k in energy.inputs])
        results[f"E_{name}"] = value
        for key, gradient in zip(energy.inputs, gradients, strict=True):
            results[f"E_{name}__d_{_PREFIX}{key}"] = gradient
    return results


def _energies(mixture: InitialStateMixture) -> dict[str, _Energy]:
    def observed_points(x: _Inputs) -> Tensor:
        return point_energy(x["joints3d"], x["joints3d_obs"])

    def initial(x: _Inputs) -> Tensor:
        return initial_state_energy(_initial_state(x), mixture)

    def transitions(x: _Inputs) -> Tensor:
        return transition_energy(x["z"], LatentGaussian(x["pm"], x["pv"]))

    return {
        "joints3d": _Energy(observed_points, ("joints3d",)),
        "verts3d": _Energy(observed_points, ("joints3d",)),
        "joints3d_smooth": _Energy(lambda x: smoothness_energy(x["joints3d"]), ("joints3d",)),
        "joints2d": _Energy(_image, ("cam_joints3d", "cam_extra")),
        "points3d": _Energy(
            lambda x: surface_energy(x["points_pred"], x["points_obs"]), ("points_pred",)
        ),
        "motion_prior_cond": _Energy(transitions, ("z", "pm", "pv")),
        "motion_prior_std": _Energy(lambda x: latent_energy(x["z"]), ("z",)),
        "init_motion_prior": _Energy(
            initial, ("init_joints", "init_joints_vel", "init_trans_vel", "init_root_orient_vel")
        ),
        "joint_consistency": _Energy(
            lambda x: point_energy(x["joints3d"], x["rollout"]), ("joints3d", "rollout")
        ),
        "bone_length": _Energy(lambda x: bone_length_energy(x["rollout"]), ("rollout",)),
        "contact_vel": _Energy(
            lambda x: contact_velocity_energy(x["joints3d"], x["contacts_conf"]),
            ("contacts_conf", "joints3d"),
        ),
        "contact_height": _Energy(
            lambda x: contact_height_energy(x["floor_joints3d"], x["contacts_conf"]),
            ("contacts_conf", "floor_joints3d"),
        ),
        "floor_reg": _Energy(
            lambda x: ground_energy(x["floor_pred"], x["floor_obs"]), ("floor_pred",)
        ),
        "shape_prior": _Energy(lambda x: latent_energy(x["betas"]), ("betas",)),
        "pose_prior": _Energy(lambda x: latent_energy(x["latent_pose"]), ("latent_pose",)),
    }


def _image(x: _Inputs) -> Tensor:
    joints = torch.cat((x["cam_joints3d"], x["cam_extra"][:, :, _FINGERS:]), dim=2)
    openpose = joints[:, :, list(OPENPOSE_FROM_POINTS)]
    return image_energy(openpose, x["joints2d_obs"], ImageProjection(x["cam_f"], x["cam_cent"]))


def _initial_state(x: _Inputs) -> MotionState:
    """The state of which the mixture reads joints and velocities; the rest is at rest."""
    joints = x["init_joints"]
    identity = torch.eye(3, dtype=joints.dtype).expand(*joints.shape[:2], NUM_JOINTS, 3, 3)
    return MotionState(
        trans=torch.zeros_like(x["init_trans_vel"]),
        trans_vel=x["init_trans_vel"],
        root_orient=identity[:, :, 0],
        root_orient_vel=x["init_root_orient_vel"],
        pose_body=identity[:, :, 1:],
        joints=joints,
        joints_vel=x["init_joints_vel"],
    )
