"""The tracker on real video with 3D ground truth: causal, 30 fps, fixed calibrated cameras.

Joints 5 to 16 of COCO count (of the face few data sets tell the truth), in the camera's optical
frame: what the tracker says of a person is compared where that person stands, camera by camera.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from humor_ros.evaluation.lag import best_lag
from humor_ros.evaluation.metrics import (
    acceleration_error_ms2,
    align_by_pelvis,
    foot_sliding_mm,
    mpjpe_mm,
    pa_mpjpe_mm,
)
from humor_ros.evaluation.video_truth import CameraTruth, read_frames
from humor_ros.inertial.gravity import world_from_up
from humor_ros.io.track_file import TrackFile, TrackRow, TrackWriter
from humor_ros.pipeline import PipelineConfig, TrackingPipeline
from humor_ros.types import Array

__all__ = ["BODY", "FoundPerson", "VideoScores", "find_person", "score_person", "track_camera"]

#: Shoulders, elbows, wrists, hips, knees, ankles of COCO-17; and the hips among them.
BODY = slice(5, 17)
_HIPS = (6, 7)
_ANKLES = (10, 11)
_SMPL_ANKLES = (7, 8)
_LIMBS = ((0, 2), (2, 4), (1, 3), (3, 5), (6, 8), (8, 10), (7, 9), (9, 11))
#: With fewer resting ankles their sliding says nothing.
_FEWEST_RESTING = 10


@dataclass(frozen=True, eq=False)
class FoundPerson:
    """What the tracker said of one true person at the frames that count; NaN where nothing.

    Attributes:
        joints: (F, 12, 3) COCO joints 5-16 in the camera frame, metres.
        ankles_world: (F, 2, 3) in the world, metres.
        ids: different ids under which the person went.
    """

    joints: Array
    ankles_world: Array
    ids: tuple[str, ...]


@dataclass(frozen=True)
class VideoScores:
    """Figures of one person in one camera.

    Attributes:
        seen, frames: frames scored (prediction and truth are there), and all that count.
        ids: how many ids the person had.
        pa_mpjpe_mm: after a similarity alignment of each frame.
        mpjpe_mm: after centring the hips.
        accel_ms2: error of the acceleration of centred joints.
        hips_mm: mean distance of the mid-hip from its true place in the camera frame.
        height_bias_mm: mean of that error along up: positive is too high.
        depth_bias_mm: mean of that error along the optical axis: positive is too far.
        bone_std_mm: standard deviation over time, mean over eight limbs.
        size: limbs over the true ones.
        sliding_mm: a frame, of ankles in the world where the true ones move less than 1 cm; NaN
            where they hardly rest.
        lag_frames: delay that fits the prediction best to the truth, to parts of a frame.
    """

    seen: int
    frames: int
    ids: int
    pa_mpjpe_mm: float
    mpjpe_mm: float
    accel_ms2: float
    hips_mm: float
    height_bias_mm: float
    depth_bias_mm: float
    bone_std_mm: float
    size: float
    sliding_mm: float
    lag_frames: float


def track_camera(
    truth: CameraTruth,
    output: Path,
    config: PipelineConfig,
    *,
    calibrated: bool = True,
    gravity: bool = True,
) -> float:
    """Track the frames that count, as the node would with a fixed camera.

    Args:
        truth: camera and video.
        output: track file to write.
        config: of the pipeline.
        calibrated: give the tracker intrinsics and distortion.
        gravity: give it the camera's pose: at the origin of a world whose up is the truth's.

    Returns:
        Milliseconds a frame, mean, the first left out (it loads what is loaded late).
    """
    pipeline = TrackingPipeline(config)
    if calibrated:
        pipeline.set_camera(truth.camera)
    attitude = world_from_up(truth.up)
    spent: list[float] = []
    with TrackWriter(output, fps=truth.rate) as writer:
        for frame, image in read_frames(truth):
            stamp_s = truth.stamp_s(frame)
            if gravity:
                pipeline.add_camera_pose(stamp_s, attitude, np.zeros(3))
            start = time.perf_counter()
            result = pipeline.process(image, stamp_s)
            spent.append(time.perf_counter() - start)
            writer.append(frame, result, pipeline.camera)
    return 1000.0 * float(np.mean(spent[1:] or [float("nan")]))


def find_person(track: TrackFile, truth: CameraTruth, person: int = 0) -> FoundPerson:
    """Take, in each frame, whoever stands nearest to the true person in the image.

    Args:
        track: of the camera's video.
        truth: of the camera.
        person: which of the true people.
    """
    count = len(truth.frames)
    joints, ankles = np.full((count, 12, 3), np.nan), np.full((count, 2, 3), np.nan)
    ids: dict[str, None] = {}
    people_at = {frame: people for frame, _, people in track.by_frame()}
    places = truth.pixels(person)[:, BODY]
    for index, frame in enumerate(truth.frames.tolist()):
        known = np.isfinite(places[index]).all(axis=1)
        people = people_at.get(frame, [])
        if not people or not known.any():
            continue
        place = places[index][known].mean(axis=0)
        nearest = min(people, key=lambda row: _distance(row, place))
        joints[index] = nearest.coco17_camera[BODY]
        ankles[index] = nearest.joints_world[list(_SMPL_ANKLES)]
        ids[nearest.person_id] = None
    return FoundPerson(joints, ankles, tuple(ids))


def score_person(found: FoundPerson, truth: CameraTruth, person: int = 0) -> VideoScores:
    """Compare with the truth; frames without either are left out and counted."""
    true = truth.joints[person][:, BODY]
    good = np.asarray(
        np.isfinite(found.joints).all(axis=(1, 2)) & np.isfinite(true).all(axis=(1, 2))
    )
    if not good.any():
        return VideoScores(0, len(good), len(found.ids), *(float("nan"),) * 10)
    ours, theirs = torch.from_numpy(found.joints), torch.from_numpy(true)
    centred = align_by_pelvis(ours, hips=_HIPS), align_by_pelvis(theirs, hips=_HIPS)
    keep = torch.from_numpy(good)
    triples = torch.from_numpy(good[2:] & good[1:-1] & good[:-2])
    error = (found.joints - true)[good][:, list(_HIPS)].mean(axis=1) * 1000.0
    lengths, true_lengths = (_limb_lengths(x[good]) for x in (found.joints, true))
    return VideoScores(
        seen=int(good.sum()),
        frames=len(good),
        ids=len(found.ids),
        pa_mpjpe_mm=float(pa_mpjpe_mm(ours[keep], theirs[keep]).mean()),
        mpjpe_mm=float(mpjpe_mm(centred[0][keep], centred[1][keep]).mean()),
        accel_ms2=float(acceleration_error_ms2(*centred, fps=truth.rate)[triples].mean()),
        hips_mm=float(np.linalg.norm(error, axis=1).mean()),
        height_bias_mm=float((error @ truth.up).mean()),
        depth_bias_mm=float(error[:, 2].mean()),
        bone_std_mm=float(lengths.std(axis=1).mean() * 1000.0),
        size=float(lengths.mean() / true_lengths.mean()),
        sliding_mm=_ankle_sliding(found.ankles_world, true, good),
        lag_frames=best_lag(centred[0].numpy(), centred[1].numpy(), good),
    )


def _distance(row: TrackRow, place: Array) -> float:
    box = row.box_xyxy.astype(np.float64)
    return float(np.hypot(*((box[:2] + box[2:]) / 2.0 - place)))


def _limb_lengths(joints: Array) -> Array:
    """(8, F) of joints (F, 12, 3), metres."""
    return np.stack([np.linalg.norm(joints[:, a] - joints[:, b], axis=-1) for a, b in _LIMBS])


def _ankle_sliding(ankles_world: Array, true: Array, good: NDArray[np.bool_]) -> float:
    """Mean displacement a frame where the true ankles rest; camera and truth stand still."""
    pairs = good[1:] & good[:-1]
    values = [
        foot_sliding_mm(
            torch.from_numpy(ankles_world[index : index + 2]),
            torch.from_numpy(true[index : index + 2, list(_ANKLES)]),
        )
        for index in np.flatnonzero(pairs).tolist()
    ]
    resting = torch.cat(values) if values else torch.zeros(0)
    return float(resting.mean()) if len(resting) >= _FEWEST_RESTING else float("nan")
