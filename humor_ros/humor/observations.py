"""Tracks as the observations of the real-time solver, on a steady grid of 30 frames a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from humor_ros.humor.slerp import rotations_at
from humor_ros.humor.state import FRAME_RATE, NUM_JOINTS
from humor_ros.humor.window_values import WindowObservations
from humor_ros.io.track_file import TrackFile
from humor_ros.types import Array, TrackingState

__all__ = ["MAX_GAP_S", "Segment", "observe_person", "observe_rows"]

#: A person who is away for longer is smoothed afresh.
MAX_GAP_S = 3.0
#: Where the camera that a track tells is further from where the tracker's world and sight put it
#: than this, in shares of the distance, its place is not known: with odometry the two are 1 to 6 %
#: apart (9 with 30 % of the key-points missing), with a camera that moves unnoticed 6 to 27 %.
_TIED_SHARE = 0.12
_CAMERA_SMOOTHING = 7  # frames on either side


@dataclass(frozen=True, eq=False)
class Segment:
    """A stretch of one person without long gaps.

    Attributes:
        rows: indices of the rows in the track, by time.
        stamp_s: (T,) times of the frames, 1/30 s apart.
        seen: the frames.
    """

    rows: NDArray[np.int64]
    stamp_s: NDArray[np.float64]
    seen: WindowObservations


def observe_person(track: TrackFile) -> tuple[list[Segment], NDArray[np.int64]]:
    """Cut a person's track at long gaps and bring it to 30 frames a second.

    Rows with NaN or infinity in the tracker's motion, or with a stamp that was there before, are
    left out; rows out of order are put in order.

    Args:
        track: rows of one person.

    Returns:
        Segments in order of time, and the indices of rows that were left out.
    """
    stamps = track["stamp_s"]
    usable: NDArray[np.bool_] = np.isfinite(stamps)
    for key in ("root_position_world", "root_orientation_world", "body_pose", "betas"):
        usable = usable & np.isfinite(track[key].reshape(len(stamps), -1)).all(axis=1)
    for key in ("rotation_world_camera", "position_world_camera", "root_position_camera"):
        usable = usable & np.isfinite(track[key].reshape(len(stamps), -1)).all(axis=1)
    order = np.flatnonzero(usable)
    order = order[np.argsort(stamps[order], kind="stable")]
    if len(order):
        fresh = np.concatenate(([True], np.diff(stamps[order]) > 1e-6))
        order = order[fresh]
    left_out = np.setdiff1d(np.arange(len(stamps)), order)
    if not len(order):
        return [], left_out
    cuts = np.flatnonzero(np.diff(stamps[order]) > MAX_GAP_S) + 1
    return [_segment(track, rows) for rows in np.split(order, cuts)], left_out


def _segment(track: TrackFile, rows: NDArray[np.int64]) -> Segment:
    stamps = track["stamp_s"][rows]
    count = max(1, round(float(stamps[-1] - stamps[0]) * FRAME_RATE) + 1)
    grid = stamps[0] + np.arange(count) / FRAME_RATE
    # Stamps that lie on the grid but for jitter are taken as they are.
    near = np.clip(np.round((stamps - stamps[0]) * FRAME_RATE).astype(int), 0, count - 1)
    steady = len(set(near.tolist())) == len(rows) and bool(
        (np.abs(stamps - grid[near]) < 0.25 / FRAME_RATE).all()
    )
    return Segment(rows, grid, observe_rows(track, rows, grid[near] if steady else stamps, grid))


def observe_rows(
    track: TrackFile, rows: NDArray[np.int64], times_s: Array, grid_s: Array
) -> WindowObservations:
    """Bring rows of one person to given frames.

    Args:
        track: of the person.
        rows: that are usable, by time.
        times_s: (n,) of the rows, growing.
        grid_s: (T,) of the frames, growing; those outside of the rows' times take the nearest.
    """
    take = _Sampler(times_s, grid_s)
    pixels, pixel_confidence = _pixels(track, rows)
    measured = track["tracking_state"][rows] == int(TrackingState.TRACKED)
    present = take.nearest(measured.astype(float)) * take.close()
    root_orientation = take.rotations(track["root_orientation_world"][rows])
    pose = Rotation.from_rotvec(
        track["body_pose"][rows][:, : NUM_JOINTS - 1].reshape(-1, 3)
    ).as_matrix()
    pose = pose.reshape(len(rows), NUM_JOINTS - 1, 3, 3)
    body = take.rotations(pose)
    turn = take.rotations(track["rotation_world_camera"][rows])
    centre, known = _camera_place(track, rows)
    box = track["box_xyxy"][rows]
    half = 0.5 * np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    half = np.where(np.isfinite(half) & (half > 8.0), half, 8.0)
    confidence = take.linear(track["joint_confidence"][rows][:, :NUM_JOINTS])
    root = take.linear(track["root_position_world"][rows])
    joints = take.linear(track["joints_world"][rows][:, :NUM_JOINTS])
    joints = np.where(np.isfinite(joints), joints, root[:, None])
    contacts = take.linear(track["contacts"][rows])
    return WindowObservations(
        root=_tensor(root),
        rotations=_tensor(np.concatenate((root_orientation[:, None], body), axis=1)),
        joints=_tensor(joints),
        confidence=_tensor(np.clip(np.nan_to_num(confidence), 0.0, 1.0) * present[:, None]),
        contacts=_tensor(np.clip(np.nan_to_num(contacts), 0.0, 1.0) * (present > 0)[:, None]),
        betas=_tensor(take.linear(track["betas"][rows])),
        pixels=_tensor(take.linear(pixels)),
        pixel_confidence=_tensor(take.least(pixel_confidence) * present[:, None]),
        pixel_scale=_tensor(take.linear(half / track.camera.fx)),
        rotation_camera_world=_tensor(turn.transpose(0, 2, 1)),
        camera_position=_tensor(take.linear(centre)),
        camera_known=known,
    )


class _Sampler:
    """Values at stamps, brought to a grid."""

    def __init__(self, stamps: NDArray[np.float64], grid: NDArray[np.float64]) -> None:
        self.stamps, self.grid = stamps, grid
        right = np.clip(np.searchsorted(stamps, grid), 0, len(stamps) - 1)
        left = np.clip(right - 1, 0, None)
        exact = np.abs(stamps[right] - grid) < 1e-9
        left = np.where(exact, right, left)
        span = stamps[right] - stamps[left]
        self.left, self.right = left, right
        self.share = np.where(span > 0, (grid - stamps[left]) / np.where(span > 0, span, 1), 0.0)
        self.share = np.clip(self.share, 0.0, 1.0)

    def linear(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Between the two neighbours."""
        share = self.share.reshape(-1, *([1] * (values.ndim - 1)))
        values = values.astype(np.float64)
        result: NDArray[np.float64] = values[self.left] + share * (
            values[self.right] - values[self.left]
        )
        return np.where(share == 0, values[self.left], result)

    def least(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The smaller of both neighbours."""
        right = np.where(self.share[:, None] > 0, values[self.right], values[self.left])
        return np.minimum(values[self.left], right)

    def nearest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """That of the nearer neighbour."""
        return np.where(self.share < 0.5, values[self.left], values[self.right])

    def close(self) -> NDArray[np.float64]:
        """1 where a neighbour is at most one frame away, else 0."""
        away = np.minimum(
            np.abs(self.grid - self.stamps[self.left]), np.abs(self.grid - self.stamps[self.right])
        )
        return (away < 1.05 / FRAME_RATE).astype(np.float64)

    def rotations(self, matrices: NDArray[Any]) -> NDArray[np.float64]:
        """Along the shortest turn, (n, ..., 3, 3) to (T, ..., 3, 3)."""
        return rotations_at(self.stamps, matrices, self.grid)


def _pixels(
    track: TrackFile, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Key-points on the image plane at z = 1, and confidences; 0 for missing ones."""
    points = track["keypoints_image"][rows].astype(np.float64)
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=-1))
    pixels = np.where(seen[..., None], points[..., :2], 0.0)
    pixels = track.camera.undistort(pixels.reshape(-1, 2)).reshape(pixels.shape)
    lost: NDArray[np.bool_] = np.logical_not(np.isfinite(pixels).all(axis=-1))
    confidence = np.where(seen & ~lost, np.clip(points[..., 2], 0.0, 1.0), 0.0)
    return np.where(lost[..., None], 0.0, pixels), confidence


def _camera_place(track: TrackFile, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], bool]:
    """Camera centres in the tracker's world, and whether they are measured."""
    turn = track["rotation_world_camera"][rows].astype(np.float64)
    local = track["root_position_camera"][rows].astype(np.float64)
    seen_from = track["root_position_world"][rows] - np.einsum("nij,nj->ni", turn, local)
    told = track["position_world_camera"][rows].astype(np.float64)
    away = np.linalg.norm(seen_from - told, axis=-1) / np.maximum(local[:, 2], 0.5)
    measured = track["tracking_state"][rows] == int(TrackingState.TRACKED)
    away = away[measured] if measured.any() else away
    if float(np.median(away)) < _TIED_SHARE:
        return told, True
    # The tracker's depth wavers; the camera itself moves smoothly.
    size = min(_CAMERA_SMOOTHING, (len(rows) - 1) // 2)
    kernel = np.hanning(2 * size + 3)[1:-1]
    padded = np.pad(seen_from, ((size, size), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(padded[:, i], kernel / kernel.sum(), "valid") for i in range(3)])
    return smooth.T, False


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float64)
