"""Facts about the networks that read a person's path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from humor_cases import make_network, make_state, noise

from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor import MotionState
from humor_ros.humor.forecast import OBSERVED, ForecastConfig, forecast
from humor_ros.humor.mirror import REFLECTION, mirrored_state
from humor_ros.humor.newest_motion import NewestMotion, recent_path
from humor_ros.humor.path_network import LAGS, PathNetwork, RecentPath, load_path_network
from humor_ros.weight_files import CheckpointError

STEPS = 75


def walking(batch: int = 2) -> tuple[MotionState, RecentPath]:
    """States, and a wavering way to them."""
    state = make_state(batch, yaw=0.6)
    lag = torch.tensor(LAGS) / 30.0
    root = state.joints[:, :1] - lag[:, None] * state.trans_vel[:, None]
    root = root + noise(batch, len(LAGS), 3, seed=8, scale=0.05)
    right = -state.root_orient[..., 0]
    heading = torch.atan2(right[:, 1], right[:, 0])[:, None] + 0.3 * lag
    return state, RecentPath(root, heading)


def turned(state: MotionState, recent: RecentPath, angle: float) -> tuple[MotionState, RecentPath]:
    turn = axis_angle_to_matrix(torch.tensor([0.0, 0.0, angle], dtype=state.trans.dtype))
    return replace(
        state,
        trans=state.trans @ turn.T,
        trans_vel=state.trans_vel @ turn.T,
        root_orient=turn @ state.root_orient,
        root_orient_vel=state.root_orient_vel @ turn.T,
        joints=state.joints @ turn.T,
        joints_vel=state.joints_vel @ turn.T,
    ), RecentPath(recent.root @ turn.T, recent.heading + angle)


@pytest.mark.parametrize("observed", [False, True])
def test_places_turn_with_the_person(observed: bool) -> None:
    network = load_path_network(observed=observed)
    state, recent = walking()
    places = network.places(state, recent, STEPS)
    assert places.shape == (2, STEPS, 2)
    angle = 1.1
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=places.dtype)
    other = network.places(*turned(state, recent, angle), STEPS)
    torch.testing.assert_close(other, places @ turn.T, rtol=0, atol=1e-4)


def test_mirror_images_go_mirrored_ways() -> None:
    network = load_path_network()
    state, recent = walking()
    plain = network.places(state, recent, STEPS)
    point = torch.tensor(REFLECTION, dtype=torch.float64)
    # The right side of the mirror image is the mirrored left side.
    other = RecentPath(recent.root * point, -recent.heading)
    mirror = network.places(mirrored_state(state), other, STEPS)
    torch.testing.assert_close(mirror, plain * point[:2], rtol=0, atol=1e-4)


def test_a_way_begins_with_the_newest_velocity() -> None:
    state, recent = walking()
    near = load_path_network().places(state, recent, 1)[:, 0]
    line = state.joints[:, 0, :2] + state.trans_vel[:, :2] / 30.0
    assert float((near - line).norm(dim=-1).max()) < 0.005


def test_after_the_last_knot_it_goes_straight_on() -> None:
    places = load_path_network().places(*walking(), STEPS)
    bent = places[:, 60:].diff(dim=1).diff(dim=1)
    assert float(bent.abs().max()) < 1e-4


def test_what_is_not_known_went_on_evenly() -> None:
    state, _ = walking()
    lag = torch.tensor(LAGS) / 30.0
    even = state.joints[:, :1] - lag[:, None] * state.trans_vel[:, None]
    right = -state.root_orient[..., 0]
    heading = torch.atan2(right[:, 1], right[:, 0])[:, None] - lag * state.root_orient_vel[:, 2:]
    network = load_path_network()
    nothing = RecentPath(even * torch.nan, heading * torch.nan)
    torch.testing.assert_close(
        network.places(state, nothing, STEPS),
        network.places(state, RecentPath(even, heading), STEPS),
        rtol=0,
        atol=1e-4,
    )


def test_forecasts_take_their_share_of_it() -> None:
    state, recent = walking()
    prior = make_network()

    def root(config: ForecastConfig, past: RecentPath | None) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return forecast(prior, state, config, recent=past, generator=generator).root

    config = ForecastConfig(horizon_s=0.5, samples=2, path_share=0.25)
    without, with_path = root(config, None), root(config, recent)
    places = load_path_network().places(state, recent, 15)
    expected = without[..., :2] + 0.25 * (places - without[..., :2])
    torch.testing.assert_close(with_path[..., :2], expected)
    torch.testing.assert_close(with_path[..., 2], without[..., 2])


def test_observed_states_are_told_to_go_less_far() -> None:
    state, recent = walking()
    config = replace(OBSERVED, horizon_s=0.5, samples=2)
    told = forecast(make_network(), state, config, recent=recent)
    network = load_path_network(observed=True)
    places = network.places(state, recent, 15, OBSERVED.velocity_noise_m_s)
    start = state.joints[:, None, 0, :2]
    expected = start + OBSERVED.taken * (places - start)
    torch.testing.assert_close(told.root[..., :2], expected)
    torch.testing.assert_close(told.joints[:, :, 0], told.root)
    assert bool((torch.linalg.eigvalsh(told.root_covariance) > 0).all())


def test_a_file_is_read_back_and_others_are_named(tmp_path: Path) -> None:
    network = PathNetwork(members=1, width=16).eval()
    network.save(tmp_path / "mine.safetensors", {"note": "x"})
    back = load_path_network(tmp_path / "mine.safetensors")
    state, recent = walking()
    torch.testing.assert_close(
        back.places(state, recent, 5), network.places(state, recent, 5), rtol=0, atol=1e-3
    )
    (tmp_path / "other.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read as HuMoR path weights"):
        load_path_network(tmp_path / "other.safetensors")
    with pytest.raises(FileNotFoundError, match="none"):
        load_path_network(tmp_path / "none.safetensors")


def test_people_without_a_path_have_nothing_known() -> None:
    bare = NewestMotion(
        "aaaaa", 0.0, np.zeros(1), np.zeros((1, 3)), np.tile(np.eye(3), (1, 22, 1, 1)),
        np.zeros(10), False, np.tile(np.eye(3), (2, 1, 1)),
    )  # fmt: skip
    path = np.arange(4.0 * len(LAGS)).reshape(-1, 4)
    known = replace(bare, path=path)
    recent = recent_path([bare, known], [0.0, 0.5])
    assert bool(torch.isnan(recent.root[0]).all())
    np.testing.assert_allclose(recent.root[1].numpy(), path[:, :3] - [0.0, 0.0, 0.5])
    np.testing.assert_allclose(recent.heading[1].numpy(), path[:, 3])


def test_a_path_wanders_as_far_as_is_known() -> None:
    root = torch.zeros(2, len(LAGS), 3)
    root[0, 3] = torch.tensor([0.3, 0.4, 5.0])
    root[1] = torch.nan
    recent = RecentPath(root, torch.zeros(2, len(LAGS)))
    torch.testing.assert_close(recent.wander(torch.zeros(2, 3)), torch.tensor([[0.5], [0.0]]))
