"""The training pass is the network: the same numbers as its own forward."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from humor_ros.geometry.rotation import rotation_6d_to_matrix
from humor_ros.training.padded_lstm import padded_lstm
from humor_ros.training.synthesis import WindowSource
from humor_ros.training.validation import run_network
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.values import Feedback, WhamInputs


@pytest.fixture
def batch(tiny, library, body):
    source = WindowSource(library, body, tiny.data, tiny.camera, tiny.noise)
    return source.batch(3, torch.Generator().manual_seed(0))


ADDITIONS = {
    "gravity_input": True,
    "motion_input": True,
    "lifter_blocks": 2,
    "lifter_width": 24,
    "residual": True,
}


@pytest.fixture(params=[{}, ADDITIONS], ids=["as published", "with our additions"])
def network(tiny, request):
    torch.manual_seed(0)
    sizes = {"n_layers": 2, "n_refiner_layers": 2, **request.param}
    network = WhamNetwork(replace(tiny.network, **sizes)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
        network.trajectory_decoder.regressor.declayer1.bias += torch.eye(3)[:2].flatten()
        network.motion_decoder.regressor.declayer0.bias += torch.eye(3)[:2].flatten().repeat(24)
    return network


@pytest.mark.parametrize("teacher", [False, True])
def test_it_equals_the_networks_forward(network, body, batch, teacher):
    inputs = WhamInputs(
        x=batch.x,
        mask=batch.mask,
        cam_angvel=batch.cam_angvel,
        gravity=batch.gravity,
        motion=batch.motion,
    )
    feedback = Feedback(root=batch.root_feedback) if teacher else None
    with torch.no_grad():
        ours = run_network(network, body, batch, teacher=teacher, bfloat16=False)
        _, theirs = network(
            inputs, batch.init_kp, batch.init_smpl, batch.init_root, body, feedback=feedback
        )
    pairs = {
        "kp3d": (ours.kp3d, theirs.motion.kp3d),
        "pose": (ours.pose_6d, theirs.motion.pose),
        "root": (ours.root_6d[:, 1:], theirs.motion.root),
        "contact": (ours.contact, theirs.motion.contacts),
        "joints": (ours.joints, theirs.joints),
        "feet": (ours.feet, theirs.feet),
        "velocity": (ours.velocity_refined, theirs.velocity_refined),
        "root_refined": (ours.root_6d_refined[:, 1:], theirs.root_refined),
        "world": (ours.translation_world_refined, theirs.translation_world),
    }
    if teacher:  # the roll-outs start a frame apart in what they call the previous root
        pairs.pop("velocity"), pairs.pop("root_refined"), pairs.pop("world")
    for name, (one, two) in pairs.items():
        assert torch.allclose(one, two.float(), atol=2e-5), (name, float((one - two).abs().max()))


def test_a_network_with_pose_feedback_is_refused(tiny, body, batch):
    network = WhamNetwork(replace(tiny.network, pose_feedback=True))
    with pytest.raises(ValueError, match="pose_feedback"):
        run_network(network, body, batch, teacher=False, bfloat16=False)


def test_gradients_flow_through_the_free_pass(network, body, batch):
    answer = run_network(network, body, batch, teacher=False, bfloat16=False)
    answer.root_6d[:, -1].sum().backward()
    assert float(network.trajectory_decoder.regressor.rnn.weight_hh_l0.grad.abs().sum()) > 0


def test_roots_stay_rotations(network, body, batch):
    answer = run_network(network, body, batch, teacher=False, bfloat16=False)
    root = rotation_6d_to_matrix(answer.root_6d)
    assert torch.allclose(root @ root.mT, torch.eye(3).expand_as(root), atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
def test_padding_changes_nothing(layers):
    torch.manual_seed(0)
    rnn = torch.nn.LSTM(19, 13, layers, batch_first=True)
    inputs, state = torch.randn(3, 7, 19), (torch.randn(layers, 3, 13), torch.randn(layers, 3, 13))
    expected, _ = rnn(inputs, state)
    assert torch.allclose(padded_lstm(rnn, inputs, state, bfloat16=False), expected, atol=1e-6)


def test_half_precision_stays_near():
    torch.manual_seed(0)
    rnn = torch.nn.LSTM(19, 13, 2, batch_first=True)
    inputs = torch.randn(3, 7, 19)
    expected, _ = rnn(inputs)
    assert torch.allclose(padded_lstm(rnn, inputs, None, bfloat16=True), expected, atol=0.02)
