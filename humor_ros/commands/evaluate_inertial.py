"""``humor-ros evaluate inertial``: what errors of an IMU cost, on a virtual rig."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["evaluate_inertial"]


def evaluate_inertial(
    scenario: Annotated[
        str,
        typer.Option(
            help="all, or names with commas: ideal, bias, background, offset, robot, panning, lost."
        ),
    ] = "all",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each scenario.")] = 3,
    first_seed: Annotated[int, typer.Option(min=0, help="Seed of the first run.")] = 0,
    mocap: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of mocap shards (val_*.npz): people to look at. Without it only the"
            " rig is scored.",
        ),
    ] = None,
    tracker: Annotated[
        bool, typer.Option(help="Track the people, or score the rig alone (quick).")
    ] = True,
    decoder: Annotated[
        bool, typer.Option(help="Also run the published trajectory decoder on the same inputs.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the networks.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Also write the tables to this file.")] = None,
) -> None:
    """Play scenarios of a simulated rig through the tracker and print its errors."""
    import sys

    import torch
    from rich.progress import Progress

    from humor_ros.evaluation.inertial import evaluate_rig
    from humor_ros.evaluation.inertial_scenarios import SCENARIOS
    from humor_ros.evaluation.inertial_table import inertial_tables
    from humor_ros.evaluation.report import print_tables, write_json
    from humor_ros.training.mocap import MocapLibrary

    names = list(SCENARIOS) if scenario == "all" else scenario.split(",")
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise typer.BadParameter(
            f"--scenario: unknown {', '.join(unknown)}; known are {', '.join(SCENARIOS)}"
        )
    torch.set_num_threads(threads)
    library = None if mocap is None else MocapLibrary.load(mocap, "val")
    results: dict[str, list[dict[str, float]]] = {}
    with Progress(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("playing", total=len(names) * seeds)
        for name in names:
            for seed in range(first_seed, first_seed + seeds):
                scores = evaluate_rig(
                    SCENARIOS[name], seed, library, tracker=tracker, decoder=decoder
                )
                results.setdefault(name, []).append(scores)
                bar.advance(task)
    tables = inertial_tables(results)
    print_tables(tables)
    if json is not None:
        settings = {"seeds": seeds, "first_seed": first_seed, "mocap": mocap, "decoder": decoder}
        write_json(json, tables, settings)
