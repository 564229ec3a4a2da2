"""Smoothing a whole track file offline: everybody through the window, or through the fit.

All people share one ground: each one's estimate is weighed by the frames it comes from and is the
guess for those who follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from humor_ros.humor.common_ground import CommonGround, ground_plane
from humor_ros.humor.contacts9 import nine_from_soles, soles_from_nine
from humor_ros.humor.fit import MotionFitter
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.observations import Segment, observe_person
from humor_ros.humor.refined_rows import RefinedRows, refine_rows
from humor_ros.humor.state import CONTACT_JOINTS, NUM_JOINTS
from humor_ros.humor.variables import FitObservations, PoseVariables
from humor_ros.humor.window import (
    SlidingWindow,
    SmoothedFrames,
    guess_ground,
    has_lost,
    tracker_motion,
)
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig
from humor_ros.humor.window_values import WindowMotion
from humor_ros.humor.windows import fit_recording
from humor_ros.io.track_file import TrackFile

__all__ = ["SmoothedTrack", "SmoothingCounts", "ground_plane", "smooth_by_fit", "smooth_by_window"]

#: Fewest frames that are smoothed; the tracker's motion is told for shorter stretches.
_LEAST_FRAMES = 5


@dataclass
class SmoothingCounts:
    """What happened.

    Attributes:
        people: smoothed, at least in part.
        hops: solutions of windows.
        fallbacks: hops in which the tracker's motion was told.
        rows_left_out: rows with unusable numbers or a stamp that was there before.
        short_segments: stretches too short to be smoothed.
        seconds: time of all hops.
    """

    people: int = 0
    hops: int = 0
    fallbacks: int = 0
    rows_left_out: int = 0
    short_segments: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class SmoothedTrack:
    """A track with smoothed motion.

    Attributes:
        columns: of the track file, N rows.
        lag_frames: (N,) frames of 30 a second that were waited for; 0 for rows left as they were.
        contacts9: (N, 9) contact probabilities of HuMoR's joints.
        ground_plane: (4,) unit normal, up, and offset of the common ground: n . p = d.
        counts: what happened.
    """

    columns: Mapping[str, NDArray[Any]]
    lag_frames: NDArray[np.int64]
    contacts9: NDArray[np.float32]
    ground_plane: NDArray[np.float64]
    counts: SmoothingCounts


def smooth_by_window(
    track: TrackFile,
    network: HumorNetwork | None,
    body: BodyModel,
    config: WindowConfig | None = None,
    *,
    ground: Tensor | None = None,
) -> SmoothedTrack:
    """Smooth everybody with the real-time solver, as it would run online.

    Args:
        track: of ``humor-ros track``.
        network: HuMoR's networks; None smooths by accelerations alone.
        body: of the track's shape space.
        config: of the solver.
        ground: (3,) height at the origin and slopes of a ground that is known, as where the robot
            stands on it; it ties the person's distance to the camera's height. None finds it.
    """
    config = config or WindowConfig()
    solver_body = SolverBody(body)
    result = _Result.of(track, body)
    if ground is not None:
        result.ground = CommonGround(ground)
    for person_id, rows, segments in _people(track, result.counts):
        del person_id
        for segment in segments:
            if segment.seen.frames < _LEAST_FRAMES:
                result.counts.short_segments += 1
                continue
            window = SlidingWindow(
                network,
                solver_body,
                config,
                ground=result.ground.mean(),
                ground_information=None
                if result.ground.mean() is None
                else result.ground.information(config),
            )
            for told in _slide(window, segment, config):
                result.put(rows[segment.rows], segment, told)
            if window.ground is not None and window.fallbacks < len(window.reports):
                result.see_ground(window.ground, segment.seen.frames)
            result.counts.hops += len(window.reports)
            result.counts.fallbacks += window.fallbacks
            result.counts.seconds += sum(report.seconds for report in window.reports)
    return result.finished()


def _slide(window: SlidingWindow, segment: Segment, config: WindowConfig) -> list[SmoothedFrames]:
    told, done, count = [], 0, segment.seen.frames
    size = min(config.frames, count)
    while done < count:
        if count - done - size < _LEAST_FRAMES:
            size = count - done  # no window of a few frames at the end
        frames = window.advance(segment.seen.cut(done, done + size), last=done + size >= count)
        done += size
        size = min(config.hop, count - done)
        if frames is not None:
            told.append(frames)
    return told


def smooth_by_fit(track: TrackFile, fitter: MotionFitter, body: BodyModel) -> SmoothedTrack:
    """Fit everybody by the published method to the tracker's joints in the world.

    Args:
        track: of ``humor-ros track``.
        fitter: with a configuration for 3D joints in a world with its ground at z = 0.
        body: of the track's shape space, the same as the fitter's.
    """
    result = _Result.of(track, body)
    solver_body = SolverBody(body)
    for person_id, rows, segments in _people(track, result.counts):
        del person_id
        for segment in segments:
            if segment.seen.frames < _LEAST_FRAMES:
                result.counts.short_segments += 1
                continue
            ground = result.ground.mean()
            if ground is None:
                ground = guess_ground(solver_body, segment.seen)
            joints = segment.seen.joints.clone()
            joints[..., 2] -= ground[0]
            joints = torch.where(segment.seen.confidence[..., None] > 0, joints, torch.inf)
            fit = fit_recording(
                fitter,
                FitObservations(joints3d=joints[None].to(fitter.body.dtype)),
                start=_first_poses(fitter, segment, ground),
            )
            rotations = torch.cat((fit.root_orient[:, None], fit.pose_body), dim=1).double()
            betas = fit.betas.double()
            root = fit.joints[:, 0].double() + torch.tensor([0.0, 0.0, float(ground[0])])
            motion = WindowMotion(
                root=root,
                rotations=axis_angle_to_matrix(rotations),
                latents=root.new_zeros(max(0, len(root) - 2), 0),
                betas=betas.mean(dim=0)[:10],
                ground=ground,
            )
            lost = fit.diverged or has_lost(solver_body, motion, segment.seen)
            contacts = fit.contacts[:, list(CONTACT_JOINTS)].double()
            if lost:
                motion = tracker_motion(segment.seen, ground, 0)
                contacts = nine_from_soles(segment.seen.contacts)
            points = solver_body(motion.betas, motion.rotations, motion.root)
            told = SmoothedFrames(
                first=0,
                motion=motion,
                contacts=contacts,
                joints=points.joints,
                feet=points.feet,
                lag=torch.arange(len(root) - 1, -1, -1),
                fallback=lost,
            )
            result.put(rows[segment.rows], segment, told)
            result.see_ground(ground, segment.seen.frames)
            result.counts.hops += len(fit.windows)
            result.counts.fallbacks += int(lost)
    return result.finished()


def _first_poses(fitter: MotionFitter, segment: Segment, ground: Tensor) -> PoseVariables:
    """The tracker's motion as the fit's first values, on a ground at z = 0."""
    seen, kind = segment.seen, fitter.body.dtype
    known = min(fitter.body.num_betas, seen.betas.shape[1])
    betas = torch.zeros(1, fitter.body.num_betas, dtype=kind)
    betas[0, :known] = seen.betas.median(dim=0).values[:known]
    root = seen.root - torch.cat((ground.new_zeros(2), ground[:1]))
    return PoseVariables(
        trans=root[None].to(kind) - fitter.body.rest_joints(betas)[:, :1],
        root_orient=matrix_to_axis_angle(seen.rotations[None, :, 0]).to(kind),
        latent_pose=fitter.pose_prior.encode(seen.rotations[None, :, 1:].to(kind)),
        betas=betas,
    )


def _people(
    track: TrackFile, counts: SmoothingCounts
) -> list[tuple[str, NDArray[np.int64], list[Segment]]]:
    """Everybody with the rows of the file that are theirs."""
    people = []
    for person_id in track.person_ids:
        rows = np.flatnonzero(track["person_id"] == person_id)
        segments, left_out = observe_person(track.person(person_id))
        counts.rows_left_out += len(left_out)
        counts.people += bool(segments)
        people.append((person_id, rows, segments))
    return people


@dataclass(eq=False)
class _Result:
    """Columns while they are filled."""

    columns: dict[str, NDArray[Any]]
    lag: NDArray[np.int64]
    contacts9: NDArray[np.float32]
    body: BodyModel
    counts: SmoothingCounts = field(default_factory=SmoothingCounts)
    ground: CommonGround = field(default_factory=CommonGround)

    @classmethod
    def of(cls, track: TrackFile, body: BodyModel) -> _Result:
        """The tracker's motion, to be replaced row by row."""
        contacts = torch.as_tensor(np.nan_to_num(track["contacts"]))
        return cls(
            {key: np.array(column) for key, column in track.columns.items()},
            np.zeros(len(track), np.int64),
            nine_from_soles(contacts).numpy().astype(np.float32),
            body,
        )

    def see_ground(self, ground: Tensor, frames: int) -> None:
        """Take the ground of one stretch into the common one."""
        self.ground.see(str(self.ground.people), ground, frames)

    def put(self, rows: NDArray[np.int64], segment: Segment, told: SmoothedFrames) -> None:
        """Write told frames into the rows whose stamps they cover.

        Args:
            rows: of the file that the segment was made of.
            segment: the frames' times and cameras.
            told: from the window.
        """
        stop = told.first + told.motion.frames
        stamps = segment.stamp_s[told.first : stop]
        times = self.columns["stamp_s"][rows]
        half = 0.5 / 30.0
        ends = times < (np.inf if stop == len(segment.stamp_s) else stamps[-1] + half)
        begins = times >= (-np.inf if told.first == 0 else stamps[0] - half)
        rows = rows[begins & ends]
        if not len(rows):
            return
        put = self.columns
        hands = Rotation.from_rotvec(put["body_pose"][rows, NUM_JOINTS - 1 :].reshape(-1, 3))
        refined = refine_rows(
            told,
            stamps,
            put["stamp_s"][rows],
            hands.as_matrix().reshape(len(rows), 2, 3, 3),
            self.body,
        )
        pose = Rotation.from_matrix(refined.body.reshape(-1, 3, 3)).as_rotvec()
        put["betas"][rows] = refined.betas
        put["body_pose"][rows, : NUM_JOINTS - 1] = pose.reshape(-1, NUM_JOINTS - 1, 3)
        put["root_orientation_world"][rows] = refined.root_orientation
        put["root_position_world"][rows] = refined.root_position
        put["root_linear_velocity_world"][rows] = refined.root_velocity
        put["joints_world"][rows] = refined.joints
        put["contact_positions_world"][rows] = refined.feet
        self._place_in_camera(rows, refined, segment)
        self.contacts9[rows] = refined.contacts9
        put["contacts"][rows] = soles_from_nine(torch.as_tensor(refined.contacts9)).numpy()
        self.lag[rows] = np.round(refined.lag_frames)

    def _place_in_camera(
        self, rows: NDArray[np.int64], refined: RefinedRows, segment: Segment
    ) -> None:
        put = self.columns
        camera = segment.seen.camera_position.numpy()
        index = np.clip(
            np.searchsorted(segment.stamp_s, put["stamp_s"][rows] - 0.5 / 30.0),
            0,
            len(camera) - 1,
        )
        centre = camera[index][:, None]
        turn = put["rotation_world_camera"][rows].astype(np.float64)
        for key, points in (("joints_camera", refined.joints), ("coco17_camera", refined.coco)):
            put[key][rows] = np.einsum("nij,nki->nkj", turn, points - centre)
        put["root_position_camera"][rows] = put["joints_camera"][rows, 0]
        put["root_orientation_camera"][rows] = turn.transpose(0, 2, 1) @ refined.root_orientation

    def finished(self) -> SmoothedTrack:
        """The value; a level ground at zero where nobody stood on one."""
        ground = self.ground.mean()
        ground = torch.zeros(3) if ground is None else ground
        return SmoothedTrack(
            self.columns, self.lag, self.contacts9, ground_plane(ground), replace(self.counts)
        )
