"""Scaled networks say what their folded copies say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from humor_cases import SMOOTH, make_network, noise

from humor_ros.humor import HumorNetwork, MotionState
from humor_ros.humor.networks import Scaling
from humor_ros.humor.scaling import folded, linear_scaling, with_scaling
from humor_ros.humor.state import INPUT_SIZE

DIRECT = replace(SMOOTH, direct=True)


def transitions(count: int = 900) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, next rows and changes that are nearly linear in them."""
    rows = 1.0 + 0.3 * noise(count, INPUT_SIZE, seed=1)
    move = noise(INPUT_SIZE, INPUT_SIZE, seed=2, scale=0.01)
    read = noise(207, INPUT_SIZE, seed=3, scale=0.02)
    rest = noise(count, 207, seed=4, scale=0.05)
    return rows, rows + rows @ move.T + 0.1, rows @ read.T + rest - 0.2


def scaled_network() -> HumorNetwork:
    network = make_network(DIRECT)
    scaling = linear_scaling(*transitions()).to(torch.float64)
    return with_scaling(network, scaling)


def test_folding_changes_nothing_that_is_said() -> None:
    network = scaled_network()
    plain = folded(network)
    assert plain.scaling is None
    rows, following, _ = (part[:5] for part in transitions())
    z = noise(5, DIRECT.latent_size, seed=7)
    torch.testing.assert_close(plain.decode_raw(z, rows), network.decode_raw(z, rows))
    for a, b in (
        (plain.prior(rows), network.prior(rows)),
        (plain.posterior(rows, following), network.posterior(rows, following)),
    ):
        torch.testing.assert_close(a.mean, b.mean, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(a.variance, b.variance, rtol=1e-5, atol=1e-6)


def test_a_folded_network_has_the_tensors_of_its_configuration() -> None:
    assert folded(scaled_network()).state_dict().keys() == HumorNetwork(DIRECT).state_dict().keys()


def test_the_linear_prediction_of_turns_finds_what_is_linear() -> None:
    rows, following, changes = transitions(4000)
    scaling = linear_scaling(rows, following, changes, ridge=1e-4).to(torch.float64)
    guess = scaling.output(torch.zeros(1, dtype=torch.float64), rows)[:, 12:75]
    assert float((guess - changes[:, 12:75]).std()) == pytest.approx(0.05, rel=0.1)
    assert float(scaling.following(rows, following).abs().max()) < 0.1
    assert scaling.out_scale[12:75].mean().item() == pytest.approx(0.05, rel=0.1)


def test_places_are_predicted_to_go_on_and_velocities_to_stay() -> None:
    scaling = linear_scaling(*transitions()).to(torch.float64)
    state = MotionState.from_vector(noise(4, INPUT_SIZE, seed=8))
    guess = scaling.output(torch.zeros(1, dtype=torch.float64), state.vector())
    for changes, speed in (
        (slice(0, 3), state.trans_vel),
        (slice(6, 9), state.root_orient_vel),
        (slice(75, 141), state.joints_vel.flatten(1)),
    ):
        torch.testing.assert_close(guess[:, changes], speed / 30.0, rtol=1e-6, atol=1e-9)
    for changes in (slice(3, 6), slice(9, 12), slice(141, 216)):
        assert float(guess[:, changes].abs().max()) == 0.0


def test_rows_are_brought_to_order_one_and_constants_are_not_blown_up() -> None:
    rows, following, changes = transitions()
    rows[:, 20] = 0.7
    scaling = linear_scaling(rows, following, changes).to(torch.float64)
    unit = scaling.row(rows)
    assert unit.std(dim=0).median().item() == pytest.approx(1.0, abs=0.05)
    assert float(unit[:, 20].abs().max()) < 1e-5
    assert float(scaling.scale.min()) >= 0.05 - 1e-9


def test_scaling_twice_and_folding_without_the_map_are_refused() -> None:
    with pytest.raises(ValueError, match="fold it first"):
        with_scaling(scaled_network(), linear_scaling(*transitions()))
    scaling: Scaling = linear_scaling(*transitions()).to(torch.float64)
    with pytest.raises(ValueError, match="direct=True"):
        folded(with_scaling(make_network(SMOOTH), scaling))


def test_folding_a_plain_network_is_a_copy() -> None:
    network = make_network(DIRECT)
    copy = folded(network)
    assert copy is not network
    for name, tensor in network.state_dict().items():
        assert torch.equal(copy.state_dict()[name], tensor)
