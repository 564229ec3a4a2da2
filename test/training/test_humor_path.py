"""Training of path networks on made-up walks along curves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from humor_training_cases import make_library, write_folder

from humor_ros.humor.forecast import Forecast
from humor_ros.humor.path_network import KNOTS_S, LAGS
from humor_ros.training.humor_forecast_scores import REGIONS, errors_of, scores_of
from humor_ros.training.humor_path import (
    PathSamples,
    PathTraining,
    recent_path,
    train_path_network,
)
from humor_ros.training.humor_transitions import TransitionLibrary

QUICK = PathTraining(steps=60, batch=32, every=3)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> TransitionLibrary:
    return make_library(write_folder(tmp_path_factory.mktemp("walks")))


def test_the_recent_path_is_where_the_person_was(library: TransitionLibrary) -> None:
    clip, place = torch.tensor([0, 1]), torch.tensor([40, 10])
    recent = recent_path(library, clip, place)
    places = library.states(0).joints[:, 0]
    for number, lag in enumerate(LAGS):
        torch.testing.assert_close(recent.root[0, number], places[40 - lag])
        assert bool(torch.isnan(recent.root[1, number]).all()) == (lag > 10)
        assert bool(torch.isnan(recent.heading[1, number])) == (lag > 10)


def test_samples_say_how_far_the_root_leaves_its_line(library: TransitionLibrary) -> None:
    samples = PathSamples.of(library, QUICK)
    assert samples.leaves.shape == (len(samples.weights), len(KNOTS_S), 2)
    first = library.states(0)
    line = first.joints[0, 0, :2] + first.trans_vel[0, :2] * KNOTS_S[2]
    away = (first.joints[30, 0, :2] - line).norm()
    torch.testing.assert_close(samples.leaves[0, 2].norm(), away)
    # Canonical: the same whichever way the walk began; curves to the left leave to one side.
    assert bool((samples.leaves[:, 2, 0].sign() == samples.leaves[0, 2, 0].sign()).all())


def test_training_learns_the_curves(library: TransitionLibrary) -> None:
    samples = PathSamples.of(library, QUICK)
    losses: list[float] = []
    network = train_path_network(
        samples, replace(QUICK, steps=300), 1, note=lambda member, step, loss: losses.append(loss)
    )
    with torch.no_grad():
        error = (network(samples.features) - samples.leaves).norm(dim=-1).mean(dim=0)
    assert len(losses) == 3
    assert float(error[2]) < 0.5 * float(samples.leaves.norm(dim=-1).mean(dim=0)[2])


def test_training_is_the_same_again(library: TransitionLibrary) -> None:
    samples = PathSamples.of(library, QUICK)
    noisy = replace(QUICK, noise_m_s=(0.1, 0.5), steps=5)
    one, other = (train_path_network(samples, noisy, 2, seed=4) for _ in range(2))
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)
        assert not left.requires_grad


def test_noise_moves_what_is_read_and_what_is_wanted_alike(library: TransitionLibrary) -> None:
    samples = PathSamples.of(library, QUICK)
    still = replace(QUICK, size=0.0)
    noisy = replace(still, noise_m_s=(0.4, 0.4))
    from humor_ros.training.humor_path import _drawn

    chosen = torch.arange(8)
    torch.manual_seed(0)
    plain, wanted = _drawn(samples, chosen, still, mirror=False)
    seen, other = _drawn(samples, chosen, noisy, mirror=False)
    off = seen.vectors[:, 0] - plain.vectors[:, 0]
    assert float(off[:, :2].norm(dim=-1).mean()) > 0.1
    time = torch.tensor(KNOTS_S)[:, None]
    torch.testing.assert_close(other, wanted - off[:, None, :2] * time, rtol=0, atol=1e-5)
    torch.testing.assert_close(seen.vectors[:, 1:45], plain.vectors[:, 1:45])
    assert seen.scalars[:, -1].tolist() == pytest.approx([0.4] * 8)


def test_scores_are_means_of_the_errors() -> None:
    time = torch.arange(1, 61) / 30.0
    truth = torch.zeros(2, 60, 3)
    truth[..., 0] = time
    root = truth.clone()
    root[0, :, 1] += 0.1
    told = Forecast(
        time_s=time,
        root=root,
        root_covariance=0.05**2 * torch.eye(3).expand(2, 60, 3, 3),
        joints=root[:, :, None].expand(2, 60, 22, 3),
        root_orient=torch.eye(3).expand(2, 60, 3, 3),
        pose_body=torch.eye(3).expand(2, 60, 21, 3, 3),
        samples=root[:, None],
    )
    start, velocity = torch.zeros(2, 3), torch.tensor([[2.0, 0.0, 0.0]] * 2)
    errors = errors_of(told, start, velocity, truth)
    scores = scores_of(errors, torch.tensor([True, False]))
    assert scores["forecast_root_1s_mm"] == pytest.approx(50.0, abs=1e-3)
    assert scores["moving_forecast_root_1s_mm"] == pytest.approx(100.0, abs=1e-3)
    assert scores["forecast_velocity_root_1s_mm"] == pytest.approx(1000.0, abs=1e-2)
    assert scores["forecast_still_root_2s_mm"] == pytest.approx(2000.0, abs=1e-2)
    assert scores["forecast_gain_1s_percent"] == pytest.approx(95.0, abs=1e-3)
    # 10 cm at a deviation of 5: a distance of 2, within the 95 % region alone.
    assert [scores[f"forecast_in_{name}_percent"] for name in REGIONS] == [50.0, 100.0]
