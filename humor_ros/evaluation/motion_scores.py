"""All scores of one sequence of motion, and their means over many.

Scores are arrays with one value for each frame (or resting foot, or triple of frames), so that
means over sequences weigh frames alike, as the published evaluations do (spec of WHAM, section 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.evaluation.metrics import (
    SMPL_HIPS,
    acceleration_error_ms2,
    align_by_pelvis,
    chunked_world_mpjpe_mm,
    foot_sliding_mm,
    jitter_10ms3,
    mpjpe_mm,
    pa_mpjpe_mm,
    root_orientation_error_deg,
    root_translation_error_percent,
)
from humor_ros.evaluation.report import Column
from humor_ros.types import Array

__all__ = ["SCORE_COLUMNS", "MotionSequence", "mean_scores", "score_motion"]

_COCO_HIPS = (11, 12)
#: A standing person's path is noise: RTE is a share of the path, so it counts above this, metres.
_SHORTEST_PATH_M = 1.0

#: Every score with its heading, in the order of the published tables.
SCORE_COLUMNS: tuple[Column, ...] = (
    Column("pa_mpjpe_mm", "PA-MPJPE", "mm"),
    Column("mpjpe_mm", "MPJPE", "mm"),
    Column("coco_pa_mpjpe_mm", "PA COCO", "mm"),
    Column("coco_mpjpe_mm", "MPJPE COCO", "mm"),
    Column("pve_mm", "PVE", "mm"),
    Column("accel_ms2", "Accel", "m/s²"),
    Column("w_mpjpe100_mm", "W-MPJPE", "mm", 0),
    Column("wa_mpjpe100_mm", "WA-MPJPE", "mm", 0),
    Column("rte_percent", "RTE", "%"),
    Column("root_deg", "root", "°"),
    Column("tilt_deg", "tilt", "°"),
    Column("jitter_10ms3", "Jitter", "10 m/s³"),
    Column("foot_sliding_mm", "FS", "mm"),
    Column("contact_percent", "contact", "%"),
)


@dataclass(frozen=True, eq=False)
class MotionSequence:
    """Motion of one person over T frames at an even rate; what is not known is None.

    Attributes:
        joints: (T, J, 3) SMPL joints (or others whose ``hips`` are told), metres; truth and
            prediction in the same axes (the camera's), any origin.
        coco17: (T, 17, 3) COCO key-points in those axes.
        vertices: (K, V, 3) surface of some of the frames, in those axes.
        vertex_frames: (K,) which frames these are.
        joints_world: (T, 24, 3) in a world; worlds of truth and prediction may differ.
        root_rotation_world: (T, 3, 3) root orientation in that world, whose z axis is up.
        feet_world: (T, 4, 3) left toe, left heel, right toe, right heel in that world.
        contacts: (T, 4) probability that they rest.
        way_world: (T, 3) the root's way in that world; None: that of the first joint.
        hips: indices among ``joints`` of those whose mean is the pelvis.
    """

    joints: Array
    coco17: Array | None = None
    vertices: Array | None = None
    vertex_frames: NDArray[np.int64] | None = None
    joints_world: Array | None = None
    root_rotation_world: Array | None = None
    feet_world: Array | None = None
    contacts: Array | None = None
    way_world: Array | None = None
    hips: tuple[int, int] = SMPL_HIPS

    @property
    def way(self) -> Array | None:
        """(T, 3) what RTE is of, if anything in the world is known."""
        if self.way_world is None and self.joints_world is not None:
            return self.joints_world[:, 0]
        return self.way_world


def score_motion(
    prediction: MotionSequence,
    truth: MotionSequence,
    fps: float = 30.0,
    *,
    shortest_path_m: float = _SHORTEST_PATH_M,
) -> dict[str, Array]:
    """Score one sequence.

    Args:
        prediction: with the same frames as the truth.
        truth: frames at ``fps``.
        fps: frames a second.
        shortest_path_m: a shorter true way has no ``rte_percent``.

    Returns:
        Values of those scores of :data:`SCORE_COLUMNS` that both sides allow: mm, m/s², per
        cent and degrees as named. ``tilt_deg`` is the angle between where truth and prediction
        say that up is in the root's axes.

    Raises:
        ValueError: the two have different numbers of frames.
    """
    if len(prediction.joints) != len(truth.joints):
        raise ValueError(
            f"prediction has {len(prediction.joints)} frames, truth has {len(truth.joints)}"
        )
    scores = _pose_scores(prediction, truth, fps)
    if prediction.joints_world is not None and truth.joints_world is not None:
        ours, true = _tensor(prediction.joints_world), _tensor(truth.joints_world)
        scores["w_mpjpe100_mm"] = chunked_world_mpjpe_mm(ours, true, whole=False)
        scores["wa_mpjpe100_mm"] = chunked_world_mpjpe_mm(ours, true, whole=True)
        scores["jitter_10ms3"] = jitter_10ms3(ours, fps)
    if prediction.way is not None and truth.way is not None:
        ours, true = _tensor(prediction.way), _tensor(truth.way)
        if float((true[1:] - true[:-1]).norm(dim=-1).sum()) >= shortest_path_m:
            scores["rte_percent"] = root_translation_error_percent(ours, true)
    if prediction.root_rotation_world is not None and truth.root_rotation_world is not None:
        ours, true = _tensor(prediction.root_rotation_world), _tensor(truth.root_rotation_world)
        scores["root_deg"] = root_orientation_error_deg(ours, true)
        cosine = (ours[:, 2] * true[:, 2]).sum(-1).clamp(-1, 1)
        scores["tilt_deg"] = torch.rad2deg(cosine.acos())
    if prediction.feet_world is not None and truth.feet_world is not None:
        scores["foot_sliding_mm"] = foot_sliding_mm(
            _tensor(prediction.feet_world), _tensor(truth.feet_world)
        )
    if prediction.contacts is not None and truth.contacts is not None:
        same = (prediction.contacts > 0.5) == (truth.contacts > 0.5)
        scores["contact_percent"] = 100.0 * _tensor(same.astype(np.float64)).mean(-1)
    return {name: value.numpy() for name, value in scores.items()}


def mean_scores(sequences: Iterable[Mapping[str, Array]]) -> dict[str, float]:
    """Mean of each score over the values of all sequences together; NaN are left out."""
    values: dict[str, list[Array]] = {}
    for sequence in sequences:
        for name, value in sequence.items():
            values.setdefault(name, []).append(np.atleast_1d(value))
    means = {}
    for name, parts in values.items():
        together = np.concatenate(parts)
        known = together[np.isfinite(together)]
        means[name] = float(known.mean()) if len(known) else float("nan")
    return means


def _pose_scores(
    prediction: MotionSequence, truth: MotionSequence, fps: float
) -> dict[str, Tensor]:
    joints, true_joints = _tensor(prediction.joints), _tensor(truth.joints)
    ours = align_by_pelvis(joints, hips=prediction.hips)
    true = align_by_pelvis(true_joints, hips=truth.hips)
    scores = {"pa_mpjpe_mm": pa_mpjpe_mm(ours, true), "mpjpe_mm": mpjpe_mm(ours, true)}
    if len(ours) >= 3:
        scores["accel_ms2"] = acceleration_error_ms2(ours, true, fps)
    if prediction.coco17 is not None and truth.coco17 is not None:
        coco, true_coco = (
            align_by_pelvis(_tensor(x), hips=_COCO_HIPS) for x in (prediction.coco17, truth.coco17)
        )
        scores["coco_pa_mpjpe_mm"] = pa_mpjpe_mm(coco, true_coco)
        scores["coco_mpjpe_mm"] = mpjpe_mm(coco, true_coco)
    if prediction.vertices is not None and truth.vertices is not None:
        frames = truth.vertex_frames
        picked = slice(None) if frames is None else torch.as_tensor(frames)
        scores["pve_mm"] = mpjpe_mm(
            align_by_pelvis(joints[picked], _tensor(prediction.vertices), prediction.hips),
            align_by_pelvis(true_joints[picked], _tensor(truth.vertices), truth.hips),
        )
    return scores


def _tensor(values: Array) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float64)
