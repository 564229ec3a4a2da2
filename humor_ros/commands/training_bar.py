"""The progress of a training run, shown where somebody watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from humor_ros.training.loop import TrainingLoop
    from humor_ros.training.step_report import StepReport

__all__ = ["run_with_bar"]


def run_with_bar(trainer: TrainingLoop[Any], *, digits: int = 3) -> None:
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

        def show(report: StepReport) -> None:
            bar.update(task, completed=trainer.progress, step=report.step, loss=report.loss)

        trainer.run(show)
