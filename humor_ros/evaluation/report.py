"""What every evaluation tells: tables on the console, and the same numbers as JSON.

A table is columns and rows of plain values. Every ``humor-ros evaluate`` command makes some and
hands them to :func:`print_tables` and :func:`write_json`, so that all of them look alike and the
JSON of one can be read by whoever reads another's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Column", "ResultTable", "print_tables", "read_json", "write_json"]

#: Layout of the JSON; raised when a reader would have to change.
_FORMAT = 1


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: key of its values in the rows and in the JSON; the unit ends it (``mpjpe_mm``).
        title: heading on the console; the name where empty.
        unit: shown under the heading.
        digits: after the point on the console; the JSON has all of them.
    """

    name: str
    title: str = ""
    unit: str = ""
    digits: int = 1

    def text(self, value: Any) -> str:
        """A value of this column as the console shows it; ``-`` where there is none."""
        if value is None or (isinstance(value, (float, np.floating)) and not math.isfinite(value)):
            return "-"
        if isinstance(value, (float, np.floating)):
            return f"{value:.{self.digits}f}"
        return str(value)


@dataclass(frozen=True)
class ResultTable:
    """Results of an evaluation, one row for each thing evaluated.

    Attributes:
        name: key of the table in the JSON.
        title: said above it.
        columns: in order.
        rows: value of each column by its name; a missing one, None or NaN is shown as ``-``
            and is null in the JSON. A row may hold values that no column shows: the JSON has
            them too.
        notes: sentences below it: what the numbers mean.

    Raises:
        ValueError: two columns have one name.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"ResultTable {self.name!r}: columns with one name in {names}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {
            "title": self.title,
            "columns": {c.name: {"title": c.title or c.name, "unit": c.unit} for c in self.columns},
            "rows": [_plain(row) for row in self.rows],
            "notes": list(self.notes),
        }


def print_tables(tables: Sequence[ResultTable], console: Console | None = None) -> None:
    """Show tables with their notes.

    Args:
        tables: in order.
        console: where; standard output when None.
    """
    from rich import box
    from rich.console import Console as RichConsole
    from rich.table import Table

    # A pipe has no width: tables would be cut at 80 columns there.
    out = console or RichConsole()
    if console is None and not out.is_terminal:
        out = RichConsole(width=200)
    for table in tables:
        shown = Table(title=table.title, title_justify="left", box=box.SIMPLE_HEAD)
        for column in table.columns:
            heading = column.title or column.name
            numeric = any(_is_number(row.get(column.name)) for row in table.rows)
            shown.add_column(
                f"{heading}\n{column.unit}" if column.unit else heading,
                justify="right" if numeric else "left",
            )
        for row in table.rows:
            shown.add_row(*(column.text(row.get(column.name)) for column in table.columns))
        out.print(shown)
        for note in table.notes:
            out.print(note, markup=False, highlight=False)


def write_json(
    path: Path, tables: Sequence[ResultTable], settings: Mapping[str, Any] | None = None
) -> None:
    """Write tables to a file.

    The layout: ``{"format": 1, "settings": {...}, "tables": {name: {"title", "columns":
    {name: {"title", "unit"}}, "rows": [{name: value}], "notes"}}}``. Numbers that are not
    finite are null.

    Args:
        path: overwritten.
        tables: in order; their names differ.
        settings: what was run with what, so that the file tells how to get it again.

    Raises:
        ValueError: two tables have one name.
        OSError: the file cannot be written.
    """
    names = [table.name for table in tables]
    if len(set(names)) != len(names):
        raise ValueError(f"tables must have different names, got {names}")
    content = {
        "format": _FORMAT,
        "settings": _plain(settings or {}),
        "tables": {table.name: table.to_dict() for table in tables},
    }
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read what :func:`write_json` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not of this format; the message names it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no evaluation results at {path}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error})") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{path} holds no evaluation results of format {_FORMAT}")
    return content


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Nested values as JSON has them: lists, dictionaries, numbers, strings, null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value
