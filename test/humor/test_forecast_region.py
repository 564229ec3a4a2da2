"""Facts about the covariance of forecasts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from humor_cases import noise

from humor_ros.humor.forecast_region import PLAIN, Region

TIME = torch.arange(1, 31, dtype=torch.float64) / 30.0
NONE = Region(samples=0.0, floor_m=0.01, growth_m=0.0, growth_s=0.0, power=1.5)


def covariance(region: Region, **changed: torch.Tensor) -> torch.Tensor:
    along = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    given = {
        "samples": noise(2, 5, 30, 3),
        "speed": torch.full((2, 1), 2.0, dtype=torch.float64),
        "wander": torch.full((2, 1), 0.5, dtype=torch.float64),
        "time": TIME,
        "way": (along * TIME[:, None]).expand(2, 30, 3),
        "apart": torch.tensor([0.0, 0.3, 0.0], dtype=torch.float64).expand(2, 30, 3),
    }
    return region.covariance(**(given | changed))


def test_nothing_but_a_floor_is_a_ball() -> None:
    expected = 1e-4 * torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(covariance(NONE), expected.expand(2, 30, 3, 3))


def test_the_samples_spread_counts() -> None:
    samples = noise(2, 5, 30, 3)
    found = covariance(replace(NONE, samples=2.0), samples=samples) - covariance(NONE)
    expected = torch.cov(samples[1, :, 7].T)
    torch.testing.assert_close(found[1, 7], 4.0 * expected)


def test_speed_and_wander_let_it_grow() -> None:
    found = covariance(replace(NONE, growth_m=0.1, growth_s=0.05, growth_wander=0.4))
    torch.testing.assert_close(
        found[0, -1, 2, 2], torch.tensor((0.01 + 0.1 + 0.1 + 0.2) ** 2, dtype=torch.float64)
    )


def test_it_is_longer_along_the_way_and_where_tellers_are_apart() -> None:
    found = covariance(replace(NONE, along=0.5, apart=2.0))[0, -1]
    expected = [1e-4 * 1.25, 1e-4 + 0.36, 1e-4]
    torch.testing.assert_close(found.diagonal(), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("name", ["samples", "growth_s", "along"])
def test_negative_sizes_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(PLAIN, **{name: -1.0})


def test_a_region_without_a_floor_is_refused() -> None:
    with pytest.raises(ValueError, match="floor_m"):
        replace(PLAIN, floor_m=0.0)
