"""One run of the virtual rig through the tracker, and its scores.

Two kinds of world are scored. *Rig* scores take the true camera-frame pose of a person and only
the world from the estimator: what the IMU's errors cost. *Tracker* scores take everything from
``TrackingPipeline.lift`` with the weights given. What the published trajectory decoder says
beside it is read from the same steps of the same network: its inputs are identical.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from humor_ros.detection import Detector
from humor_ros.evaluation.inertial_scenarios import InertialScenario
from humor_ros.evaluation.metrics import (
    chunked_world_mpjpe_mm,
    root_orientation_error_deg,
    root_translation_error_percent,
)
from humor_ros.evaluation.rig import VirtualRig
from humor_ros.evaluation.rig_people import RigPerson
from humor_ros.geometry import ROTATION_FLU_OPTICAL
from humor_ros.inertial import CameraMotionEstimator, InertialConfig
from humor_ros.inertial.so3 import log_so3, twist_about_z
from humor_ros.pipeline import Observation, PipelineConfig, TrackingPipeline
from humor_ros.training.mocap import MocapLibrary
from humor_ros.types import Array, CameraMotion, HumanState

__all__ = ["RigRun", "evaluate_rig", "run_rig", "score_rig", "score_tracker"]

#: 95 % of a chi-square of three axes.
_INSIDE_3 = 7.815
#: Time from which the scores of a calibrated rig are compared with those of a wrong one, seconds.
_LATE_S = 20.0
#: Time before which the tracker's answers are not scored, seconds: shape and pose settle.
_SETTLE_S = 2.0


@dataclass(frozen=True, eq=False)
class RigRun:
    """What came out of one run.

    Attributes:
        motions: of the camera, one an image.
        humans: by person and image; empty where only the rig ran.
        decoder_roots: root orientations (3, 3) in the z-up world of the published trajectory
            decoder, likewise.
        inertial_s: processor time of the inertial part, seconds.
        calibration: offset error (s) and rotation error (rad) after 20 s; NaN without.
    """

    motions: list[CameraMotion]
    humans: list[dict[int, HumanState]]
    decoder_roots: list[dict[int, Array]]
    inertial_s: float
    calibration: tuple[float, float]


class _NoDetector:
    """Stands where the detector would: the rig brings its own tracks."""

    def detect(self, image_bgr: Any) -> list[Any]:
        """Nobody."""
        return []

    def refine(self, image_bgr: Any, boxes_xyxy: Any) -> list[Any]:
        """Nobody."""
        return []


def run_rig(scenario: InertialScenario, rig: VirtualRig, *, tracker: bool = True) -> RigRun:
    """Play a rig.

    Args:
        scenario: for what the estimator is told.
        rig: fresh; it can be played once.
        tracker: False runs the inertial part alone.
    """
    config = InertialConfig(rotation_camera_imu=rig.imu.told_rotation_camera_imu, **scenario.told)
    pipeline: TrackingPipeline | None = None
    estimator = CameraMotionEstimator(config)
    if tracker and rig.people:
        detector: Any = _NoDetector()
        chosen: Detector = detector
        pipeline = TrackingPipeline(PipelineConfig(inertial=config), detector=chosen)
        estimator = pipeline.inertial
    motions, humans, decoded = [], [], []
    spent, calibration = 0.0, (math.nan, math.nan)
    for frame in rig.frames():
        start = time.process_time()
        for sample in frame.samples:
            estimator.add_imu(sample)
        if frame.pose is not None:
            estimator.add_camera_pose(frame.stamp_s, *frame.pose)
        if frame.background is not None:
            estimator.add_background(frame.background)
        if pipeline is None:
            motions.append(estimator.motion_at(frame.stamp_s))
            spent += time.process_time() - start
        else:
            spent += time.process_time() - start
            seen = Observation(frame.stamp_s, frame.tracks, rig.camera, False, {})
            timed = _Timed(estimator)
            result = pipeline.lift(seen)
            spent += timed.stop()
            motions.append(result.camera)
            by_track = zip(frame.tracks, result.humans, strict=False)
            humans.append({track.track_id: human for track, human in by_track})
            said = pipeline.stream.answers
            decoded.append(
                {
                    track: ROTATION_FLU_OPTICAL @ answer.root_world[-1]
                    for track, answer in said.items()
                }
            )
        if abs(frame.stamp_s - 20.0) < 0.02:
            calibration = _calibration_error(estimator, rig)
    return RigRun(motions, humans, decoded, spent, calibration)


class _Timed:
    """Processor time that an estimator spends in its next ``motion_at``."""

    def __init__(self, estimator: CameraMotionEstimator) -> None:
        self._estimator = estimator
        self._inner = estimator.motion_at
        self._spent_s = 0.0
        estimator.motion_at = self._measured  # type: ignore[method-assign]

    def _measured(self, stamp_s: float) -> CameraMotion:
        start = time.process_time()
        motion = self._inner(stamp_s)
        self._spent_s = time.process_time() - start
        return motion

    def stop(self) -> float:
        """End the measurement; seconds."""
        self._estimator.motion_at = self._inner  # type: ignore[method-assign]
        return self._spent_s


def score_rig(scenario: InertialScenario, rig: VirtualRig, run: RigRun) -> dict[str, float]:
    """Scores of the world with the true camera-frame pose.

    Returns:
        ``tilt_deg`` (mean), ``tilt_max_deg``, ``heading_deg`` (at the end), ``attitude_inside``
        (share of errors within the stated 95 % region), ``rig_rte_percent``, ``rig_wmpjpe_mm``,
        ``core_percent`` of the inertial part, ``offset_ms`` and ``mounting_deg`` after 20 s,
        ``lost_tilt_deg`` (largest) where the IMU was lost.
    """
    estimated = np.array([motion.rotation_world_camera for motion in run.motions])
    truth = rig.rotation_world_camera
    if rig.odometry is not None:
        truth = rig.odometry.rotation
    errors = estimated @ np.swapaxes(truth, 1, 2)
    tilt = np.degrees(np.arccos(np.clip(errors[:, 2, 2], -1.0, 1.0)))
    heading = np.degrees([twist_about_z(error) for error in errors])
    settled = rig.stamps_s >= scenario.settled_s
    inside = [
        float(v @ np.linalg.solve(m.rotation_covariance + 1e-12 * np.eye(3), v)) < _INSIDE_3
        for v, m in zip(map(log_so3, errors[settled]), np.array(run.motions)[settled], strict=True)
    ]
    scores = {
        "tilt_deg": float(tilt[settled].mean()),
        "tilt_max_deg": float(tilt[settled].max()),
        "heading_deg": float(abs(heading[-1])),
        "attitude_inside": float(np.mean(inside)),
        "core_percent": 100.0 * run.inertial_s / scenario.rig.duration_s,
        "offset_ms": 1e3 * run.calibration[0],
        "mounting_deg": math.degrees(run.calibration[1]),
    }
    rows = np.flatnonzero(settled)
    for key, values in _perfect_pose(rig, estimated, rows).items():
        scores[key] = values
    if scenario.lost is not None:
        start, end = scenario.lost
        during = (rig.stamps_s >= start) & (rig.stamps_s < end)
        scores["lost_tilt_deg"] = float(tilt[during].max())
    return scores


def _perfect_pose(rig: VirtualRig, estimated: Array, rows: NDArray[np.intp]) -> dict[str, float]:
    """Errors of a world made of the true camera-frame pose and velocity."""
    rte, world = [], []
    # Change from the true world to the estimated one, as the estimated attitude has it.
    change = estimated @ np.swapaxes(rig.rotation_world_camera, 1, 2)
    for person in rig.people:
        hips = person.hips
        steps = np.diff(hips, axis=0)
        moved = np.einsum("tij,tj->ti", change[:-1], steps)
        way = np.concatenate([np.zeros((1, 3)), np.cumsum(moved, 0)])
        relative = person.joints - hips[:, None]
        joints = np.einsum("tij,tkj->tki", change, relative) + way[:, None]
        predicted, true = torch.as_tensor(way[rows]), torch.as_tensor(hips[rows])
        rte.append(float(root_translation_error_percent(predicted, true).mean()))
        predicted, true = torch.as_tensor(joints[rows]), torch.as_tensor(person.joints[rows])
        world.append(float(chunked_world_mpjpe_mm(predicted, true, whole=False).mean()))
    if not rte:
        return {}
    return {"rig_rte_percent": float(np.mean(rte)), "rig_wmpjpe_mm": float(np.mean(world))}


def score_tracker(scenario: InertialScenario, rig: VirtualRig, run: RigRun) -> dict[str, float]:
    """Scores of the people as the tracker tells them.

    Returns:
        ``root_deg`` (root orientation in the world, no alignment), ``decoder_root_deg`` (the
        published decoder's), ``rte_percent``, ``wmpjpe_mm``, ``late_wmpjpe_mm`` (from 20 s on),
        ``position_m`` (against where the camera really sees the person, placed by odometry) and
        ``distance_m`` from the camera, ``ground_m`` (spread of the people's lowest foot points),
        ``jump_mm`` and ``usual_jump_mm`` (largest step of a root in one image beyond the true
        one, around a loss of the IMU and in an equally long time before it), ``position_inside``
        and ``orientation_inside`` (shares within the stated 95 % regions), and with ``camera_``
        the same in the camera frame.
    """
    totals: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        totals.setdefault(name, []).append(value)

    begin = max(_SETTLE_S, scenario.settled_s)
    lowest: list[float] = []
    for k, person in enumerate(rig.people):
        rows = [
            index
            for index, stamp in enumerate(rig.stamps_s)
            if stamp >= begin and k + 1 in run.humans[index]
        ]
        if len(rows) < 30:
            continue
        told = [run.humans[index][k + 1] for index in rows]
        position, orientation = _true_world(rig, person, rows)
        found = np.array([human.root_orientation_world for human in told])
        place = np.array([human.root_position_world for human in told])
        errors = [log_so3(a @ b.T) for a, b in zip(found, orientation, strict=True)]
        note("root_deg", float(np.degrees(np.linalg.norm(errors, axis=1)).mean()))
        covariance = np.array([human.root_covariance_world for human in told])
        note("orientation_inside", _inside(np.array(errors), covariance[:, 3:, 3:]))
        if run.decoder_roots:
            other = np.array([run.decoder_roots[index][k + 1] for index in rows])
            wrong = [log_so3(a @ b.T) for a, b in zip(other, orientation, strict=True)]
            note("decoder_root_deg", float(np.degrees(np.linalg.norm(wrong, axis=1)).mean()))
            aligned = root_orientation_error_deg(
                torch.as_tensor(other), torch.as_tensor(orientation)
            )
            note("decoder_root_aligned_deg", float(aligned.mean()))
        note("position_inside", _inside(place - position, covariance[:, :3, :3]))
        for name, value in _camera_inside(rig, person, rows, told).items():
            note(name, value)
        if rig.odometry is not None:
            note("position_m", float(np.linalg.norm(place - position, axis=1).mean()))
            away = person.joints[rows][:, 0] - rig.position_world_camera[rows]
            note("distance_m", float(np.linalg.norm(away, axis=1).mean()))
        feet = np.array([human.contact_positions_world[:, 2].min() for human in told])
        lowest.append(float(np.median(feet)))
        if scenario.lost is not None:
            start, end = scenario.lost
            span = end + 1.0 - (start - 0.1)
            for name, begins in (("jump_mm", start - 0.1), ("usual_jump_mm", start - 0.2 - span)):
                stamps = rig.stamps_s[rows]
                near = (stamps > begins) & (stamps < begins + span)
                steps = np.linalg.norm(np.diff(place[near], axis=0), axis=1)
                true = np.linalg.norm(np.diff(position[near], axis=0), axis=1)
                note(name, 1e3 * float((steps - true).max()))
        true_root = person.joints[rows][:, 0]
        rte = root_translation_error_percent(torch.as_tensor(place), torch.as_tensor(true_root))
        note("rte_percent", float(rte.mean()))
        joints = torch.as_tensor(np.array([human.joints_world for human in told]))
        truth = torch.as_tensor(person.joints[rows])
        note("wmpjpe_mm", float(chunked_world_mpjpe_mm(joints, truth, whole=False).mean()))
        late = torch.as_tensor(rig.stamps_s[rows] >= _LATE_S)
        if int(late.sum()) > 100:
            error = chunked_world_mpjpe_mm(joints[late], truth[late], whole=False)
            note("late_wmpjpe_mm", float(error.mean()))
    scores = {name: float(np.mean(values)) for name, values in totals.items()}
    if len(lowest) > 1:
        scores["ground_m"] = float(np.ptp(lowest))
    return scores


def evaluate_rig(
    scenario: InertialScenario,
    seed: int,
    library: MocapLibrary | None = None,
    *,
    tracker: bool = True,
) -> dict[str, float]:
    """Scores of one seed.

    Args:
        scenario: what is played.
        seed: of everything.
        library: clips of the people; None for an empty room, where only the rig is scored.
        tracker: whether people are tracked, or only the rig is scored.
    """
    from humor_ros.body import BodyModel

    body = BodyModel.load() if library is not None else None
    rig = VirtualRig(scenario.rig, seed, library, body)
    run = run_rig(scenario, rig, tracker=tracker)
    scores = score_rig(scenario, rig, run)
    if run.humans:
        scores |= score_tracker(scenario, rig, run)
    return scores


def _calibration_error(estimator: CameraMotionEstimator, rig: VirtualRig) -> tuple[float, float]:
    state = estimator.state
    if state.calibration is None or state.rotation_camera_imu is None:
        return math.nan, math.nan
    wrong = log_so3(state.rotation_camera_imu @ rig.imu.rotation_camera_imu.T)
    offset = state.time_offset_s - rig.scenario.imu.time_offset_s
    return abs(offset), float(np.linalg.norm(wrong))


def _true_world(rig: VirtualRig, person: RigPerson, rows: list[int]) -> tuple[Array, Array]:
    """True root positions (N, 3) and orientations (N, 3, 3) in the tracker's world.

    With odometry that is where the camera sees the person, placed by the camera's pose in odom.
    """
    root, turn = person.joints[rows][:, 0], person.root_rotation[rows]
    if rig.odometry is None:
        return root, turn
    change = rig.odometry.rotation[rows] @ np.swapaxes(rig.rotation_world_camera[rows], 1, 2)
    seen = np.einsum("tij,tj->ti", change, root - rig.position_world_camera[rows])
    return seen + rig.odometry.position[rows], change @ turn


def _camera_inside(
    rig: VirtualRig, person: RigPerson, rows: list[int], told: list[HumanState]
) -> dict[str, float]:
    """Shares of camera-frame errors within the stated 95 % regions."""
    to_camera = np.swapaxes(rig.rotation_world_camera[rows], 1, 2)
    root = person.joints[rows][:, 0] - rig.position_world_camera[rows]
    true = np.einsum("tij,tj->ti", to_camera, root)
    place = np.array([human.root_position_camera for human in told]) - true
    found = np.array([human.root_orientation_camera for human in told])
    turns = to_camera @ person.root_rotation[rows]
    errors = np.array([log_so3(a @ b.T) for a, b in zip(found, turns, strict=True)])
    covariance = np.array([human.root_covariance_camera for human in told])
    return {
        "camera_position_inside": _inside(place, covariance[:, :3, :3]),
        "camera_orientation_inside": _inside(errors, covariance[:, 3:, 3:]),
    }


def _inside(errors: Array, covariances: Array) -> float:
    """Share of errors (N, 3) within the 95 % region of their covariances (N, 3, 3)."""
    solved = np.linalg.solve(covariances, errors[..., None])[..., 0]
    return float((np.einsum("ni,ni->n", errors, solved) < _INSIDE_3).mean())
