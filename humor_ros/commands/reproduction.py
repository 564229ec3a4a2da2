"""What the commands that recompute a published network's outputs share."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import torch

__all__ = ["Dtype", "Output", "Precision", "write_arrays"]


class Precision(str, Enum):
    """Floating-point type of the computation."""

    float32 = "float32"
    float64 = "float64"


Output = Annotated[Path, typer.Option(help="Where to write the arrays (.npz).")]
Dtype = Annotated[Precision, typer.Option(help="Type of the computation.")]


def write_arrays(
    reproduce: Callable[[Path, torch.dtype], dict[str, Any]],
    folder: Path,
    output: Path,
    dtype: Precision,
) -> dict[str, Any]:
    """Recompute and write all arrays.

    Args:
        reproduce: from folder and type to arrays by name.
        folder: DIR of the command.
        output: ``.npz`` to write.
        dtype: of the computation.

    Returns:
        The arrays.

    Raises:
        typer.BadParameter: a folder is not there.
    """
    import numpy as np
    import torch

    if not folder.is_dir():
        raise typer.BadParameter(f"DIR: folder not found: {folder}")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"--output: folder not found: {output.parent}")
    arrays = reproduce(folder, getattr(torch, dtype.value))
    with output.open("wb") as file:
        np.savez(file, **arrays)
    typer.echo(f"{len(arrays)} arrays written to {output}")
    return arrays
