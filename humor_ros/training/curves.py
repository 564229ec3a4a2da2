"""Curves of a run: CSV always, TensorBoard where asked for; both continue after an interruption."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path
from typing import Any

__all__ = ["Curves"]


class Curves:
    """Rows of numbers by name of the curve, each with a ``step``.

    Args:
        folder: where ``<name>.csv`` and the event files are written.
        tensorboard: whether to write event files too.

    Raises:
        ValueError: TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, *, tensorboard: bool = False) -> None:
        self.folder = folder
        self._writer: Any = None
        self._tensorboard = tensorboard
        if tensorboard:
            try:
                self._module = importlib.import_module("torch.utils.tensorboard")
            except ImportError as error:
                raise ValueError(
                    f"tensorboard: true needs the package tensorboard ({error}); install it, or "
                    "set tensorboard: false and read the CSV files"
                ) from error

    def append(self, name: str, row: dict[str, float]) -> None:
        """Add a row to a curve."""
        path = self.folder / f"{name}.csv"
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if fresh:
                writer.writeheader()
            writer.writerow({key: f"{value:.6g}" for key, value in row.items()})
        if self._tensorboard:
            if self._writer is None:
                self._writer = self._module.SummaryWriter(
                    str(self.folder), purge_step=int(row["step"])
                )
            for key, value in row.items():
                if key != "step":
                    self._writer.add_scalar(f"{name}/{key}", value, int(row["step"]))

    def forget_after(self, step: int) -> None:
        """Take back the rows of later steps, which a resumed run makes again."""
        for path in sorted(self.folder.glob("*.csv")):
            with path.open(newline="", encoding="utf-8") as file:
                heading, *rows = [*csv.reader(file)] or [[]]
            if "step" not in heading:
                continue
            column = heading.index("step")
            kept = [row for row in rows if float(row[column]) <= step]
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([heading, *kept])

    def close(self) -> None:
        """Finish the event files."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
