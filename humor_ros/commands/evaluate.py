"""``humor-ros evaluate``: errors of the tracker against ground truth, as tables and JSON.

Each kind of data has a module ``evaluate_<name>`` beside this one, listed in
:mod:`humor_ros.cli`; all of them tell their results by :mod:`humor_ros.evaluation.report`.
"""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Measure errors against ground truth: tables and JSON.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Keep the kind of data a sub-command, however many there are."""
