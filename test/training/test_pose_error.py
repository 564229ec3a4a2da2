"""How a trained network errs is measured on windows of motion."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from humor_ros.training.pose_error import measure_pose_error, with_pose_error
from humor_ros.training.synthesis import WindowSource
from humor_ros.wham.network import WhamNetwork


@pytest.fixture
def source(tiny, library, body) -> WindowSource:
    return WindowSource(library, body, tiny.data, tiny.camera, tiny.noise)


def test_the_error_is_a_covariance_and_repeats(source, tiny):
    network = WhamNetwork(tiny.network).eval()
    error = measure_pose_error(network, source, windows=6)
    assert error.shape == (42, 42)
    torch.testing.assert_close(error, error.mT)
    assert torch.linalg.eigvalsh(error).min() > 0
    assert torch.equal(error, measure_pose_error(network, source, windows=6))
    assert not torch.equal(error, measure_pose_error(network, source, windows=6, seed=1))


def test_people_of_whom_nothing_is_whole_are_said(source, tiny):
    source.noise = replace(source.noise, lower_body_probability=1.0)
    with pytest.raises(ValueError, match="whole body"):
        measure_pose_error(WhamNetwork(tiny.network).eval(), source, windows=2)


def test_the_error_joins_unchanged_weights(tiny):
    network = WhamNetwork(tiny.network)
    complete = with_pose_error(network, torch.eye(42, dtype=torch.float64))
    assert complete.config == replace(tiny.network, pose_error=True)
    for name, tensor in network.state_dict().items():
        assert torch.equal(complete.state_dict()[name], tensor), name
    assert torch.equal(complete.pose_error, torch.eye(42))
