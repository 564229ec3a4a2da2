"""``humor-ros train``: train the networks from motion capture."""

from __future__ import annotations

from pathlib import Path

import typer

__all__ = ["app"]

app = typer.Typer(help="Train networks from motion capture.", no_args_is_help=True)


@app.callback()
def _train() -> None:
    """Train networks from motion capture."""


@app.command()
def wham(
    data: Path = typer.Option(..., help="Folder with train_*.npz and val_*.npz shards."),
    output: Path = typer.Option(..., help="Folder of the run: snapshot, curves, weights."),
    config: Path | None = typer.Option(None, help="YAML configuration; defaults if absent."),
    body: Path | None = typer.Option(None, help="SMPL-format body; the packaged one if absent."),
    resume: bool = typer.Option(False, help="Continue the run in --output."),
    start_from: Path | None = typer.Option(None, help="Run whose weights to start from."),
    minutes: float | None = typer.Option(
        None, min=0.01, help="Time limit; the rate's schedule then ends with it."
    ),
    threads: int = typer.Option(1, min=1, help="CPU threads."),
    workers: int = typer.Option(0, min=0, help="Processes that make batches ahead."),
) -> None:
    """Train WHAM's network on synthetic projections and write ``weights.safetensors``."""
    import logging
    import sys
    import time

    import torch
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from humor_ros.body.model import BodyModel
    from humor_ros.training.config import TrainConfig, load_train_config
    from humor_ros.training.export import export_weights
    from humor_ros.training.mocap import MocapLibrary
    from humor_ros.training.synthesis import WindowSource
    from humor_ros.training.trainer import StepReport, Trainer

    logging.getLogger("humor_ros").setLevel(logging.INFO)
    torch.set_num_threads(threads)
    settings = TrainConfig() if config is None else load_train_config(config)
    model = BodyModel.load(body)
    sources = [
        WindowSource(
            MocapLibrary.load(data, split), model, settings.data, settings.camera, settings.noise
        )
        for split in ("train", "val")
    ]
    trainer = Trainer(
        settings,
        model,
        sources[0],
        sources[1],
        output,
        time.monotonic,
        minutes=minutes,
        workers=workers,
    )
    if resume:
        trainer.resume()
    elif start_from is not None:
        trainer.start_from(start_from)
    if sys.stderr.isatty():
        columns = (
            TextColumn("step {task.fields[step]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns) as bar:
            task = bar.add_task("train", total=1.0, step=trainer.step, loss=float("nan"))

            def show(report: StepReport) -> None:
                bar.update(task, completed=trainer.progress, step=report.step, loss=report.loss)

            trainer.run(show)
    else:
        trainer.run()
    path = export_weights(trainer, output / "weights.safetensors")
    typer.echo(f"wrote {path}")
