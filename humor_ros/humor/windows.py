"""Long recordings: equal windows that overlap, fitted in batches and joined by a hard cut.

Windows of one batch are fitted together, each with its own initial state, ground and shape, and
held together by the overlap terms; the next batch must agree with the last window of the one
before. As published (Rempe et al., "HuMoR", ICCV 2021, supplement).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.geometry.rotation import matrix_to_axis_angle
from humor_ros.humor.fit import FitResult, MotionFitter
from humor_ros.humor.objective import PastWindow
from humor_ros.humor.variables import FitObservations, PoseVariables

__all__ = ["LongFit", "fit_recording", "window_starts"]


def window_starts(n_frames: int, window: int, overlap: int) -> list[int]:
    """First frames of equal windows that cover a recording exactly.

    Neighbours share at least ``overlap`` frames; what is left over enlarges the overlaps.

    Args:
        n_frames: of the recording.
        window: frames of a window.
        overlap: least number of shared frames, smaller than ``window``.

    Raises:
        ValueError: a number makes no sense.
    """
    if n_frames < 1 or not 0 < overlap < window:
        raise ValueError(
            "n_frames must be at least 1 and overlap between 1 and window - 1, got "
            f"n_frames={n_frames}, window={window}, overlap={overlap}"
        )
    if n_frames <= window:
        return [0]
    rest = n_frames - window
    gaps = -(-rest // (window - overlap))
    return [round(rest * index / gaps) for index in range(gaps + 1)]


@dataclass(frozen=True, eq=False)
class LongFit:
    """A fitted recording of T frames.

    Attributes:
        trans: (T, 3) SMPL translation, frame of the observations, metres.
        root_orient: (T, 3) rotation vectors of the root, same frame.
        pose_body: (T, 21, 3) rotation vectors of the body's joints.
        betas: (T, num_betas) shape; each window has its own.
        joints: (T, 22, 3) joints, same frame.
        contacts: (T, 22) contact probability of joints.
        floor_plane: (4,) ground of the first window, None where there is none.
        windows: the fits of the batches.
    """

    trans: Tensor
    root_orient: Tensor
    pose_body: Tensor
    betas: Tensor
    joints: Tensor
    contacts: Tensor
    floor_plane: Tensor | None
    windows: tuple[FitResult, ...]

    @property
    def diverged(self) -> bool:
        """Whether a stage of a batch ended early."""
        return any(window.diverged for window in self.windows)


def fit_recording(
    fitter: MotionFitter,
    observations: FitObservations,
    *,
    batch: int = 2,
    start: PoseVariables | None = None,
    report: Callable[[int, FitResult], None] | None = None,
) -> LongFit:
    """Fit one recording, in windows where the fitter's configuration has them.

    Args:
        fitter: what fits.
        observations: of one sequence (B = 1).
        batch: windows that are fitted together.
        start: (1, T) first values of the poses instead of the published ones.
        report: called with the first window's number and the fit of every batch.

    Raises:
        ValueError: there is more than one sequence, or ``batch`` is below 1.
    """
    sequences, frames = observations.size
    if sequences != 1:
        raise ValueError(f"observations must be of one sequence, got {sequences}")
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    window = fitter.config.window
    length = frames if window is None else min(window, frames)
    starts = [0] if window is None else window_starts(frames, window, fitter.config.overlap_frames)
    fits: list[FitResult] = []
    past: PastWindow | None = None
    for first in range(0, len(starts), batch):
        some = starts[first : first + batch]
        part = _cut(
            observations, some, length, coupled=len(starts) > 1 and fitter.config.couples_windows
        )
        first_poses = None if start is None else _cut_poses(start, some, length)
        fits.append(fitter.fit(part, past=past, start=first_poses))
        past = _last_window(fits[-1], some[-1], length)
        if report is not None:
            report(first, fits[-1])
    return _joined(fits, starts, frames)


def _cut(
    observations: FitObservations, starts: list[int], length: int, *, coupled: bool
) -> FitObservations:
    timed = ("joints2d", "joints3d", "verts3d", "points3d")
    parts: dict[str, Tensor] = {}
    for name in (*timed, "camera_matrix", "floor_plane"):
        tensor = getattr(observations, name)
        if tensor is None:
            continue
        if name in timed:
            parts[name] = torch.cat([tensor[:, start : start + length] for start in starts])
        else:
            parts[name] = tensor.expand(len(starts), *tensor.shape[1:])
    if coupled:
        parts["seq_interval"] = torch.tensor([[start, start + length] for start in starts])
    return FitObservations(**parts)


def _cut_poses(poses: PoseVariables, starts: list[int], length: int) -> PoseVariables:
    def pieces(tensor: Tensor) -> Tensor:
        return torch.cat([tensor[:, start : start + length] for start in starts])

    return PoseVariables(
        trans=pieces(poses.trans),
        root_orient=pieces(poses.root_orient),
        latent_pose=pieces(poses.latent_pose),
        betas=poses.betas.repeat(len(starts), 1),
    )


def _last_window(fit: FitResult, start: int, length: int) -> PastWindow | None:
    if fit.verts3d.shape[2] == 0:
        return None
    ground = fit.variables.floor_plane
    return PastWindow(
        verts3d=fit.verts3d[-1],
        betas=fit.poses.betas[-1],
        floor_plane=None if ground is None else ground[-1],
        seq_interval=torch.tensor([start, start + length]),
    )


def _joined(fits: list[FitResult], starts: list[int], frames: int) -> LongFit:
    """Each window gives the frames that no earlier one has."""
    entries = [(fit, index) for fit in fits for index in range(fit.joints.shape[0])]
    parts: dict[str, list[Tensor]] = {}
    done = 0
    for (fit, index), start in zip(entries, starts, strict=True):
        skip = done - start
        length = fit.joints.shape[1] - skip
        pieces = {
            "trans": fit.poses.trans,
            "root_orient": fit.poses.root_orient,
            "pose_body": matrix_to_axis_angle(fit.pose_body),
            "betas": fit.poses.betas[:, None].expand(-1, fit.joints.shape[1], -1),
            "joints": fit.joints,
            "contacts": fit.contacts,
        }
        for name, piece in pieces.items():
            parts.setdefault(name, []).append(piece[index, skip : skip + length])
        done = start + fit.joints.shape[1]
    if done != frames:
        raise ValueError(f"windows cover {done} of {frames} frames")
    ground = fits[0].floor_plane
    return LongFit(
        **{name: torch.cat(pieces) for name, pieces in parts.items()},
        floor_plane=None if ground is None else ground[0],
        windows=tuple(fits),
    )
