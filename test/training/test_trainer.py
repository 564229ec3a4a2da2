"""The loop: determinism, resumption, learning, and what it writes."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch

from humor_ros.body.model import BodyModel
from humor_ros.training.config import TrainConfig
from humor_ros.training.export import export_weights
from humor_ros.training.mocap import MocapLibrary
from humor_ros.training.synthesis import WindowSource
from humor_ros.training.trainer import Trainer
from humor_ros.wham.checkpoint import load_network


def make(
    config: TrainConfig, library: MocapLibrary, body: BodyModel, folder: Path, **extra: object
) -> Trainer:
    source = WindowSource(library, body, config.data, config.camera, config.noise)
    ticks = count()
    return Trainer(config, body, source, source, folder, lambda: float(next(ticks)), **extra)


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.network.parameters()])


def test_the_same_seed_gives_the_same_weights(tiny, library, body, tmp_path):
    runs = [make(tiny, library, body, tmp_path / name) for name in "ab"]
    results = []
    for run in runs:
        torch.manual_seed(tiny.seed)
        for _ in range(3):
            run.train_step()
        results.append(weights(run))
    assert torch.equal(*results)


def test_resuming_equals_an_uninterrupted_run(tiny, library, body, tmp_path):
    whole = make(tiny, library, body, tmp_path / "whole")
    for _ in range(4):
        whole.train_step()
    first = make(tiny, library, body, tmp_path / "parts")
    for _ in range(2):
        first.train_step()
    first.save()
    second = make(tiny, library, body, tmp_path / "parts")
    second.resume()
    for _ in range(2):
        second.train_step()
    assert torch.equal(weights(whole), weights(second))
    for name, value in whole.average.values.items():
        assert torch.equal(value, second.average.values[name])


def test_a_run_interrupted_after_a_validation_resumes_to_the_same_weights_and_curves(
    tiny, library, body, tmp_path
):
    network = replace(tiny.network, n_layers=2, rnn_dropout=0.3)
    config = replace(tiny, network=network, validate_every=2, snapshot_every=2)

    class Stop(Exception):
        pass

    def stop(report) -> None:
        if report.step == 5:
            raise Stop

    whole, first, second = (
        make(config, library, body, tmp_path / name) for name in ("whole", "parts", "parts")
    )
    torch.manual_seed(0)  # of dropout, which the snapshot keeps too
    whole.run()
    torch.manual_seed(0)
    with pytest.raises(Stop):
        first.run(stop)
    second.resume()
    assert second.step == 4
    second.run()
    assert torch.equal(weights(whole), weights(second))
    steps = [
        [line.split(",")[0] for line in (tmp_path / name / "curve.csv").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert steps == [["step", "1", "2", "3", "4", "5", "6"]] * 2


def test_twenty_steps_lower_the_loss(tiny, library, body, tmp_path):
    config = replace(tiny, steps=1000, optim=replace(tiny.optim, ema_decay=0.9))
    trainer = make(config, library, body, tmp_path)
    generator = torch.Generator().manual_seed(0)
    batch = trainer.training.batch(4, generator)
    trainer.training.batch = lambda size, generator: batch
    losses = [trainer.train_step().loss for _ in range(20)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_free_running_run_learns_too(tiny, library, body, tmp_path):
    config = replace(tiny, optim=replace(tiny.optim, root_feedback="free"))
    report = make(config, library, body, tmp_path).train_step()
    assert report.gradient_norm > 0


def test_a_run_writes_curves_snapshot_and_loadable_half_precision_weights(
    tiny, library, body, tmp_path
):
    trainer = make(tiny, library, body, tmp_path)
    trainer.run()
    assert len((tmp_path / "curve.csv").read_text().splitlines()) == 1 + tiny.steps
    assert "pa_mpjpe_mm" in (tmp_path / "validation.csv").read_text()
    assert (tmp_path / "snapshot.pt").is_file()
    path = export_weights(trainer, tmp_path / "weights.safetensors")
    network = load_network(path)
    assert network.config == replace(tiny.network, pose_error=True)
    assert torch.linalg.eigvalsh(network.pose_error).min() > 0
    mean = trainer.average.values["motion_encoder.embed_layer.weight"]
    assert torch.allclose(network.motion_encoder.embed_layer.weight, mean, atol=1e-3)


def test_the_schedule_ends_with_the_minutes(tiny, library, body, tmp_path):
    config = replace(tiny, steps=1000)
    trainer = make(config, library, body, tmp_path, minutes=0.5)  # the clock ticks in seconds
    trainer.validation = None
    trainer.run()
    assert 1 <= trainer.step < 30
    assert trainer.progress == 1.0
    assert trainer.learning_rate() <= config.optim.learning_rate * config.optim.final_rate


def test_only_the_trajectory_moves_when_asked(tiny, library, body, tmp_path):
    config = replace(tiny, optim=replace(tiny.optim, modules="trajectory"))
    trainer = make(config, library, body, tmp_path)
    before = {n: p.detach().clone() for n, p in trainer.network.named_parameters()}
    trainer.train_step()
    moved = {
        n.split(".")[0]
        for n, p in trainer.network.named_parameters()
        if not torch.equal(p, before[n])
    }
    assert moved == {"trajectory_decoder", "trajectory_refiner"}


def test_pose_alone_leaves_the_trajectory_where_it_was(tiny, library, body, tmp_path):
    loss = replace(tiny.loss, root=0, root_refined=0, root_velocity=0, root_velocity_refined=0)
    loss = replace(loss, sliding=0, sliding_refined=0)
    config = replace(tiny, loss=loss, optim=replace(tiny.optim, modules="pose"))
    trainer = make(config, library, body, tmp_path)
    before = trainer.network.trajectory_decoder.regressor.rnn.weight_hh_l0.detach().clone()
    encoder = trainer.network.motion_encoder.embed_layer.weight.detach().clone()
    trainer.train_step()
    after = trainer.network.trajectory_decoder.regressor.rnn.weight_hh_l0
    assert torch.equal(before, after)
    assert not torch.equal(encoder, trainer.network.motion_encoder.embed_layer.weight)


def test_resuming_without_a_snapshot_names_the_folder(tiny, library, body, tmp_path):
    with pytest.raises(FileNotFoundError, match="snapshot"):
        make(tiny, library, body, tmp_path / "none").resume()


def test_a_corrupt_snapshot_is_named(tiny, library, body, tmp_path):
    trainer = make(tiny, library, body, tmp_path)
    (tmp_path / "snapshot.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="not a readable snapshot"):
        trainer.resume()


def test_a_snapshot_of_another_network_is_refused(tiny, library, body, tmp_path):
    make(tiny, library, body, tmp_path).save()
    other = replace(tiny, network=replace(tiny.network, d_embed=32))
    with pytest.raises(ValueError, match="another network"):
        make(other, library, body, tmp_path).resume()
