"""One person of the online smoother: the tracker's rows on their way through a sliding window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from humor_ros.humor.common_ground import LevelWatch
from humor_ros.humor.frame_clock import FrameClock
from humor_ros.humor.newest_motion import SolvedEnd
from humor_ros.humor.observations import observe_rows
from humor_ros.humor.seen import SeenImage, SeenRow
from humor_ros.humor.state import FRAME_RATE
from humor_ros.humor.window import SlidingWindow, SmoothedFrames
from humor_ros.humor.window_config import WindowConfig
from humor_ros.humor.window_values import WindowObservations
from humor_ros.io.track_file import TrackFile
from humor_ros.types import Array, HumanState

__all__ = ["OnlinePerson", "hands_of", "largest_batch"]

#: Rows before the new frames that help to tell where the camera was, and to carry a person on.
_CONTEXT = 16
#: The first window is solved with this many frames beyond the lag.
_COLD_SPARE = 4
_HANDS = slice(21, 23)
#: Frames on either side over which the camera's place is averaged.
_AVERAGED = 7
#: What the observations read of a person, as named in the track file.
_COLUMNS = (
    *("root_position_world", "root_orientation_world", "root_position_camera", "betas"),
    *("joints_world", "joint_confidence", "contacts", "keypoints_image", "box_xyxy"),
    "tracking_state",
)


def largest_batch(config: WindowConfig) -> int:
    """Most new frames of one hop: what is not told yet must stay in the window."""
    return config.frames - config.lag


class OnlinePerson:
    """Rows come in, whole frames go to the window by hops, and told frames return to the rows.

    Args:
        key: tells this stay from an earlier one of the same person.
        name: of the person.

    Attributes:
        window: the smoother; None until the first hop.
        admitted: whether the person is smoothed at all.
        closing: whether nothing follows.
        tail: the last frame told, to go on from.
        other_level: whether the person stands higher or lower than the common ground.
        level: watches over that; ``level_since`` the frame from which on it has been so.
        level_since: see ``level``.
        end: of the last solution; None where there is none to go on from.
    """

    def __init__(self, key: int, name: str) -> None:
        self.key, self.name = key, name
        self.window: SlidingWindow | None = None
        self.admitted = False
        self.closing = False
        self.other_level = False
        self.level = LevelWatch()
        self.level_since = 0
        self.end: SolvedEnd | None = None
        self.tail: SmoothedFrames | None = None
        self.rows: list[SeenRow] = []
        self.last_stamp_s = float("-inf")
        self.held_until_s = float("-inf")  # not admitted before this stamp
        self._clock = FrameClock()
        self._next = 0  # first frame that the window has not been given
        self._base = 0  # frame that the window counts from
        self._told = -1.0  # rows up to this place are done

    def add(self, image: SeenImage, human: HumanState) -> SeenRow:
        """Take the person's row of the next image, which must be later than the last."""
        row = SeenRow(self._clock.place(image.stamp_s), image, human)
        self.last_stamp_s = image.stamp_s
        self.rows.append(row)
        self._prune()
        return row

    @property
    def frames(self) -> int:
        """Frames given to windows so far."""
        return self._next

    @property
    def pending(self) -> int:
        """Whole frames that the window has not been given."""
        return int(np.floor(self.rows[-1].place)) - self._next + 1 if self.rows else 0

    def begin(self) -> None:
        """Be smoothed from the newest row on."""
        self.admitted = True
        self.restart(0)

    def restart(self, keep: int) -> None:
        """Forget the window; the newest ``keep`` frames are given to the next one."""
        newest = int(np.ceil(self.rows[-1].place)) if self.rows else 0
        self._next = max(self._next, newest - keep)
        self._base = self._next
        self.window = self.tail = self.end = None
        self._told = max(self._told, self._next - 0.5)

    def due(self, config: WindowConfig) -> int:
        """Frames for the next hop; 0 while it has to wait.

        One frame is always kept back, so that there is one to close with.
        """
        pending = self.pending
        if self.closing:
            most = largest_batch(config) if self.window is not None else config.frames
            return min(pending, most)
        first = self.window is None
        least = config.lag + _COLD_SPARE if first else config.hop
        if pending <= least:
            return 0
        return min(pending - 1, config.frames if first else largest_batch(config))

    def take(self, count: int) -> WindowObservations:
        """The next frames, observed."""
        first, stop = self._next, self._next + count
        rows = [row for row in self.rows if row.place > first - _CONTEXT]
        self._next = stop
        return _observed(rows, np.arange(first, stop) / FRAME_RATE)

    def told(self, frames: SmoothedFrames) -> tuple[list[SeenRow], SmoothedFrames, Array]:
        """Note told frames.

        Returns:
            The rows that they cover, the frames (with the last one before, where they follow on
            it), and the frames' times since the person's first image, seconds.
        """
        first = self._base + frames.first
        stop = first + frames.motion.frames
        last = stop - 1 if not self.closing or self.pending > 0 else np.inf
        rows = [row for row in self.rows if self._told < row.place <= last]
        self._told = max(self._told, float(stop - 1))
        whole = frames
        if self.tail is not None:
            whole, first = _joined(self.tail, frames), first - 1
        self.tail = _last_frame(frames)
        return rows, whole, np.arange(first, stop) / FRAME_RATE

    def camera_centre(self, row: SeenRow) -> Array:
        """(3,) where the tracker's two poses of the person say that the camera is, metres.

        The tracker's world may drift against its images; refined people keep their place in the
        image by this. Single depths waver, so that neighbouring rows are averaged.
        """
        near = [other for other in self.rows if abs(other.place - row.place) <= _AVERAGED]
        weights = np.array(
            [1.0 + np.cos(np.pi * (o.place - row.place) / (_AVERAGED + 1)) for o in near]
        )
        result: Array = np.average([_seen_from(other) for other in near], axis=0, weights=weights)
        return result

    def is_done(self, row: SeenRow) -> bool:
        """Whether the row has been told, or never will be by the window."""
        return row.place <= self._told

    def _prune(self) -> None:
        """Keep what is still to be told, and some context."""
        oldest = min(self._told, float(self._next)) - _CONTEXT
        if self.rows[0].place < oldest - _CONTEXT:
            self.rows = [row for row in self.rows if row.place >= oldest]


