"""Running a detector over videos with ground truth, and telling how it errs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from humor_ros.body.skeleton import COCO17_NAMES
from humor_ros.detection import Detector, PeopleTracker, PeopleTrackerConfig
from humor_ros.evaluation.keypoint_errors import (
    BODY_JOINTS,
    KeypointRun,
    confidence_bins,
    fit_noise,
    joint_statistics,
)
from humor_ros.evaluation.report import Column, ResultTable
from humor_ros.evaluation.video_truth import CameraTruth, read_frames, read_video_truth
from humor_ros.types import Array, Image, TrackingState

__all__ = ["keypoint_tables", "measure_camera", "measure_folder"]

_NOTES = (
    "Units: half the longer side of the person's true tight box. bias: mean error; bias std: of",
    "the mean of each run; std: robust, an axis, about that mean; memory: correlation time of the",
    "lasting share of the variance; tail: beyond 3 std (a Gaussian: 1.1 %), and degrees of freedom",
    "of the fitted Student distribution; missed: confidence below 0.3; swapped: under the other",
    "side's name where the two lie apart. The truth's own error is in all of them.",
)


def measure_folder(
    folder: Path,
    detector: Detector,
    *,
    fps: float = 30.0,
    tracked: bool = True,
    seconds: float | None = None,
) -> list[KeypointRun]:
    """Runs of every camera, person and phase: of 60 fps video at 30 fps there are two phases.

    Args:
        folder: see :mod:`humor_ros.evaluation.video_truth`.
        detector: any.
        fps: rate to go by.
        tracked: follow people as the tracker does; else crops at the true boxes.
        seconds: only the beginning of each video.

    Raises:
        FileNotFoundError, ValueError: as :func:`read_video_truth`.
    """
    runs = []
    first = read_video_truth(folder, fps=fps)
    phases = max(1, round(first[0].video_fps / first[0].rate))
    for phase in range(phases):
        for truth in first if phase == 0 else read_video_truth(folder, fps=fps, phase=phase):
            runs += measure_camera(truth, detector, tracked=tracked, seconds=seconds)
    return runs


def measure_camera(
    truth: CameraTruth, detector: Detector, *, tracked: bool = True, seconds: float | None = None
) -> list[KeypointRun]:
    """Runs of the people whom one camera sees; see :func:`measure_folder`."""
    count = len(truth.frames)
    if seconds is not None:
        count = max(1, min(count, round(seconds * truth.rate)))
    pixels = np.stack([truth.pixels(person) for person in range(len(truth.people))])[:, :count]
    found = np.full((*pixels.shape[:3], 3), np.nan)
    people = PeopleTracker(detector, PeopleTrackerConfig(parallel_search=False))
    for index, (frame, image) in zip(range(count), read_frames(truth), strict=False):
        if tracked:
            tracks = people.update(image, truth.stamp_s(frame))
            candidates = [t.keypoints for t in tracks if t.state is TrackingState.TRACKED]
        else:
            candidates = _at_true_boxes(detector, image, pixels[:, index])
        for person, place in enumerate(pixels[:, index]):
            nearest = _nearest(candidates, place)
            if nearest is not None:
                found[person, index] = nearest
    depth = truth.joints[:, :count, :, 2]
    behind = depth - depth[:, :, 11:13].mean(axis=2, keepdims=True)
    return [
        KeypointRun(pixels[person], found[person], behind[person]) for person in range(len(pixels))
    ]


def _at_true_boxes(detector: Detector, image: Image, pixels: Array) -> list[Array]:
    known = [points[np.isfinite(points).all(axis=1)] for points in pixels]
    boxes = [np.concatenate([p.min(axis=0), p.max(axis=0)]) for p in known if len(p) > 2]
    return list(detector.refine(image, np.array(boxes))) if boxes else []


def _nearest(candidates: Sequence[Array], place: Array) -> Array | None:
    """Key-points (17, 3) whose body is nearest to the true one, unless they are far off."""
    known = np.isfinite(place).all(axis=1)
    if not known.any() or not candidates:
        return None
    distances = [
        float(np.median(np.linalg.norm(points[known, :2] - place[known], axis=1)))
        for points in candidates
    ]
    best = int(np.argmin(distances))
    extent = float((place[known].max(axis=0) - place[known].min(axis=0)).max())
    return candidates[best] if distances[best] < extent / 2.0 else None


def keypoint_tables(runs: Sequence[KeypointRun]) -> list[ResultTable]:
    """Tables by joint, by confidence, and in the terms of the training's noise."""
    rows = []
    for joint in (*BODY_JOINTS, None):
        picked = BODY_JOINTS if joint is None else (joint,)
        name = "all" if joint is None else COCO17_NAMES[joint]
        rows.append({"joint": name, **asdict(joint_statistics(runs, picked))})
    joints = ResultTable(
        "joints",
        f"Key-point errors over {sum(len(run.truth) for run in runs)} frames in {len(runs)} runs",
        (
            Column("joint"),
            Column("bias_x", "bias x", digits=3),
            Column("bias_y", "bias y", digits=3),
            Column("bias_std", "bias std", digits=3),
            Column("std", digits=3),
            Column("correlation_frames", "memory", "frames"),
            Column("lasting_share", "lasting", digits=2),
            Column("tail_share", "tail", digits=3),
            Column("tail_dof", "Student", "dof"),
            Column("tail_scale", "scale", digits=3),
            Column("median", digits=3),
            Column("p95", digits=3),
            Column("missed", digits=3),
            Column("absent", digits=3),
            Column("swapped", digits=3),
            Column("count"),
        ),
        tuple(rows),
        _NOTES,
    )
    confidence = ResultTable(
        "confidence",
        "Error by confidence",
        (
            Column("low", "from", digits=2),
            Column("high", "to", digits=2),
            Column("count"),
            Column("share", digits=3),
            Column("median", digits=3),
            Column("rms", digits=3),
            Column("p95", digits=3),
        ),
        tuple(confidence_bins(runs)),
    )
    fitted = asdict(fit_noise(runs))
    noise = ResultTable(
        "noise",
        "In the terms of the training's NoiseConfig (its joint gains divided out)",
        (Column("setting"), Column("value", digits=4)),
        tuple({"setting": name, "value": value} for name, value in fitted.items()),
        ("mask_probability: all missed key-points; swap_probability: share of runs with a swap.",),
    )
    return [joints, confidence, noise]
