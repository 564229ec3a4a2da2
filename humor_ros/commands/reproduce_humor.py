"""``humor-ros reproduce humor``: recompute a published HuMoR's outputs for given inputs."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from humor_ros.commands.reproduction import Dtype, Output, Precision, write_arrays

__all__ = ["register", "reproduce_humor"]


def register(app: typer.Typer) -> None:
    """Add the sub-command to the group ``reproduce``."""
    app.command("humor")(reproduce_humor)


def reproduce_humor(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder with best_model.pth, prior_gmm.npz, body_model/neutral/model.npz, "
            "vposer*.pt and inputs.npz.",
        ),
    ],
    output: Output,
    dtype: Dtype = Precision.float32,
) -> None:
    """Write every array of a HuMoR run to --output; compare with DIR/outputs*.npz if it exists."""
    import numpy as np

    from humor_ros.humor.reproduce import reproduce
    from humor_ros.reproduction import largest_differences

    arrays = write_arrays(reproduce, folder, output, dtype)
    double = dtype is Precision.float64
    reference = folder / ("outputs_f64.npz" if double else "outputs.npz")
    if not reference.is_file():
        return
    with np.load(reference, allow_pickle=False) as file:
        expected = {name: file[name] for name in file.files}
    differences = largest_differences(arrays, expected, relative=True)
    if not _print_table(differences, reference.name, double=double):
        raise typer.Exit(code=1)


def _print_table(differences: dict[str, float], reference: str, *, double: bool) -> bool:
    """Print the largest relative difference of each group; true where all are tolerable."""
    from rich.console import Console
    from rich.table import Table

    from humor_ros.humor.reproduce import tolerance

    table = Table(title=f"Largest difference from {reference}, relative to the array's largest")
    for column in ("group", "arrays", "largest", "in", "out of tolerance"):
        table.add_column(column)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in differences:
        first, second = [*name.split("_"), ""][:2]
        stage = second if first in ("amassjoints", "amasskeypts", "rgb", "roll") else ""
        groups[f"{first} {stage}".strip()].append(name)
    good = True
    for group, names in groups.items():
        worst = max(names, key=lambda name: differences[name])
        beyond = [name for name in names if not differences[name] <= tolerance(name, double=double)]
        good &= not beyond
        table.add_row(
            group, str(len(names)), f"{differences[worst]:.1e}", worst, ", ".join(beyond) or "none"
        )
    Console().print(table)
    return good
