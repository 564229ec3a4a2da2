"""Means over seeds of the inertial scenarios as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from humor_ros.evaluation.report import Column, ResultTable

__all__ = ["inertial_tables"]

_RIG = (
    Column("scenario"),
    Column("seeds"),
    Column("tilt_deg", "tilt", "deg", 2),
    Column("tilt_max_deg", "worst tilt", "deg", 1),
    Column("heading_deg", "heading at end", "deg", 2),
    Column("attitude_inside", "inside 95 %", "", 2),
    Column("rig_rte_percent", "RTE", "%", 2),
    Column("rig_wmpjpe_mm", "W-MPJPE100", "mm", 1),
    Column("offset_ms", "offset error", "ms", 2),
    Column("mounting_deg", "mounting error", "deg", 2),
    Column("lost_tilt_deg", "tilt while lost", "deg", 2),
    Column("core_percent", "of one core", "%", 1),
)
_TRACKER = (
    Column("scenario"),
    Column("seeds"),
    Column("root_deg", "root orientation", "deg", 1),
    Column("decoder_root_deg", "decoder's", "deg", 1),
    Column("decoder_root_aligned_deg", "decoder's, aligned", "deg", 1),
    Column("rte_percent", "RTE", "%", 1),
    Column("wmpjpe_mm", "W-MPJPE100", "mm", 0),
    Column("late_wmpjpe_mm", "after 20 s", "mm", 0),
    Column("position_m", "position", "m", 2),
    Column("ground_m", "ground apart", "m", 3),
    Column("jump_mm", "jump", "mm", 0),
    Column("usual_jump_mm", "usual", "mm", 0),
    Column("position_inside", "position inside", "", 2),
    Column("orientation_inside", "orientation inside", "", 2),
)


def inertial_tables(results: Mapping[str, Sequence[Mapping[str, float]]]) -> list[ResultTable]:
    """Tables of scores.

    Args:
        results: scores of each seed by scenario, as ``evaluate_rig`` gives them.
    """
    rows = []
    for name, seeds in results.items():
        row: dict[str, object] = {"scenario": name, "seeds": len(seeds)}
        for key in sorted({key for scores in seeds for key in scores}):
            values = np.array([scores[key] for scores in seeds if key in scores])
            squared = key in ("offset_ms", "mounting_deg")
            known = values[np.isfinite(values)]
            if len(known):
                mean = np.sqrt(np.square(known).mean()) if squared else known.mean()
                row[key] = float(mean)
        row["by_seed"] = [dict(scores) for scores in seeds]
        rows.append(row)
    tables = [
        ResultTable(
            "rig",
            "World of the rig (true pose in the camera, only the IMU errs)",
            _RIG,
            tuple(rows),
            (
                "Means over seeds; offset and mounting: root mean square after 20 s. RTE and"
                " W-MPJPE100 with the true pose and velocity turned by the estimated attitude.",
            ),
        )
    ]
    if any("root_deg" in row for row in rows):
        tables.append(
            ResultTable(
                "tracker",
                "People as the tracker tells them (2D detector simulated)",
                _TRACKER,
                tuple(row for row in rows if "root_deg" in row),
                (
                    "Root orientation without alignment; the decoder is the published"
                    " trajectory decoder in the same steps of the same network. Position and"
                    " ground where odometry ties people to the world. Jump: largest step of a"
                    " root in one image beyond the true one around the loss of the IMU, and in an"
                    " equally long time before it. Inside: shares of errors within the stated"
                    " 95 % regions.",
                ),
            )
        )
    return tables
