"""The published loop learns, continues exactly where it was, and starts the second stage right."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from made_sequence import whole_sequence
from typer.testing import CliRunner

from humor_ros.body.model import BodyModel
from humor_ros.commands.train import app
from humor_ros.training.amass import BodyMotions
from humor_ros.training.curves import Curves
from humor_ros.training.mocap import MocapLibrary
from humor_ros.training.published_config import (
    PublishedConfig,
    PublishedDataConfig,
    PublishedOptimConfig,
)
from humor_ros.training.published_synthesis import MocapSource
from humor_ros.training.published_trainer import PublishedTrainer
from humor_ros.wham.checkpoint import load_network
from humor_ros.wham.config import WhamConfig

NETWORK = WhamConfig(
    d_embed=16, n_layers=2, n_refiner_layers=1, d_feat=8, d_integrator=8, rnn_dropout=0.3
)
CONFIG = PublishedConfig(
    network=NETWORK,
    data=PublishedDataConfig(clip_frames=8),
    optim=PublishedOptimConfig(
        batch_size=4, epochs=3, steps_per_epoch=2, learning_rate=3e-3, milestones=(2,)
    ),
    vertices=False,
    device="cpu",
    log_every=1,
    snapshot_every=100,
    validation_clips=3,
)


@pytest.fixture
def make(library: MocapLibrary, body: BodyModel, tmp_path: Path):
    torch.set_num_threads(1)
    motions = BodyMotions(library, torch.zeros(library.n_clips, 10))

    def make(name: str, config: PublishedConfig = CONFIG, **options: object) -> PublishedTrainer:
        source = MocapSource(motions, body, config)
        clock = iter(range(10**6)).__next__
        arguments = (config, {"neutral": body}, source, source, tmp_path / name, clock)
        return PublishedTrainer(*arguments, **options)  # type: ignore[arg-type]

    return make


def weights(trainer: PublishedTrainer) -> list[torch.Tensor]:
    return [value.clone() for value in trainer.network.state_dict().values()]


def same(one: list[torch.Tensor], two: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_interrupted_run_ends_bit_equal(make, precision: str) -> None:
    config = replace(CONFIG, precision=precision)
    whole = make("whole", config)
    whole.run()
    part = make("part", config)
    for _ in range(3):
        part.train_step()
    part.save()
    part.train_step()
    again = make("part", config)
    again.resume()
    assert again.step == 3
    again.run()
    assert same(weights(whole), weights(again))


def test_the_curve_of_a_resumed_run_is_that_of_a_whole_one(make, tmp_path: Path) -> None:
    whole = make("whole", replace(CONFIG, snapshot_every=2))
    whole.run()
    part = make("part", replace(CONFIG, snapshot_every=2))
    reports = []

    class Stop(Exception):
        pass

    def stop(report) -> None:
        reports.append(report)
        if report.step == 5:
            raise Stop

    with pytest.raises(Stop):
        part.run(stop)
    again = make("part", replace(CONFIG, snapshot_every=2))
    again.resume()
    again.run()
    for name in ("curve.csv", "validation.csv"):
        one, two = rows(tmp_path / "whole" / name), rows(tmp_path / "part" / name)
        for row in (*one, *two):
            row.pop("minutes", None)
        assert one == two


def test_the_seed_decides(make) -> None:
    one, two = make("a"), make("b")
    other = make("c", replace(CONFIG, seed=7))
    for trainer in (one, two, other):
        trainer.train_step()
    assert same(weights(one), weights(two))
    assert not same(weights(one), weights(other))


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_the_loss_falls(make, precision: str) -> None:
    optim = replace(CONFIG.optim, epochs=20, milestones=(), learning_rate=1e-2)
    trainer = make("fall", replace(CONFIG, precision=precision, optim=optim))
    losses = [trainer.train_step().loss for _ in range(16)]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


def test_the_rate_falls_at_the_milestone(make) -> None:
    trainer = make("rates")
    rates = [trainer.train_step().learning_rate for _ in range(6)]
    assert rates == pytest.approx([3e-3] * 4 + [3e-4] * 2)


def test_the_best_weights_are_kept_and_readable(make, tmp_path: Path) -> None:
    trainer = make("best")
    trainer.run()
    scores = [float(row["pa_mpjpe_mm"]) for row in rows(tmp_path / "best" / "validation.csv")]
    assert trainer.best == pytest.approx(min(scores), rel=1e-5)
    assert load_network(tmp_path / "best" / "best.safetensors").config == NETWORK


def test_stage_2_restarts_the_integrator_at_its_own_rate(make, tmp_path: Path) -> None:
    first = make("first")
    first.run()
    config = replace(
        CONFIG,
        network=replace(NETWORK, d_feat=12),
        features=True,
        optim=replace(
            CONFIG.optim,
            learning_rate=1e-5,
            integrator_learning_rate=1e-4,
            restart_integrator=True,
        ),
    )
    second = make("second", config)
    second.start_from(tmp_path / "first")
    for name, value in second.network.state_dict().items():
        if not name.startswith("integrator."):
            assert torch.equal(value, first.network.state_dict()[name])
    second.train_step()
    rates = [group["lr"] for group in second.optimiser.param_groups]
    assert rates == [1e-5, 1e-4]
    assert second.optimiser.param_groups[1]["params"][0] is second.network.integrator.layer1.weight
    assert second.step == 1


def test_a_start_from_another_size_is_an_error(make, tmp_path: Path) -> None:
    make("first").save()
    other = make("other", replace(CONFIG, network=replace(NETWORK, d_embed=24)))
    with pytest.raises(ValueError, match="another network"):
        other.start_from(tmp_path / "first")
    path = make("written").export(tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="another network"):
        other.start_from(path)


def test_time_ends_a_run_and_it_can_go_on(make) -> None:
    trainer = make("limited", minutes=0.1)
    trainer.run()
    assert 0 < trainer.step < trainer.steps
    again = make("limited")
    again.resume()
    again.run()
    assert again.step == again.steps


def test_cuda_without_a_device_is_an_error_that_says_so(make, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device"):
        make("cuda", replace(CONFIG, device="cuda"))
    assert make("auto", replace(CONFIG, device="auto")).device.type == "cpu"


def test_tensorboard_is_optional(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match="tensorboard"):
        Curves(tmp_path, tensorboard=True)
    Curves(tmp_path).append("curve", {"step": 1.0, "loss": 2.0})
    assert rows(tmp_path / "curve.csv") == [{"step": "1", "loss": "2"}]


def test_one_command_runs_both_stages(shards: Path, body: BodyModel, tmp_path: Path) -> None:
    network = {"d_embed": 16, "n_layers": 1, "n_refiner_layers": 1, "d_feat": 8, "d_integrator": 8}
    common = {
        "recipe": "published",
        "device": "cpu",
        "vertices": False,
        "network": network,
        "validation_clips": 2,
    }
    optim = {"batch_size": 2, "epochs": 2, "steps_per_epoch": 2}
    stage1 = {**common, "data": {"clip_frames": 8}, "optim": optim}
    sources = {"mocap": 0.5, "videos": 0.5}
    stage2 = {
        **common,
        "features": True,
        "vertices": True,
        "data": {"clip_frames": 8, "sources": sources},
        "optim": {**optim, "restart_integrator": True, "integrator_learning_rate": 1e-4},
    }
    for name, values in (("stage1", stage1), ("stage2", stage2)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(values))
    videos = tmp_path / "sequences" / "videos"
    videos.mkdir(parents=True)
    whole_sequence(body).write(videos / "a.npz")
    whole_sequence(body, split="val").write(videos / "b.npz")

    def run(name: str, *arguments: object):
        given = ["--config", tmp_path / f"{name}.yaml", "--output", tmp_path / name, *arguments]
        return CliRunner().invoke(app, ["wham", *map(str, given)])

    result = run("stage1", "--data", shards)
    assert result.exit_code == 0, result.output
    start = ("--start-from", tmp_path / "stage1", "--sequences", tmp_path / "sequences")
    result = run("stage2", "--data", shards, *start)
    assert result.exit_code == 0, result.output
    assert load_network(tmp_path / "stage2" / "weights.safetensors").config.d_embed == 16
    result = run("stage2", "--data", shards, "--sequences", tmp_path / "sequences", "--resume")
    assert result.exit_code == 0, result.output
    without = run("stage2", "--data", shards)
    assert "--sequences" in str(without.exception)
