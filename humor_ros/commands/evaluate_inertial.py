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
    workers: Annotated[int, typer.Option(min=1, help="Runs played at once.")] = 1,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Keep each run's scores in this file as they come (JSON lines); runs that are"
            " in it already are not played again."
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write the tables to this file.")] = None,
) -> None:
    """Play scenarios of a simulated rig through the tracker and print its errors."""
    import sys

    from rich.progress import Progress

    from humor_ros.evaluation.inertial_runs import KeptRuns, play_all, weights_digest
    from humor_ros.evaluation.inertial_scenarios import SCENARIOS
    from humor_ros.evaluation.inertial_table import inertial_tables
    from humor_ros.evaluation.report import print_tables, write_json

    names = list(SCENARIOS) if scenario == "all" else scenario.split(",")
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise typer.BadParameter(
            f"--scenario: unknown {', '.join(unknown)}; known are {', '.join(SCENARIOS)}"
        )
    people = mocap is not None and tracker
    settings = {
        "weights": weights_digest() if people else "none",
        "mocap": None if mocap is None else mocap.name,
        "tracker": people,
    }
    try:
        kept = KeptRuns(keep, settings)
    except ValueError as error:
        raise typer.BadParameter(f"--keep: {error}") from error
    wanted = range(first_seed, first_seed + seeds)
    missing = kept.missing(names, wanted)
    with Progress(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("playing", total=len(missing))
        for name, seed, scores in play_all(missing, mocap, tracker=people, workers=workers):
            kept.add(name, seed, scores)
            bar.advance(task)
    tables = inertial_tables(kept.by_scenario(names, wanted))
    print_tables(tables)
    if json is not None:
        write_json(json, tables, settings | {"seeds": seeds, "first_seed": first_seed})
