"""The state that a forecast starts from: the last solution, carried on by the tracker's rows.

After the last solved frame the tracker's motion goes on as far from the solution as it was there.
Speeds are those of a straight line through the last frames: a difference of two would be noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from humor_ros.humor.path_network import LAGS, RecentPath
from humor_ros.humor.seen import SeenRow
from humor_ros.humor.state import FRAME_RATE, NUM_JOINTS, MotionState
from humor_ros.humor.window import SlidingWindow
from humor_ros.humor.window_body import SolverBody
from humor_ros.types import Array

__all__ = [
    "RECENT_ROWS",
    "NewestMotion",
    "SolvedEnd",
    "newest_motion",
    "newest_state",
    "recent_path",
]

#: Frames that speeds are taken over: a fifth of a second.
_SPAN = 6
#: Frames of the path that leads there: a second before the newest.
_PATH = 1 + max(LAGS)
#: Rows that may lie within that, also at the tracker's highest rate.
RECENT_ROWS = 2 * _PATH


@dataclass(frozen=True, eq=False)
class SolvedEnd:
    """The last frames of a solution.

    Attributes:
        last: number of the last one, counted from the person's first image.
        root: (n, 3) metres; ``rotations`` (n, 22, 3, 3), root in the world.
        betas: (10,).
        shift: (3,) from the tracker's root to the solution's in the last frame.
        bend: (22, 3, 3) the same for rotations, applied from the left.
    """

    last: int
    root: Array
    rotations: Array
    betas: Array
    shift: Array
    bend: Array

    @classmethod
    def of(cls, window: SlidingWindow, last: int) -> SolvedEnd | None:
        """Read a window's end; None where it has no solution."""
        motion, seen = window.motion, window.seen
        if motion is None or seen is None or seen.frames != motion.frames:
            return None
        return cls(
            last=last,
            root=motion.root[-_PATH:].numpy().copy(),
            rotations=motion.rotations[-_PATH:].numpy().copy(),
            betas=motion.betas.numpy().copy(),
            shift=(motion.root[-1] - seen.root[-1]).numpy(),
            bend=(motion.rotations[-1] @ seen.rotations[-1].transpose(-1, -2)).numpy(),
        )


@dataclass(frozen=True, eq=False)
class NewestMotion:
    """The last moments of one person, n >= 1 times; world, metres.

    Attributes:
        name: of the person.
        stamp_s: of the newest image that the person is in, seconds.
        place: (n,) in frames.
        root: (n, 3); ``rotations`` (n, 22, 3, 3), root in the world.
        betas: (10,).
        smoothed: whether a solution is in it.
        hands: (2, 3, 3) relative to the wrists, as the tracker has them.
        path: (L, 4) root and heading ``LAGS`` before the newest moment (see
            :class:`~humor_ros.humor.path_network.RecentPath`), NaN where the person was not
            known; None where no path is known at all.
    """

    name: str
    stamp_s: float
    place: Array
    root: Array
    rotations: Array
    betas: Array
    smoothed: bool
    hands: Array
    path: Array | None = None


def newest_motion(name: str, rows: Sequence[SeenRow], end: SolvedEnd | None) -> NewestMotion:
    """The last moments by solution and tracker.

    Args:
        name: of the person.
        rows: the tracker's last rows, at least one; the newest last.
        end: of the last solution; None where there is none to go on from.
    """
    newest = rows[-1]
    rows = [row for row in rows if row.place > newest.place - _PATH]
    after = rows if end is None else [row for row in rows if row.place > end.last]
    place = np.array([row.place for row in after])
    root = np.array([row.human.root_position_world for row in after]).reshape(-1, 3)
    rotations = np.array([_rotations(row) for row in after]).reshape(-1, NUM_JOINTS, 3, 3)
    betas = newest.human.betas
    if end is not None:
        root, rotations, betas = root + end.shift, end.bend @ rotations, end.betas
        frames = end.last - np.arange(len(end.root) - 1, -1, -1)
        kept = frames > newest.place - _PATH
        place = np.concatenate((frames[kept], place))
        root = np.concatenate((end.root[kept], root))
        rotations = np.concatenate((end.rotations[kept], rotations))
    near = place > newest.place - _SPAN
    return NewestMotion(
        name=name,
        stamp_s=newest.image.stamp_s,
        place=place[near],
        root=root[near],
        rotations=rotations[near],
        betas=np.asarray(betas, np.float64),
        smoothed=end is not None,
        hands=newest.human.body_pose[21:],
        path=_path(place, root, rotations[:, 0]),
    )


def newest_state(motion: NewestMotion, body: SolverBody, ground_height: float) -> MotionState:
    """A single state (no batch axis), float32, with the ground under the person at z = 0.

    Args:
        motion: of the person.
        body: of its shape space.
        ground_height: of the ground below the root, metres.
    """
    betas = torch.as_tensor(motion.betas)
    root = torch.as_tensor(motion.root) - torch.tensor([0.0, 0.0, ground_height])
    rotations = torch.as_tensor(motion.rotations)
    points = body(betas, rotations, root)
    time = (motion.place - motion.place[-1]) / FRAME_RATE
    joints = points.joints.numpy()
    # Turns since each moment, as rotation vectors in the world: a straight line through zero now.
    now = Rotation.from_matrix(motion.rotations[-1, 0])
    turned = (Rotation.from_matrix(motion.rotations[:, 0]) * now.inv()).as_rotvec()
    speeds = _slope(time, joints)
    return MotionState(
        trans=_float(root[-1] - body.rest_root(betas)),
        trans_vel=_float(speeds[0]),
        root_orient=_float(rotations[-1, 0]),
        root_orient_vel=_float(_slope(time, turned)),
        pose_body=_float(rotations[-1, 1:]),
        joints=_float(joints[-1]),
        joints_vel=_float(speeds),
    )


def recent_path(motions: Sequence[NewestMotion], grounds: Sequence[float]) -> RecentPath:
    """The paths of B people above the ground below each, float32."""
    unknown = np.full((len(LAGS), 4), np.nan)
    paths = np.stack([unknown if motion.path is None else motion.path for motion in motions])
    paths[..., 2] -= np.asarray(grounds)[:, None]
    return RecentPath(_float(paths[..., :3]), _float(paths[..., 3]))


def _path(place: Array, root: Array, turns: Array) -> Array:
    """(L, 4) between the known moments (n,), NaN before the first."""
    at = place[-1] - np.array(LAGS)
    heading = np.unwrap(np.arctan2(-turns[:, 1, 0], -turns[:, 0, 0]))
    columns = [np.interp(at, place, column, left=np.nan) for column in (*root.T, heading)]
    result: Array = np.stack(columns, axis=-1)
    return result


def _rotations(row: SeenRow) -> Array:
    return np.concatenate((row.human.root_orientation_world[None], row.human.body_pose[:21]))


def _slope(time: Array, values: Array) -> Array:
    """Slope of straight lines through values (n, ...) at times (n,); zero for a single one."""
    away = time - time.mean()
    squared = float(away @ away)
    if squared < 1e-9:
        return np.zeros(values.shape[1:])
    result: Array = np.tensordot(away, values - values.mean(axis=0), axes=1) / squared
    return result


def _float(values: Array | torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(values).to(torch.float32)
