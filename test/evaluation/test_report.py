"""Result tables: one set of numbers on the console and in JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from humor_ros.evaluation.report import Column, ResultTable, print_tables, read_json, write_json

TABLE = ResultTable(
    "scores",
    "Scores",
    (Column("camera"), Column("mpjpe_mm", "MPJPE", "mm"), Column("frames")),
    (
        {"camera": "cam01", "mpjpe_mm": np.float32(81.25), "frames": 50},
        {"camera": "cam02", "mpjpe_mm": float("nan"), "frames": 0},
    ),
    ("hips-centred",),
)


def shown(*tables: ResultTable) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_tables(tables, console)
    return console.file.getvalue()


def test_a_table_shows_headings_units_values_and_notes() -> None:
    text = shown(TABLE)
    for word in ("Scores", "MPJPE", "mm", "81.2", "cam02", "hips-centred"):
        assert word in text


def test_what_is_not_a_number_is_a_dash_and_null(tmp_path: Path) -> None:
    row = next(line for line in shown(TABLE).splitlines() if "cam02" in line)
    assert "-" in row
    assert "nan" not in row
    write_json(tmp_path / "r.json", [TABLE])
    assert read_json(tmp_path / "r.json")["tables"]["scores"]["rows"][1]["mpjpe_mm"] is None


def test_json_has_the_values_of_every_row_and_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_json(path, [TABLE], {"weights": tmp_path / "w", "cameras": np.arange(2)})
    content = json.loads(path.read_text())
    assert content["settings"] == {"weights": str(tmp_path / "w"), "cameras": [0, 1]}
    table = content["tables"]["scores"]
    assert table["rows"][0] == {"camera": "cam01", "mpjpe_mm": 81.25, "frames": 50}
    assert table["columns"]["mpjpe_mm"] == {"title": "MPJPE", "unit": "mm"}


def test_names_are_given_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="columns"):
        ResultTable("t", "T", (Column("a"), Column("a")), ())
    with pytest.raises(ValueError, match="different names"):
        write_json(tmp_path / "r.json", [TABLE, TABLE])


@pytest.mark.parametrize("content", ["no json", "[]", '{"format": 99}'])
def test_another_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"other\.json"):
        read_json(path)
