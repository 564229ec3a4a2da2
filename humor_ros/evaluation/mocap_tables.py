"""Tables of the evaluation on motion capture: by category of motion and together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from humor_ros.evaluation.mocap import MocapSettings, PieceScores
from humor_ros.evaluation.motion_scores import SCORE_COLUMNS, mean_scores
from humor_ros.evaluation.report import Column, ResultTable

__all__ = ["clip_table", "mocap_tables"]

_IDLE = "idle"
_EXTRA = (
    Column("hips_mm", "hips", "mm", 0),
    Column("depth_percent", "depth", "%"),
    Column("bone_std_mm", "bone std", "mm"),
    Column("lag_frames", "lag", "frames"),
    Column("gravity_deg", "gravity", "°"),
    Column("true_jitter_10ms3", "true Jit.", "10 m/s³"),
)
_POSE_NAMES = (
    *("pa_mpjpe_mm", "mpjpe_mm", "coco_pa_mpjpe_mm", "coco_mpjpe_mm", "pve_mm", "accel_ms2"),
    *("hips_mm", "depth_percent", "bone_std_mm", "lag_frames"),
)
_HEAD = (Column("motion"), Column("clips"), Column("frames"))
_POSE_NOTES = (
    "Means over frames. MPJPE and PVE after centring the hips; Accel of centred joints. hips,",
    "depth: place in the camera frame; bone std: of eight limbs over time; lag: delay of the pose.",
)
_WORLD_NOTES = (
    "W-MPJPE and WA-MPJPE in chunks of 100 frames; RTE where the true way is longer than 1 m;",
    "root: world orientation after aligning the first frame; tilt: of the root against up; FS: a",
    "frame, where the true foot rests; contact: share of right answers; gravity: of the camera.",
)


def mocap_tables(
    results: Sequence[PieceScores],
    settings: MocapSettings,
    baseline: Sequence[PieceScores] | None = None,
) -> list[ResultTable]:
    """Rows by category, all without idle, all, and the baseline: of the pose, and of the world.

    Args:
        results: of the tracker.
        settings: what was simulated.
        baseline: of the T-pose; it has no world.

    Returns:
        ``mocap_<camera>``, whose rows hold every score, and ``mocap_<camera>_world``.
    """
    categories = sorted({result.piece.category for result in results})
    rows = [_row(name, [r for r in results if r.piece.category == name]) for name in categories]
    moving = [r for r in results if r.piece.category != _IDLE]
    if moving and len(moving) < len(results):
        rows.append(_row("all but idle", moving))
    rows.append(_row("all", results))
    imu = (
        f"gyro bias {settings.gyro_bias_dps:g} °/s, "
        f"noise {settings.gyro_noise_dps_sqrthz:g} °/s/√Hz"
        if settings.imu
        else "no IMU"
    )
    where = f"{settings.camera} camera, detector noise: {settings.noise}, {imu}"
    pose = tuple(c for c in (*SCORE_COLUMNS, *_EXTRA) if c.name in _POSE_NAMES)
    world = tuple(c for c in (*SCORE_COLUMNS, *_EXTRA) if c.name not in _POSE_NAMES)
    name = f"mocap_{settings.camera}"
    others = [] if baseline is None else [_row("T-pose baseline", baseline)]
    return [
        ResultTable(name, f"Mocap, pose: {where}", (*_HEAD, *pose), (*rows, *others), _POSE_NOTES),
        ResultTable(
            f"{name}_world", f"Mocap, world: {where}", (*_HEAD, *world), tuple(rows), _WORLD_NOTES
        ),
    ]


def clip_table(results: Sequence[PieceScores], settings: MocapSettings) -> ResultTable:
    """One row for each piece, for the JSON."""
    rows = []
    for result in results:
        row = _row(result.piece.category, [result])
        rows.append({"clip": result.piece.name, **row})
    columns = (Column("clip"), *_HEAD, *SCORE_COLUMNS, *_EXTRA)
    return ResultTable(f"clips_{settings.camera}", "Clip by clip", columns, tuple(rows))


def _row(name: str, results: Sequence[PieceScores]) -> dict[str, Any]:
    return {
        "motion": name,
        "clips": len(results),
        "frames": sum(result.piece.frames for result in results),
        **mean_scores(result.scores for result in results),
    }
