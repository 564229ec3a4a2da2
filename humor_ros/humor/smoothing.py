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
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor.contacts9 import nine_from_soles, soles_from_nine
from humor_ros.humor.fit import MotionFitter
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.observations import Segment, observe_person
from humor_ros.humor.state import CONTACT_JOINTS, NUM_JOINTS
from humor_ros.humor.variables import FitObservations
from humor_ros.humor.window import SlidingWindow, SmoothedFrames, guess_ground
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig
from humor_ros.humor.window_values import WindowMotion
from humor_ros.humor.windows import fit_recording
from humor_ros.io.track_file import TrackFile

__all__ = ["SmoothedTrack", "SmoothingCounts", "ground_plane", "smooth_by_fit", "smooth_by_window"]

#: Deviation of the common ground's height for a person who comes later, metres.
_COMMON_GROUND_M = 0.03
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


def ground_plane(ground: Tensor) -> NDArray[np.float64]:
    """(4,) unit normal (up) and offset of a ground given by height and slopes (3,)."""
    height, along_x, along_y = (float(value) for value in ground)
    plane = np.array([-along_x, -along_y, 1.0, height])
    result: NDArray[np.float64] = plane / np.linalg.norm(plane[:3])
    return result


def smooth_by_window(
    track: TrackFile,
    network: HumorNetwork | None,
    body: BodyModel,
    config: WindowConfig | None = None,
) -> SmoothedTrack:
    """Smooth everybody with the real-time solver, as it would run online.

    Args:
        track: of ``humor-ros track``.
        network: HuMoR's networks; None smooths by accelerations alone.
        body: of the track's shape space.
        config: of the solver.
    """
    config = config or WindowConfig()
    solver_body = SolverBody(body)
    result = _Result.of(track, body)
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
                ground=result.ground,
                ground_information=result.ground_information(config),
            )
            for told in _slide(window, segment, config):
                result.put(rows[segment.rows], segment, told)
            result.see_ground(window, segment)
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
            ground = result.ground
            if ground is None:
                ground = guess_ground(solver_body, segment.seen)
            joints = segment.seen.joints.clone()
            joints[..., 2] -= ground[0]
            joints = torch.where(segment.seen.confidence[..., None] > 0, joints, torch.inf)
            fit = fit_recording(
                fitter, FitObservations(joints3d=joints[None].to(fitter.body.dtype))
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
            points = solver_body(motion.betas, motion.rotations, motion.root)
            told = SmoothedFrames(
                first=0,
                motion=motion,
                contacts=fit.contacts[:, list(CONTACT_JOINTS)].double(),
                joints=points.joints,
                feet=points.feet,
                lag=torch.arange(len(root) - 1, -1, -1),
                fallback=fit.diverged,
            )
            result.put(rows[segment.rows], segment, told)
            result.add_ground(ground, segment.seen.frames)
            result.counts.hops += len(fit.windows)
            result.counts.fallbacks += int(fit.diverged)
    return result.finished()


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
    ground: Tensor | None = None
    ground_frames: float = 0.0

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

    def ground_information(self, config: WindowConfig) -> Tensor | None:
        """(3,) inverse variances of the common ground; None where nobody has seen it."""
        if self.ground is None:
            return None
        slope = 1.0 / config.weights.ground_slope**2
        return torch.tensor([1.0 / _COMMON_GROUND_M**2, slope, slope], dtype=torch.float64)

    def see_ground(self, window: SlidingWindow, segment: Segment) -> None:
        """Take a person's ground into the common one."""
        if window.ground is not None and window.fallbacks < len(window.reports):
            self.add_ground(window.ground, segment.seen.frames)

    def add_ground(self, ground: Tensor, frames: int) -> None:
        """Weigh a ground by its frames."""
        if self.ground is None:
            self.ground = ground.clone()
        share = frames / (self.ground_frames + frames)
        self.ground = self.ground + share * (ground - self.ground)
        self.ground_frames += frames

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
        take = _Between(stamps, np.clip(self.columns["stamp_s"][rows], stamps[0], stamps[-1]))
        motion = told.motion
        turns = [take.rotations(motion.rotations[:, j]) for j in range(NUM_JOINTS)]
        rotations = np.stack(turns, axis=1)
        root = take.linear(motion.root.numpy())
        speed = np.gradient(motion.root.numpy(), 1 / 30.0, axis=0) if len(motion.root) > 1 else 0.0
        put = self.columns
        put["betas"][rows] = motion.betas.numpy()
        put["body_pose"][rows, : NUM_JOINTS - 1] = (
            Rotation.from_matrix(rotations[:, 1:].reshape(-1, 3, 3)).as_rotvec().reshape(-1, 21, 3)
        )
        put["root_orientation_world"][rows] = rotations[:, 0]
        put["root_position_world"][rows] = root
        put["root_linear_velocity_world"][rows] = (
            take.linear(speed) if isinstance(speed, np.ndarray) else 0.0
        )
        self._place(rows, rotations, root, motion, segment, told)
        contacts = take.linear(told.contacts.numpy()).clip(0.0, 1.0)
        self.contacts9[rows] = contacts
        put["contacts"][rows] = soles_from_nine(torch.as_tensor(contacts)).numpy()
        self.lag[rows] = np.round(take.linear(told.lag.numpy()[:, None].astype(float))[:, 0])

    def _place(
        self,
        rows: NDArray[np.int64],
        rotations: NDArray[np.float64],
        root: NDArray[np.float64],
        motion: WindowMotion,
        segment: Segment,
        told: SmoothedFrames,
    ) -> None:
        """Points in the world and the camera."""
        put = self.columns
        hands = Rotation.from_rotvec(put["body_pose"][rows, NUM_JOINTS - 1 :].reshape(-1, 3))
        whole = np.concatenate((rotations, hands.as_matrix().reshape(len(rows), 2, 3, 3)), axis=1)
        posed = self.body(motion.betas[None].float(), torch.as_tensor(whole).float())
        shift = root[:, None] - posed.joints[:, :1].double().numpy()
        joints = posed.joints.double().numpy() + shift
        put["joints_world"][rows] = joints
        put["contact_positions_world"][rows] = posed.feet.double().numpy() + shift
        coco = posed.coco17.double().numpy() + shift
        camera = segment.seen.camera_position.numpy()
        index = np.clip(
            np.searchsorted(segment.stamp_s, put["stamp_s"][rows] - 0.5 / 30.0),
            0,
            len(camera) - 1,
        )
        centre = camera[index]
        turn = put["rotation_world_camera"][rows].astype(np.float64)
        put["joints_camera"][rows] = np.einsum("nij,nki->nkj", turn, joints - centre[:, None])
        put["coco17_camera"][rows] = np.einsum("nij,nki->nkj", turn, coco - centre[:, None])
        put["root_position_camera"][rows] = put["joints_camera"][rows, 0]
        put["root_orientation_camera"][rows] = turn.transpose(0, 2, 1) @ rotations[:, 0]

    def finished(self) -> SmoothedTrack:
        """The value; a level ground at zero where nobody stood on one."""
        ground = torch.zeros(3) if self.ground is None else self.ground
        return SmoothedTrack(
            self.columns, self.lag, self.contacts9, ground_plane(ground), replace(self.counts)
        )


class _Between:
    """Values of frames at times between them."""

    def __init__(self, stamps: NDArray[np.float64], times: NDArray[np.float64]) -> None:
        self.stamps, self.times = stamps, times

    def linear(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """(n, k) at the times."""
        columns = [np.interp(self.times, self.stamps, values[:, i]) for i in range(values.shape[1])]
        return np.stack(columns, axis=-1)

    def rotations(self, matrices: Tensor) -> NDArray[np.float64]:
        """(n, 3, 3) at the times."""
        values = Rotation.from_matrix(matrices.numpy())
        if len(self.stamps) == 1:
            return np.repeat(values.as_matrix(), len(self.times), axis=0)
        result: NDArray[np.float64] = Slerp(self.stamps, values)(self.times).as_matrix()
        return result
