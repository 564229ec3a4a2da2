"""The progress of a training run, shown where somebody watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["run_with_bar"]


class _Report(Protocol):
    @property
    def step(self) -> int: ...
    @property
    def loss(self) -> float: ...


class _Run(Protocol):
    step: int

    @property
    def progress(self) -> float: ...
    def run(self, on_step: Callable[[Any], None] | None = None) -> None: ...


def run_with_bar(trainer: _Run, *, digits: int = 3) -> None:
    """Run to the end, with a progress bar on a terminal; ``digits`` of the loss are shown."""
    import sys

    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    if not sys.stderr.isatty():
        trainer.run()
        return
    columns = (
        TextColumn("step {task.fields[step]}"),
        BarColumn(),
        TextColumn(f"loss {{task.fields[loss]:.{digits}f}}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("train", total=1.0, step=trainer.step, loss=float("nan"))

        def show(report: _Report) -> None:
            bar.update(task, completed=trainer.progress, step=report.step, loss=report.loss)

        trainer.run(show)
