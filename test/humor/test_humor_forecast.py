"""Forecasts: shapes, spread and what becomes of exploding roll-outs."""

from __future__ import annotations

import pytest
import torch
from humor_cases import make_network, make_state

from humor_ros.humor.forecast import ForecastConfig, forecast

SHORT = ForecastConfig(horizon_s=0.2, samples=4)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_forecast_holds_what_it_says() -> None:
    told = forecast(make_network(), make_state(2), SHORT, generator=seeded())
    assert told.time_s.tolist() == pytest.approx([k / 30 for k in range(1, 7)])
    assert told.root.shape == (2, 6, 3)
    assert told.joints.shape == (2, 6, 22, 3)
    assert told.samples.shape == (2, 4, 6, 3)
    torch.testing.assert_close(told.joints[:, :, 0], told.root)


def test_the_spread_grows_and_is_a_covariance() -> None:
    told = forecast(make_network(), make_state(2), SHORT, generator=seeded())
    values = torch.linalg.eigvalsh(told.root_covariance)
    assert bool((values > 0).all())
    assert bool((values[:, -1].amax(-1) > values[:, 0].amax(-1)).all())


def test_truth_at_the_mean_is_inside_and_truth_far_away_is_not() -> None:
    told = forecast(make_network(), make_state(1), SHORT, generator=seeded())
    assert bool(told.inside(told.root, 2.28).all())
    assert not bool(told.inside(told.root + 50.0, 5.99).any())


def test_an_exploding_roll_out_becomes_straight_motion() -> None:
    network = make_network()
    network.decoder.net[-1].bias[:3] = 50.0
    state = make_state(1)
    told = forecast(network, state, SHORT, generator=seeded())
    assert bool(torch.isfinite(told.root).all())
    away = (told.root - state.joints[:, None, 0]).norm(dim=-1)
    assert float(away.max()) < 0.5


def test_the_prior_that_says_nan_becomes_straight_motion() -> None:
    network = make_network()
    network.prior_net.net[-1].bias[:] = torch.nan
    told = forecast(network, make_state(1), SHORT, generator=seeded())
    assert bool(torch.isfinite(told.root).all())
    assert bool(torch.isfinite(told.root_covariance).all())


@pytest.mark.parametrize(
    "bad", [{"horizon_s": 0.0}, {"samples": 1}, {"velocity_share": 2.0}, {"decay_s": 0.0}]
)
def test_bad_settings_are_named(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        ForecastConfig(**bad)