def _seen_from(row: SeenRow) -> Array:
    human = row.human
    turned = np.asarray(row.image.rotation_world_camera) @ human.root_position_camera
    result: Array = human.root_position_world - turned
    return result


def _observed(rows: Sequence[SeenRow], grid_s: Array) -> WindowObservations:
    columns: dict[str, Any] = {
        name: np.stack([np.asarray(getattr(row.human, name)) for row in rows]) for name in _COLUMNS
    }
    pose = np.stack([row.human.body_pose for row in rows])
    columns["body_pose"] = Rotation.from_matrix(pose.reshape(-1, 3, 3)).as_rotvec()
    columns["body_pose"] = columns["body_pose"].reshape(len(rows), -1, 3)
    for name in ("rotation_world_camera", "position_world_camera"):
        columns[name] = np.stack([getattr(row.image, name) for row in rows])
    nothing = np.zeros(0)
    track = TrackFile(columns, nothing.astype(np.int64), nothing, rows[-1].image.camera, FRAME_RATE)
    times = np.array([row.place for row in rows]) / FRAME_RATE
    return observe_rows(track, np.arange(len(rows)), times, grid_s)


def hands_of(rows: Sequence[SeenRow]) -> Array:
    """(n, 2, 3, 3) the tracker's hands, which HuMoR does not have."""
    return np.stack([row.human.body_pose[_HANDS] for row in rows])


def _last_frame(frames: SmoothedFrames) -> SmoothedFrames:
    count = frames.motion.frames
    return replace(
        frames,
        first=frames.first + count - 1,
        motion=frames.motion.cut(count - 1, count),
        contacts=frames.contacts[-1:],
        joints=frames.joints[-1:],
        feet=frames.feet[-1:],
        lag=frames.lag[-1:],
    )


def _joined(before: SmoothedFrames, after: SmoothedFrames) -> SmoothedFrames:
    """Both, with the latents of neither: nobody reads them of told frames."""
    motion = replace(
        after.motion,
        root=torch.cat((before.motion.root, after.motion.root)),
        rotations=torch.cat((before.motion.rotations, after.motion.rotations)),
        latents=after.motion.latents[:0],
    )
    parts: dict[str, Any] = {
        name: torch.cat((getattr(before, name), getattr(after, name)))
        for name in ("contacts", "joints", "feet", "lag")
    }
    return replace(after, first=before.first, motion=motion, **parts)
