"""Roll-outs that keep the bones of their first state, and decoders with a direct map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from humor_cases import DTYPE, SMALL, SMOOTH, make_body, make_network, make_state, noise

from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor import MotionState, roll_out
from humor_ros.humor.mlp_jacobian import mlp_jacobian
from humor_ros.humor.packed import PackedState
from humor_ros.humor.rigid import RigidBones
from humor_ros.humor.state import INPUT_SIZE
from humor_ros.humor.weights import load_network, save_safetensors

RIGID = replace(SMALL, rigid=True)
DIRECT = replace(SMOOTH, direct=True)


def body_state(batch: int = 3, seed: int = 0) -> tuple[MotionState, torch.Tensor]:
    """States whose joints are those of a body, and its shapes."""
    body, state = make_body().with_vertices(()), make_state(batch, seed)
    betas = noise(batch, body.num_betas, seed=seed + 9)
    rotations = torch.cat((state.root_orient[:, None], state.pose_body), dim=1)
    joints = body.joints(betas, rotations[:, None], state.trans[:, None])[:, 0]
    return replace(state, joints=joints), betas


def test_posing_is_that_of_the_body() -> None:
    state, betas = body_state()
    bones = RigidBones.of(PackedState.pack(state))
    other = axis_angle_to_matrix(noise(3, 22, 3, seed=20, scale=0.6))
    trans = noise(3, 3, seed=21)
    moved = replace(state, root_orient=other[:, 0], pose_body=other[:, 1:], trans=trans)
    found = bones.posed(PackedState.pack(moved)).unpack()
    wanted = make_body().with_vertices(()).joints(betas, other[:, None], trans[:, None])[:, 0]
    torch.testing.assert_close(found.joints, wanted, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.joints_vel, state.joints_vel)


def test_a_rigid_roll_out_poses_its_own_rotations() -> None:
    state, betas = body_state()
    rolled = roll_out(make_network(RIGID), state, n_steps=12, canonicalize=True).states
    rotations = torch.cat((rolled.root_orient[:, :, None], rolled.pose_body), dim=2)
    wanted = make_body().with_vertices(()).joints(betas, rotations, rolled.trans)
    torch.testing.assert_close(rolled.joints, wanted, rtol=0, atol=1e-9)
    free = roll_out(make_network(SMALL), state, n_steps=12, canonicalize=True).states
    assert float((free.joints - rolled.joints).abs().max()) > 1e-3


def test_the_first_joint_prediction_is_all_that_differs_in_a_step() -> None:
    state, _ = body_state()
    free = roll_out(make_network(SMALL), state, n_steps=1).states
    rigid = roll_out(make_network(RIGID), state, n_steps=1).states
    for name in ("trans", "trans_vel", "root_orient", "pose_body", "joints_vel", "contacts"):
        torch.testing.assert_close(getattr(rigid, name), getattr(free, name))


def test_gradients_of_a_rigid_roll_out_are_finite() -> None:
    state, _ = body_state(1)
    z = noise(1, 5, RIGID.latent_size).requires_grad_()
    roll_out(make_network(RIGID), state, z).states.joints.square().sum().backward()
    assert z.grad is not None
    assert bool(torch.isfinite(z.grad).all())
    assert float(z.grad.abs().max()) > 0


def test_the_direct_map_is_added_in_every_form() -> None:
    network = make_network(DIRECT)
    plain = make_network(SMOOTH)
    assert network.decoder.direct is not None
    network.decoder.direct.copy_(noise(*network.decoder.direct.shape, seed=4, scale=0.1))
    plain.load_state_dict({k: v for k, v in network.state_dict().items() if "direct" not in k})
    rows, z = noise(3, INPUT_SIZE, seed=1), noise(3, DIRECT.latent_size, seed=2)
    added = rows @ network.decoder.direct.T
    torch.testing.assert_close(network.decode_raw(z, rows), plain.decode_raw(z, rows) + added)


def test_the_jacobian_knows_the_direct_map() -> None:
    network = make_network(DIRECT)
    assert network.decoder.direct is not None
    network.decoder.direct.copy_(noise(*network.decoder.direct.shape, seed=4, scale=0.1))
    rows, z = noise(2, INPUT_SIZE, seed=1), noise(2, DIRECT.latent_size, seed=2)
    chosen = slice(0, 40)
    found = mlp_jacobian(network.decoder, rows, z, rows=chosen)
    torch.testing.assert_close(found.value, network.decode_raw(z, rows))
    for k in range(2):
        by_row, by_z = torch.autograd.functional.jacobian(
            lambda row, latent: network.decode_raw(latent[None], row[None])[0, chosen],
            (rows[k], z[k]),
        )
        torch.testing.assert_close(found.by_input[k], by_row)
        torch.testing.assert_close(found.by_skip[k], by_z)


@pytest.mark.parametrize("half", [False, True])
def test_a_file_keeps_both_switches_and_the_map(tmp_path: Path, half: bool) -> None:
    network = make_network(replace(DIRECT, rigid=True)).float()
    assert network.decoder.direct is not None
    network.decoder.direct.copy_(noise(*network.decoder.direct.shape, seed=4))
    save_safetensors(network, tmp_path / "mine.safetensors", half=half)
    read = load_network(tmp_path / "mine.safetensors")
    assert read.config == network.config
    assert read.decoder.direct is not None
    assert torch.equal(read.decoder.direct, network.decoder.direct)  # never halved


def test_published_sizes_have_neither_switch() -> None:
    network = make_network()
    assert network.decoder.direct is None
    assert not network.config.rigid
    assert network.state_dict()["decoder.net.0.weight"].dtype == DTYPE
