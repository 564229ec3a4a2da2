"""``humor-ros evaluate mocap``: the tracker's stream on synthetic projections of mocap."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from humor_ros.commands.json_option import Json, check_json, model_names, write_numbers
from humor_ros.commands.stream_options import Filter, FitPose, stream_config

__all__ = ["evaluate_mocap"]


class Camera(str, Enum):
    """Which cameras film."""

    static = "static"
    moving = "moving"
    both = "both"


class Noise(str, Enum):
    """Errors of the simulated detector."""

    movenet = "movenet"
    training = "training"
    gaussian = "gaussian"
    none = "none"


def evaluate_mocap(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with train_*.npz and val_*.npz shards.")
    ],
    split: Annotated[str, typer.Option(help="Shards to take: <split>_*.npz.")] = "val",
    camera: Annotated[Camera, typer.Option(help="Cameras on a tripod, carried, or both.")] = (
        Camera.both
    ),
    noise: Annotated[
        Noise, typer.Option(help="Detector: as measured, as trained with, white, or perfect.")
    ] = Noise.movenet,
    weights: Annotated[Path | None, typer.Option(help="WHAM weights file.")] = None,
    body: Annotated[Path | None, typer.Option(help="SMPL body file.")] = None,
    gyro_bias_dps: Annotated[float, typer.Option(min=0.0, help="Gyroscope bias, °/s.")] = 0.1,
    gyro_noise_dps_sqrthz: Annotated[
        float, typer.Option(min=0.0, help="Gyroscope noise, °/s/√Hz.")
    ] = 0.01,
    imu: Annotated[bool, typer.Option(help="Give the tracker the IMU.")] = True,
    seconds: Annotated[
        float, typer.Option(min=0.5, help="Longest part of a clip; longer ones are cut.")
    ] = 20.0,
    clips: Annotated[
        int | None, typer.Option(min=1, help="Only so many clips, spread over the split.")
    ] = None,
    baseline: Annotated[bool, typer.Option(help="Add a row for a person in T-pose.")] = False,
    json: Json = None,
    seed: Annotated[int, typer.Option(help="Of shapes, cameras, IMU and detector.")] = 1,
    fit_pose: FitPose = True,
    filter: Filter = True,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Print the published scores by category of motion: causal, streaming, 30 fps."""
    import sys
    from dataclasses import asdict

    import torch
    from rich.progress import Progress

    from humor_ros.evaluation import mocap
    from humor_ros.evaluation.mocap_tables import clip_table, mocap_tables
    from humor_ros.evaluation.report import ResultTable, print_tables
    from humor_ros.training.mocap import MocapLibrary
    from humor_ros.wham.models import load_models

    check_json(json)
    torch.set_num_threads(threads)
    library = MocapLibrary.load(folder, split)
    if clips is not None:
        library = mocap.every_nth_clip(library, clips)
    network, model = load_models(weights, body)
    shown: list[ResultTable] = []
    single: list[ResultTable] = []
    settings = {}
    for kind in ("static", "moving") if camera is Camera.both else (camera.value,):
        chosen = mocap.MocapSettings(
            camera=kind,
            noise=noise.value,
            gyro_bias_dps=gyro_bias_dps,
            gyro_noise_dps_sqrthz=gyro_noise_dps_sqrthz,
            imu=imu,
            seconds=seconds,
            seed=seed,
        )
        with Progress(disable=not sys.stderr.isatty(), transient=True) as bar:
            task = bar.add_task(kind)
            results = mocap.evaluate_mocap(
                library,
                network,
                model,
                chosen,
                lambda done, total, task=task, bar=bar: bar.update(  # type: ignore[misc]
                    task, completed=done, total=total
                ),
                stream_config(fit_pose, filter, camera_fixed=kind == "static"),
            )
        truth = mocap.t_pose_scores(library, model, chosen) if baseline else None
        shown += mocap_tables(results, chosen, truth)
        single.append(clip_table(results, chosen))
        settings[kind] = asdict(chosen)
    print_tables(shown)
    told = {
        "split": split,
        **model_names(weights, body),
        "fit_pose": fit_pose,
        "filter": filter,
        **settings,
    }
    write_numbers(json, [*shown, *single], told)
