"""``humor-ros train humor``: train HuMoR's prior of motion, or tell how good one is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from humor_ros.commands.training_bar import run_with_bar

if TYPE_CHECKING:
    from humor_ros.training.humor_config import HumorDataConfig

__all__ = ["train_humor"]


def train_humor(
    data: Annotated[
        Path, typer.Option(help="Folder with train_*.npz and val_*.npz shards, or of AMASS.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Folder of the run: snapshot, curves, weights, mixture.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML configuration; published settings if absent.")
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(help="SMPL or SMPL+H body (.npz); the packaged one if absent."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Continue the run in --output.")] = False,
    start_from: Annotated[
        Path | None, typer.Option(help="Run whose weights to start from.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Time limit; the schedules then end with it."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    validate_only: Annotated[
        bool, typer.Option(help="Do not train: score --weights on the validation clips.")
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(help="What to score; the packaged prior if absent."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="With --validate-only: draw roll-outs to this image.")
    ] = None,
) -> None:
    """Train HuMoR and write weights.safetensors and prior_gmm.npz, or score a prior."""
    import torch

    from humor_ros.training.humor_config import HumorTrainConfig

    torch.set_num_threads(threads)
    settings = HumorTrainConfig() if config is None else HumorTrainConfig.load(config)
    if validate_only:
        _validate(data, body, settings.data, weights, picture)
        return
    if output is None:
        raise typer.BadParameter("--output: give the folder of the run")
    import logging
    import time
    from dataclasses import replace

    from humor_ros.training.humor_export import export_prior
    from humor_ros.training.humor_scaled_trainer import ScaledHumorTrainer
    from humor_ros.training.humor_sources import load_body, load_source
    from humor_ros.training.humor_trainer import HumorTrainer
    from humor_ros.training.humor_transitions import TransitionLibrary

    logging.getLogger("humor_ros").setLevel(logging.INFO)
    model = load_body(body)
    training = TransitionLibrary(load_source(data, "train", model, settings.data))
    as_recorded = replace(settings.data, slowest=1.0, fastest=1.0)
    validation = TransitionLibrary(load_source(data, "val", model, as_recorded))
    kind = ScaledHumorTrainer if settings.optim.scaled else HumorTrainer
    trainer = kind(settings, model, training, validation, output, time.monotonic, minutes=minutes)
    if resume:
        trainer.resume()
    elif start_from is not None:
        trainer.start_from(start_from)
    run_with_bar(trainer, digits=4)
    for path in export_prior(trainer, output):
        typer.echo(f"wrote {path}")


def _validate(
    data: Path,
    body: Path | None,
    settings: HumorDataConfig,
    weights: Path | None,
    picture: Path | None,
) -> None:
    """Print all scores of a prior, one a line, and draw its roll-outs where asked."""
    from humor_ros.humor.models import load_prior
    from humor_ros.training.humor_quality import prior_quality
    from humor_ros.training.humor_sources import load_body, load_source
    from humor_ros.training.humor_transitions import TransitionLibrary

    prior = load_prior(weights)
    library = TransitionLibrary(load_source(data, "val", load_body(body), settings))
    for name, value in prior_quality(prior.network, prior.mixture, library).items():
        typer.echo(f"{name:32s} {value:10.3f}")
    if picture is not None:
        from humor_ros.training.humor_picture import draw_roll_outs

        draw_roll_outs(prior.network, library, picture)
        typer.echo(f"wrote {picture}")
