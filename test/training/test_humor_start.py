"""A fresh decoder that moves bodies on as they move."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from humor_training_cases import NETWORK, make_library, write_folder

from humor_ros.humor import HumorConfig, HumorNetwork, MotionState
from humor_ros.humor.weights import load_network, save_safetensors
from humor_ros.training.humor_start import slow_rows, start_at_constant_velocity

WIDE = HumorConfig(
    latent_size=6,
    encoder_widths=(32,),
    prior_widths=(32,),
    decoder_widths=(384, 512, 256),
)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> MotionState:
    library = make_library(write_folder(tmp_path_factory.mktemp("humor_shards")))
    return MotionState.from_vector(
        library.draw(50, 1, torch.Generator().manual_seed(0), 0.5).past[:, 0]
    )


@pytest.fixture(scope="module")
def network() -> HumorNetwork:
    torch.manual_seed(0)
    network = HumorNetwork(WIDE).requires_grad_(False)
    start_at_constant_velocity(network)
    return network


def test_places_go_on_with_their_velocities(past: MotionState, network: HumorNetwork) -> None:
    following = network.decode(torch.randn(50, 6), past.vector())
    for place, speed in (("trans", "trans_vel"), ("joints", "joints_vel")):
        moved = getattr(following, place) - getattr(past, place)
        torch.testing.assert_close(moved, getattr(past, speed) / 30, rtol=0.05, atol=5e-4)


def test_the_root_goes_on_turning(past: MotionState, network: HumorNetwork) -> None:
    following = network.decode(torch.zeros(50, 6), past.vector())
    turn = following.root_orient @ past.root_orient.transpose(-1, -2)
    angle = 0.5 * torch.stack(
        (
            turn[:, 2, 1] - turn[:, 1, 2],
            turn[:, 0, 2] - turn[:, 2, 0],
            turn[:, 1, 0] - turn[:, 0, 1],
        ),
        dim=1,
    )
    torch.testing.assert_close(angle, past.root_orient_vel / 30, rtol=0.05, atol=1e-4)


def test_all_else_stays(past: MotionState, network: HumorNetwork) -> None:
    following = network.decode(torch.zeros(50, 6), past.vector())
    torch.testing.assert_close(following.pose_body, past.pose_body, rtol=0, atol=1e-6)
    torch.testing.assert_close(following.joints_vel, past.joints_vel, rtol=0, atol=1e-6)


def test_half_precision_keeps_the_start(
    past: MotionState, network: HumorNetwork, tmp_path: Path
) -> None:
    save_safetensors(network, tmp_path / "start.safetensors", half=True)
    stored = load_network(tmp_path / "start.safetensors")
    places = [n.decode(torch.zeros(50, 6), past.vector()).joints for n in (stored, network)]
    torch.testing.assert_close(*places, rtol=0, atol=2e-4)


def test_slow_rows_are_the_carriers_and_the_changes_of_places(network: HumorNetwork) -> None:
    factors = slow_rows(network, 0.1)
    slow = {name: int((factor < 1).sum()) for name, factor in factors.items()}
    assert slow["decoder.net.0.weight"] == 6 * 24  # 72 pairs, 12 in each group
    assert slow["decoder.net.4.bias"] == 5 * 32
    assert slow["decoder.net.9.weight"] == 216 - 66 - 9 - 6
    assert factors["decoder.net.9.bias"][3:6].tolist() == [1.0, 1.0, 1.0]


def test_too_narrow_a_decoder_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot carry 72 velocities"):
        start_at_constant_velocity(HumorNetwork(NETWORK))
