"""``humor-ros evaluate sequences``: the published benchmarks on a user's copy of the data."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from humor_ros.commands.json_option import Json, check_json, model_names, write_numbers
from humor_ros.commands.keypoint_options import Images, Keypoints, PosePath, keypoint_choice

__all__ = ["evaluate_sequences"]


class BenchmarkName(str, Enum):
    """Which benchmark."""

    threedpw = "3dpw"
    emdb1 = "emdb1"
    emdb2 = "emdb2"


class Mode(str, Enum):
    """How the network is run."""

    published = "published"
    stream = "stream"


class WorldMode(str, Enum):
    """How the stream makes its world."""

    imu = "imu"
    wham = "wham"


def evaluate_sequences(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Training sequences (*.npz), or 3DPW or EMDB as it is published."
        ),
    ],
    benchmark: Annotated[BenchmarkName, typer.Option(help="Whose sequences and scores.")],
    weights: Annotated[
        Path | None, typer.Option(help="WHAM weights: published .pth.tar, or .safetensors.")
    ] = None,
    body: Annotated[
        Path | None, typer.Option(help="SMPL body of the network; the weights' own if absent.")
    ] = None,
    bodies: Annotated[
        Path | None,
        typer.Option(help="Folder with SMPL_NEUTRAL, _FEMALE, _MALE, which the truth is of."),
    ] = None,
    h36m_regressor: Annotated[
        Path | None,
        typer.Option(
            help="J_regressor_h36m.npy (17, V): 3DPW's 14 joints; the bodies' own if absent."
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Of the data set; the benchmark's if absent.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="As published, or as the tracker's stream runs.")
    ] = Mode.published,
    features: Annotated[
        bool | None,
        typer.Option(help="Use cached image features; if absent, with --weights only."),
    ] = None,
    flip: Annotated[
        bool, typer.Option(help="Average with the mirrored images, as published.")
    ] = False,
    intrinsics: Annotated[
        bool, typer.Option(help="Let the published run know K and distortion; the stream does.")
    ] = False,
    world_mode: Annotated[
        WorldMode, typer.Option(help="Of --mode stream: camera attitude x root, or WHAM's own.")
    ] = WorldMode.imu,
    keypoints: Keypoints = "dataset",
    pose_path: PosePath = None,
    images: Images = None,
    json: Json = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Print a published benchmark's scores of the network: causal, person by person, 30 fps."""
    import sys
    from dataclasses import asdict

    import torch
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from humor_ros.evaluation.benchmark import (
        SequenceResult,
        benchmark_table,
        evaluate_benchmark,
    )
    from humor_ros.evaluation.report import print_tables
    from humor_ros.evaluation.sequence_runner import RunSettings
    from humor_ros.evaluation.sequence_scores import BENCHMARKS
    from humor_ros.evaluation.sequences import open_sequences
    from humor_ros.evaluation.truth_bodies import TruthBodies, read_h36m_regressor
    from humor_ros.wham.models import load_models

    check_json(json)
    torch.set_num_threads(threads)
    chosen = BENCHMARKS[benchmark.value]
    h36m = None if h36m_regressor is None else read_h36m_regressor(h36m_regressor)
    found = TruthBodies(bodies)
    settings = RunSettings(
        mode=mode.value,
        features=weights is not None if features is None else features,
        flip=flip,
        intrinsics=intrinsics,
        world_mode=world_mode.value,
    )
    network, model = load_models(weights, body)
    sequences = open_sequences(
        folder,
        split=split or chosen.split,
        benchmark=benchmark.value,
        bodies=None if bodies is None else found,
        keypoints=keypoint_choice(keypoints, pose_path, images),
    )
    columns = SpinnerColumn(), TextColumn("{task.description}")
    with Progress(*columns, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(chosen.title)

        def tell(result: SequenceResult) -> None:
            bar.update(task, description=f"{chosen.title}: {result.name}")

        results = evaluate_benchmark(
            chosen, sequences, network.eval(), model, found, settings, h36m, tell
        )
    notes = []
    if chosen.common14 and h36m is None:
        notes.append("Joints: the bodies' own 14; the published ones need --h36m-regressor.")
    table = benchmark_table(benchmark.value, chosen, results, notes)
    print_tables([table])
    told = {
        **model_names(weights, body),
        "split": split or chosen.split,
        "keypoints": keypoints,
        **asdict(settings),
    }
    write_numbers(json, [table], told)
