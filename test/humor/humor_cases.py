"""Small networks, bodies and states for the tests of HuMoR, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor import HumorConfig, HumorNetwork, MotionState
from humor_ros.humor.body import HumorBody
from humor_ros.humor.mixture import FEATURE_SIZE, InitialStateMixture

SMALL = HumorConfig(
    latent_size=5, encoder_widths=(32, 32), prior_widths=(32, 48), decoder_widths=(48, 32)
)
#: Groups of 16 numbers: normalising pairs, as in SMALL, makes steps of everything.
SMOOTH = HumorConfig(
    latent_size=5, encoder_widths=(64,), prior_widths=(64,), decoder_widths=(64, 64), groups=4
)
DTYPE = torch.float64
#: Upright: SMPL's y axis along z, the right side along x.
UPRIGHT = torch.tensor([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]], dtype=DTYPE)


def noise(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=DTYPE)


def make_network(config: HumorConfig = SMALL, seed: int = 0) -> HumorNetwork:
    """A frozen network whose steps are small, so that roll-outs stay near."""
    torch.manual_seed(seed)
    network = HumorNetwork(config).to(DTYPE).requires_grad_(False)
    last = network.decoder.net[-1]
    last.weight.mul_(0.1)
    last.bias.mul_(0.1)
    return network.eval()


def make_state(batch: int, seed: int = 0, *, yaw: float = 0.0) -> MotionState:
    """Canonical states of upright bodies, turned about z by ``yaw`` alone."""
    turn = axis_angle_to_matrix(torch.tensor([0.0, 0.0, yaw], dtype=DTYPE))
    trans = torch.zeros(batch, 3, dtype=DTYPE)
    trans[:, 2] = 1.0
    joints = noise(batch, 22, 3, seed=seed, scale=0.3) + trans[:, None]
    return MotionState(
        trans=trans,
        trans_vel=noise(batch, 3, seed=seed + 1, scale=0.3),
        root_orient=(turn @ UPRIGHT).expand(batch, 3, 3),
        root_orient_vel=noise(batch, 3, seed=seed + 2, scale=0.3),
        pose_body=axis_angle_to_matrix(noise(batch, 21, 3, seed=seed + 3, scale=0.2)),
        joints=joints,
        joints_vel=noise(batch, 22, 3, seed=seed + 4, scale=0.3),
    )


def body_arrays(joints: int = 24, vertices: int = 200, betas: int = 6) -> dict[str, Any]:
    """A cloud of vertices about a stick figure, in the format of SMPL's files."""
    rng = np.random.default_rng(7)
    parents = np.array([-1, *SMPL_PARENTS[1:22], *([20] * ((joints - 22) // 2)), *([21] * 99)])
    parents = parents[:joints]
    places = np.zeros((joints, 3))
    for joint in range(1, joints):
        places[joint] = places[parents[joint]] + rng.normal(scale=0.15, size=3)
    owner = np.arange(vertices) % joints
    weights = np.zeros((vertices, joints))
    weights[np.arange(vertices), owner] = 0.7
    weights[np.arange(vertices), np.maximum(parents[owner], 0)] += 0.3
    regressor = np.zeros((joints, vertices))
    regressor[owner, np.arange(vertices)] = 1.0
    regressor /= regressor.sum(axis=1, keepdims=True)
    return {
        "v_template": places[owner] + rng.normal(scale=0.05, size=(vertices, 3)),
        "shapedirs": rng.normal(scale=0.02, size=(vertices, 3, betas)),
        "posedirs": rng.normal(scale=0.01, size=(vertices, 3, 9 * (joints - 1))),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.stack((parents, np.arange(joints))),
        "f": np.zeros((1, 3), dtype=np.int64),
    }


def make_body(joints: int = 24) -> HumorBody:
    return HumorBody(body_arrays(joints), dtype=DTYPE)


def make_mixture(seed: int = 3) -> InitialStateMixture:
    rng = np.random.default_rng(seed)
    factors = np.eye(FEATURE_SIZE) + 0.02 * rng.normal(size=(3, FEATURE_SIZE, FEATURE_SIZE))
    return InitialStateMixture(
        np.array([0.2, 0.3, 0.5]),
        rng.normal(size=(3, FEATURE_SIZE)),
        factors @ factors.transpose(0, 2, 1),
        dtype=DTYPE,
    )
