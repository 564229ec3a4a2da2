"""``humor-ros reproduce``: recompute published networks' outputs for given inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from humor_ros.commands.reproduction import Dtype, Output, Precision, write_arrays

__all__ = ["app", "reproduce_wham"]

app = typer.Typer(
    help="Recompute every output of a published network for given inputs.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Keep the name of the network a sub-command, however many there are."""


@app.command("wham")
def reproduce_wham(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder with checkpoint.pth.tar, smpl_*.npz and inputs.npz."
        ),
    ],
    output: Output,
    dtype: Dtype = Precision.float32,
) -> None:
    """Write every array of a WHAM run to --output; compare with DIR/outputs.npz if it exists."""
    import numpy as np

    from humor_ros.reproduction import largest_differences
    from humor_ros.wham.reproduce import reproduce, tolerance

    arrays = write_arrays(reproduce, folder, output, dtype)
    reference = folder / "outputs.npz"
    if not reference.is_file():
        return
    with np.load(reference, allow_pickle=False) as file:
        differences = largest_differences(arrays, {name: file[name] for name in file.files})
    if not _print_table(differences, tolerance):
        raise typer.Exit(code=1)


def _print_table(differences: dict[str, float], tolerance: Callable[[str], float]) -> bool:
    """Print the largest difference of each case and every array beyond its tolerance."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Largest difference from outputs.npz")
    for column in ("case", "arrays", "largest", "in", "in pixels", "out of tolerance"):
        table.add_column(column)
    cases: dict[str, dict[str, float]] = {}
    for name, value in differences.items():
        cases.setdefault(name.split("/")[0], {})[name] = value
    good = True
    for case, values in cases.items():
        metric = {k: v for k, v in values.items() if tolerance(k) < 1e-3}
        pixels = [v for k, v in values.items() if k not in metric]
        worst = max(metric, key=lambda name: metric[name])
        beyond = [
            name.split("/")[1] for name, value in values.items() if not value <= tolerance(name)
        ]
        good &= not beyond
        table.add_row(
            case,
            str(len(values)),
            f"{metric[worst]:.1e}",
            worst.split("/")[1],
            f"{max(pixels):.1e}" if pixels else "-",
            ", ".join(beyond) or "none",
        )
    Console().print(table)
    return good
