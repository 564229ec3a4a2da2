"""The table of the evaluation on video, with other methods' rows beside the tracker's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from humor_ros.evaluation.report import Column, ResultTable, read_json

__all__ = ["TABLE_NAME", "reference_rows", "video_table"]

TABLE_NAME = "video"
_COLUMNS = (
    Column("camera"),
    Column("person"),
    Column("method"),
    Column("seen"),
    Column("frames"),
    Column("ids"),
    Column("pa_mpjpe_mm", "PA-MPJPE", "mm"),
    Column("mpjpe_mm", "MPJPE", "mm"),
    Column("accel_ms2", "Accel", "m/s²"),
    Column("hips_mm", "hips", "mm", 0),
    Column("height_bias_mm", "height", "mm", 0),
    Column("depth_bias_mm", "depth", "mm", 0),
    Column("bone_std_mm", "bone std", "mm"),
    Column("size", digits=2),
    Column("sliding_mm", "sliding", "mm"),
    Column("lag_frames", "lag", "frames"),
    Column("ms_per_frame", "time", "ms/frame", 0),
)
_NOTES = (
    "COCO joints 5-16, causal. MPJPE and Accel after centring the hips. hips: error of the hips'",
    "middle in the camera frame; height and depth: its signed mean along up and the optical axis.",
    "bone std: of eight limbs over time; size: limbs over the true ones; sliding: of the ankles a",
    "frame where the true ones move < 1 cm; lag: delay that fits the truth best.",
)


def video_table(
    rows: Sequence[Mapping[str, Any]], references: Sequence[Mapping[str, Any]] = ()
) -> ResultTable:
    """One row for each camera, person and method.

    Args:
        rows: of the tracker, with the keys of :class:`~humor_ros.evaluation.video.VideoScores`
            and ``camera``, ``person``, ``method`` and perhaps ``ms_per_frame``.
        references: of others, shown below the tracker's row of the same camera as given: they
            are read, not measured here.
    """
    shown: list[Mapping[str, Any]] = []
    for row in rows:
        shown.append(row)
        shown += [
            reference
            for reference in references
            if reference.get("camera") == row.get("camera")
            and reference.get("person", row.get("person")) == row.get("person")
        ]
    known = {name for row in shown for name in row}
    if len({row.get("person") for row in rows}) < 2:
        known.discard("person")
    notes = _NOTES + (("Rows marked (given) were read from --reference.",) if references else ())
    columns = tuple(column for column in _COLUMNS if column.name in known)
    return ResultTable(TABLE_NAME, "Video with 3D ground truth", columns, tuple(shown), notes)


def reference_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of an earlier result, or of somebody else's, marked as given.

    Args:
        path: JSON as ``humor-ros evaluate video --json`` writes it; of each row ``camera`` and
            ``method`` are needed, and whatever scores are known.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no table of video results.
    """
    table = read_json(path).get("tables", {}).get(TABLE_NAME)
    rows = table.get("rows") if isinstance(table, dict) else None
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and "camera" in row and "method" in row for row in rows
    ):
        raise ValueError(f"{path} has no table {TABLE_NAME!r} with rows of camera and method")
    return [
        {**row, "method": f"{row['method']} (given)"}
        for row in rows
        if not str(row["method"]).endswith("(given)")
    ]
