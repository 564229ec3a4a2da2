"""HuMoR's losses and loop: what each term says, determinism, resumption, files, the command."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from humor_training_cases import NETWORK, make_library, plain_body, tiny_run
from typer.testing import CliRunner

from humor_ros.cli import app
from humor_ros.humor import HumorNetwork, LatentGaussian, MotionState
from humor_ros.humor.models import load_prior
from humor_ros.humor.rollout import roll_out
from humor_ros.humor.weights import read_metadata
from humor_ros.training.humor_config import (
    HumorLossConfig,
    HumorOptimConfig,
    HumorTrainConfig,
)
from humor_ros.training.humor_losses import (
    Transitions,
    divergence,
    forecast_loss,
    humor_losses,
    run_transitions,
)
from humor_ros.training.humor_quality import has_exploded
from humor_ros.training.humor_trainer import HumorTrainer
from humor_ros.training.humor_transitions import TransitionLibrary
from humor_ros.training.humor_validation import roll_out_scores, starts, transition_scores

CONFIGS = Path(__file__).resolve().parents[2] / "config" / "train"


@pytest.fixture
def network() -> HumorNetwork:
    torch.manual_seed(0)
    return HumorNetwork(NETWORK)


def draw(humor_library: TransitionLibrary, steps: int = 4):
    return humor_library.draw(6, steps, torch.Generator().manual_seed(0), 0.5)


def perfect(window) -> Transitions:
    target = MotionState.from_vector(window.following)
    same = LatentGaussian(torch.zeros(6, 4, 3), torch.ones(6, 4, 3))
    certain = replace(target, contacts=40.0 * (2.0 * window.contacts - 1.0))
    return Transitions(certain, same, same)


def test_a_perfect_answer_costs_nothing(humor_library: TransitionLibrary) -> None:
    window = humor_library.windows(torch.tensor([0] * 6), torch.arange(6), 4)
    terms = humor_losses(perfect(window), window, plain_body(), HumorLossConfig(body_vertices=0.0))
    assert terms.pop("contact_velocity") > 0  # feet that are said to rest did move
    assert max(float(value) for value in terms.values()) < 1e-9


def test_contact_terms_leave_uneven_floors_out(humor_library: TransitionLibrary) -> None:
    window = humor_library.windows(torch.tensor([1] * 6), torch.arange(6), 4)
    answer = perfect(window)
    wrong = replace(answer.predicted, contacts=-answer.predicted.parts()["contacts"])
    terms = humor_losses(
        replace(answer, predicted=wrong), window, plain_body(), HumorLossConfig(body_vertices=0.0)
    )
    assert float(terms["contacts"]) == 0.0
    assert float(terms["contact_velocity"]) == 0.0


def test_the_divergence_is_that_of_torch() -> None:
    means, logs = torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    ours = divergence(*(LatentGaussian(m, v.exp()) for m, v in zip(means, logs, strict=True)))
    normals = [
        torch.distributions.Normal(m, (0.5 * v).exp()) for m, v in zip(means, logs, strict=True)
    ]
    expected = torch.distributions.kl_divergence(*normals).sum(dim=-1)
    torch.testing.assert_close(ours, expected)


def test_steps_on_their_own_output_are_the_roll_out(
    humor_library: TransitionLibrary, network: HumorNetwork
) -> None:
    window = draw(humor_library)
    answer = run_transitions(network, window, None, own_output=(False, True, True, True))
    z = answer.posterior.mean
    first = MotionState.from_vector(window.past[:, 0])
    rolled = roll_out(network, first, z).steps.following
    torch.testing.assert_close(answer.predicted.vector(), rolled, rtol=0, atol=1e-5)


def test_steps_on_the_truth_do_not_know_of_each_other(
    humor_library: TransitionLibrary, network: HumorNetwork
) -> None:
    window = draw(humor_library)
    together = run_transitions(network, window, None)
    one_by_one = run_transitions(network, window, None, own_output=(False, False, False, True))
    torch.testing.assert_close(
        together.predicted.vector()[:, :3], one_by_one.predicted.vector()[:, :3]
    )
    assert not torch.allclose(
        together.predicted.vector()[:, 3], one_by_one.predicted.vector()[:, 3]
    )


def test_no_gradient_flows_from_a_step_to_the_one_before(
    humor_library: TransitionLibrary, network: HumorNetwork
) -> None:
    answer = run_transitions(
        network, draw(humor_library), None, own_output=(False, True, True, True)
    )
    answer.predicted.joints.retain_grad()
    first = answer.predicted.joints[:, 3].sum()
    (gradient,) = torch.autograd.grad(first, answer.predicted.joints, allow_unused=True)
    assert float(gradient[:, :3].abs().sum()) == 0.0


def test_the_forecast_is_the_error_of_the_mean_roll_out(
    humor_library: TransitionLibrary, network: HumorNetwork
) -> None:
    window = draw(humor_library, 6)
    first = MotionState.from_vector(window.past[:, 0])
    joints = roll_out(network, first, n_steps=6).states.joints
    expected = (joints - window.joints).square().mean()
    torch.testing.assert_close(forecast_loss(network, window), expected)


def test_vertices_are_compared_where_they_count(humor_library: TransitionLibrary) -> None:
    from humor_ros.body.model import packaged_body_path
    from humor_ros.humor.body import HumorBody

    body = HumorBody.load(packaged_body_path()).with_vertices(range(0, 6000, 1500))
    window = humor_library.windows(torch.tensor([0] * 6), torch.arange(6), 4)
    answer = perfect(window)
    moved = replace(answer.predicted, trans=answer.predicted.trans + torch.tensor([0.3, 0.0, 0.0]))
    terms = humor_losses(replace(answer, predicted=moved), window, body, HumorLossConfig())
    assert float(terms["body_vertices"]) == pytest.approx(0.3**2 / 3, rel=1e-3)


def run_steps(humor_folder: Path, out: Path, steps: int) -> HumorTrainer:
    config = replace(tiny_run(), steps=steps)
    ticks = count()
    trainer = HumorTrainer(
        config,
        plain_body(),
        make_library(humor_folder, shapes=1),
        None,
        out,
        lambda: float(next(ticks)),
    )
    return trainer


def weights(trainer: HumorTrainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.network.parameters()])


def test_the_same_seed_trains_the_same(humor_folder: Path, tmp_path: Path) -> None:
    runs = [run_steps(humor_folder, tmp_path / name, 6) for name in ("a", "b")]
    for trainer in runs:
        trainer.run()
    assert torch.equal(weights(runs[0]), weights(runs[1]))


def test_a_resumed_run_is_the_uninterrupted_one(humor_folder: Path, tmp_path: Path) -> None:
    whole = run_steps(humor_folder, tmp_path / "whole", 6)
    whole.run()
    first = run_steps(humor_folder, tmp_path / "parts", 6)
    for _ in range(5):  # new shapes were drawn at step 4
        first.train_step()
    first.save()
    second = run_steps(humor_folder, tmp_path / "parts", 6)
    second.resume()
    second.run()
    assert torch.equal(weights(whole), weights(second))
    averages = [t.averaged_network().state_dict() for t in (whole, second)]
    assert all(torch.equal(averages[0][name], averages[1][name]) for name in averages[0])


def test_it_learns(humor_folder: Path, tmp_path: Path) -> None:
    trainer = run_steps(humor_folder, tmp_path / "run", 400)
    first, *_, last = [trainer.train_step().terms["joints_vel"] for _ in range(100)]
    assert last < 0.7 * first


def test_milestones_halve_the_rate(humor_folder: Path, tmp_path: Path) -> None:
    trainer = run_steps(humor_folder, tmp_path / "run", 100)
    trainer.config = replace(trainer.config, optim=HumorOptimConfig())
    rates = {}
    for step in (0, 24, 25, 40, 70):
        trainer.step = step
        rates[step] = trainer.learning_rate() / 1e-4
    assert rates == pytest.approx({0: 1.0, 24: 1.0, 25: 0.5, 40: 0.25, 70: 0.125})


def test_a_snapshot_of_another_network_is_refused(humor_folder: Path, tmp_path: Path) -> None:
    run_steps(humor_folder, tmp_path / "run", 6).save()
    other = replace(tiny_run(), network=replace(NETWORK, latent_size=7))
    trainer = HumorTrainer(
        other, plain_body(), make_library(humor_folder), None, tmp_path / "run", lambda: 0.0
    )
    with pytest.raises(ValueError, match="another network"):
        trainer.resume()


def test_the_references_of_a_roll_out_are_right(
    humor_library: TransitionLibrary, network: HumorNetwork
) -> None:
    at = starts(humor_library, 30, 30)
    scores = roll_out_scores(network, at)
    truth = at.window.joints
    first = MotionState.from_vector(at.window.past[:, 0])
    still = (first.joints - truth[:, 29]).norm(dim=-1).mean() * 1000
    assert scores["still_joint_1s_mm"] == pytest.approx(float(still), rel=1e-5)
    # Somebody who strides along a gentle curve is nearly where the velocity says.
    assert scores["velocity_root_1s_mm"] < 0.3 * scores["still_root_1s_mm"]


def test_transition_scores_of_standing_still_are_the_step_itself(
    humor_library: TransitionLibrary, network: HumorNetwork
) -> None:
    with torch.no_grad():
        for parameter in network.decoder.net[-1].parameters():
            parameter.zero_()
    scores = transition_scores(network, humor_library)
    window = starts(humor_library, 1, 5).window
    past, following = (MotionState.from_vector(rows) for rows in (window.past, window.following))
    moved = (following.joints - past.joints).norm(dim=-1).mean() * 1000
    assert scores["step_joint_mm"] == pytest.approx(float(moved), rel=1e-4)


@pytest.mark.parametrize(
    ("change", "exploded"),
    [
        (lambda j: j, False),
        (lambda j: j * torch.tensor([1.0, 1.0, float("nan")]), True),
        (lambda j: j + torch.tensor([0.0, 0.0, 3.0]), True),
        (lambda j: torch.cat((j[..., :21, :], j[..., 21:, :] + 0.6), dim=-2), True),
    ],
)
def test_explosions_are_told(humor_library: TransitionLibrary, change, exploded: bool) -> None:
    window = humor_library.windows(torch.tensor([0]), torch.tensor([0]), 20)
    first = MotionState.from_vector(window.past[:, 0])
    assert bool(has_exploded(first, change(window.joints))) is exploded


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optim: {optimiser: sgd}", "optimiser must be 'adamax' or 'adamw'"),
        ("loss: {joints: -1}", "joints must be at least 0"),
        ("loss: {elbows: 1}", r"unknown keys \['elbows'\]"),
        ("steps: many", "expected a number"),
        ("network: {latent_size: 0}", "latent_size must be at least 1"),
        ("data: 3", "expected a mapping"),
        ("optim: {supervised_until: 0.5, own_output_from: 0.2}", "own_output_from"),
        ("[1]", "expected a mapping"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        HumorTrainConfig.load(path)


def test_the_configuration_comes_back() -> None:
    assert HumorTrainConfig.from_dict(tiny_run().to_dict()) == tiny_run()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("humor_*.yaml")), ids=lambda p: p.stem)
def test_configurations_of_the_package_are_readable(path: Path) -> None:
    config = HumorTrainConfig.load(path)
    assert config.network.latent_size == 48


def test_the_published_configuration_is_the_published_size() -> None:
    config = HumorTrainConfig.load(CONFIGS / "humor_published.yaml")
    network = HumorNetwork(config.network)
    assert sum(p.numel() for p in network.parameters()) == 9_725_976
    assert config.loss == HumorLossConfig()
    assert config.optim == HumorOptimConfig()


def invoke(*arguments: object):
    return CliRunner().invoke(app, ["train", "humor", *map(str, arguments)])


def test_the_command_trains_and_scores(humor_folder: Path, tmp_path: Path) -> None:
    import yaml

    config = tmp_path / "run.yaml"
    values = tiny_run().to_dict()
    values["steps"] = 3
    config.write_text(
        yaml.safe_dump(yaml.safe_load(str(values).replace("(", "[").replace(")", "]")))
    )
    out = tmp_path / "run"
    result = invoke("--data", humor_folder, "--config", config, "--output", out)
    assert result.exit_code == 0, result.output
    prior = load_prior(out / "weights.safetensors")
    assert prior.network.config == NETWORK
    assert prior.mixture.size == 138
    assert read_metadata(out / "weights.safetensors")["steps"] == "3"
    picture = tmp_path / "strip.png"
    result = invoke(
        *("--data", humor_folder, "--validate-only", "--weights", out / "weights.safetensors"),
        *("--picture", picture),
    )
    assert result.exit_code == 0, result.output
    for name in ("prior_joint_2s_mm", "exploded_samples", "best_joint_1s_mm", "contact_accuracy"):
        assert name in result.output
    assert picture.stat().st_size > 1000


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    result = invoke("--data", tmp_path, "--output", tmp_path / "run")
    assert isinstance(result.exception, FileNotFoundError)
    assert str(tmp_path) in str(result.exception)
