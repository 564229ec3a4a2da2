"""The option ``--json`` of the commands that measure: a file for the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from humor_ros.evaluation.report import ResultTable

__all__ = ["Json", "check_json", "model_names", "write_numbers"]

Json = Annotated[Path | None, typer.Option(help="Write the numbers here, too.")]


def check_json(json: Path | None) -> None:
    """Refuse a file in a folder that is not there, before anything is computed.

    Raises:
        typer.BadParameter: naming the folder.
    """
    if json is not None and not json.parent.is_dir():
        raise typer.BadParameter(f"--json: folder not found: {json.parent}")


def write_numbers(
    json: Path | None, tables: Sequence[ResultTable], settings: Mapping[str, Any]
) -> None:
    """Write the tables and what they were made with, where asked for, and say so."""
    from humor_ros.evaluation.report import write_json

    if json is not None:
        write_json(json, tables, settings)
        typer.echo(f"wrote {json}")


def model_names(weights: Path | None, body: Path | None) -> dict[str, str]:
    """Of the settings: which weights and which body the numbers are of."""
    return {
        "weights": weights.name if weights is not None else "packaged",
        "body": body.name if body is not None else "of the weights",
    }
