"""``humor-ros train``: train the networks from motion capture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from humor_ros.commands.training_bar import run_with_bar

if TYPE_CHECKING:
    from humor_ros.training.published_trainer import PublishedTrainer
    from humor_ros.training.trainer import Trainer

    _Trainer = Trainer | PublishedTrainer

__all__ = ["app"]

app = typer.Typer(help="Train networks from motion capture.", no_args_is_help=True)


@app.callback()
def _train() -> None:
    """Train networks from motion capture."""


@app.command()
def wham(
    output: Path = typer.Option(..., help="Folder of the run: snapshot, curves, weights."),
    data: Path | None = typer.Option(
        None, help="Folder with train_*.npz and val_*.npz shards, or (published) AMASS's folder."
    ),
    sequences: Path | None = typer.Option(
        None, help="Published stage 2: folder with a folder of sequences for each data set."
    ),
    config: Path | None = typer.Option(None, help="YAML configuration; defaults if absent."),
    body: Path | None = typer.Option(None, help="SMPL-format body; the packaged one if absent."),
    resume: bool = typer.Option(False, help="Continue the run in --output."),
    start_from: Path | None = typer.Option(
        None, help="Run whose weights to start from, or (published) a weight file."
    ),
    minutes: float | None = typer.Option(
        None, min=0.01, help="Time limit; the schedule of recipe 'own' then ends with it."
    ),
    threads: int = typer.Option(1, min=1, help="CPU threads."),
    workers: int = typer.Option(0, min=0, help="Processes that make batches ahead."),
) -> None:
    """Train WHAM's network by the configuration's recipe and write ``weights.safetensors``."""
    import logging
    import time

    import torch

    from humor_ros.training.config_file import read_mapping, recipe_of
    from humor_ros.training.export import export_weights
    from humor_ros.training.trainer import Trainer

    logging.getLogger("humor_ros").setLevel(logging.INFO)
    torch.set_num_threads(threads)
    recipe = "own" if config is None else recipe_of(read_mapping(config), config)
    trainer: _Trainer
    if recipe == "published":
        from humor_ros.training.published_config import PublishedConfig
        from humor_ros.training.published_run import make_trainer

        assert config is not None
        trainer = make_trainer(
            PublishedConfig.load(config),
            data,
            sequences,
            body,
            output,
            time.monotonic,
            minutes=minutes,
            workers=workers,
        )
    else:
        trainer = _own_trainer(data, output, config, body, minutes, workers)
    if resume:
        trainer.resume()
    elif start_from is not None:
        trainer.start_from(start_from)
    run_with_bar(trainer)
    path = output / "weights.safetensors"
    if isinstance(trainer, Trainer):
        export_weights(trainer, path)
    else:
        trainer.export(path)
    typer.echo(f"wrote {path}")


def _own_trainer(
    data: Path | None,
    output: Path,
    config: Path | None,
    body: Path | None,
    minutes: float | None,
    workers: int,
) -> Trainer:
    """The trainer of the packaged weights."""
    import time

    from humor_ros.body.model import BodyModel
    from humor_ros.training.config import TrainConfig
    from humor_ros.training.mocap import MocapLibrary
    from humor_ros.training.synthesis import WindowSource
    from humor_ros.training.trainer import Trainer

    if data is None:
        raise typer.BadParameter("give the folder of the shards", param_hint="--data")
    settings = TrainConfig() if config is None else TrainConfig.load(config)
    model = BodyModel.load(body)
    sources = [
        WindowSource(
            MocapLibrary.load(data, split), model, settings.data, settings.camera, settings.noise
        )
        for split in ("train", "val")
    ]
    return Trainer(
        settings,
        model,
        sources[0],
        sources[1],
        output,
        time.monotonic,
        minutes=minutes,
        workers=workers,
    )
