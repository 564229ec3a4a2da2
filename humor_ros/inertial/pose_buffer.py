"""Camera poses from odometry or TF, in order of time, looked up at an image's stamp."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np

from humor_ros.inertial.config import InertialConfig, validated_rotation
from humor_ros.inertial.so3 import interpolate_rotation
from humor_ros.types import Array

__all__ = ["CameraPose", "PoseBuffer"]


@dataclass(frozen=True)
class CameraPose:
    """Pose of the camera in the frame of odometry or TF (z up).

    Attributes:
        stamp_s: seconds.
        rotation: (3, 3) camera to that frame.
        position: (3,) metres, or None where only orientation is known.
    """

    stamp_s: float
    rotation: Array
    position: Array | None = None


class PoseBuffer:
    """Poses of the last ``buffer_s`` seconds, with look-up by Slerp."""

    def __init__(self, config: InertialConfig, counters: dict[str, int]) -> None:
        self._config = config
        self._counters = counters
        self._poses: list[CameraPose] = []

    def add(self, stamp_s: float, rotation: Array, position: Array | None) -> None:
        """Take one pose in; what is not finite or no rotation is counted and dropped.

        Args:
            stamp_s: seconds, the images' clock.
            rotation: (3, 3) camera to the frame of odometry.
            position: (3,) metres, or None.
        """
        place = None if position is None else np.asarray(position, dtype=np.float64)
        if place is not None and place.shape != (3,):
            raise ValueError(f"position_world_camera must have shape (3,), got {place.shape}")
        try:
            matrix = validated_rotation(rotation, "rotation_world_camera")
        except ValueError:
            self._counters["pose_invalid"] += 1
            return
        if not math.isfinite(stamp_s) or (place is not None and not np.isfinite(place).all()):
            self._counters["pose_invalid"] += 1
            return
        pose = CameraPose(float(stamp_s), matrix, place)
        poses = self._poses
        if poses and pose.stamp_s < poses[-1].stamp_s - self._config.buffer_s:
            self._counters["pose_clock_resets"] += 1
            poses.clear()
        index = bisect_left(poses, pose.stamp_s, key=lambda item: item.stamp_s)
        if index < len(poses) and poses[index].stamp_s == pose.stamp_s:
            self._counters["pose_duplicate"] += 1
            return
        if index < len(poses):
            self._counters["pose_out_of_order"] += 1
        poses.insert(index, pose)
        oldest = poses[-1].stamp_s - self._config.buffer_s
        while poses[0].stamp_s < oldest:
            del poses[0]

    def keep_between(self, low_s: float, high_s: float) -> None:
        """Forget all poses outside an interval.

        Args:
            low_s: seconds.
            high_s: seconds.
        """
        self._poses = [item for item in self._poses if low_s <= item.stamp_s <= high_s]

    def at(self, stamp_s: float) -> CameraPose | None:
        """Pose at an instant.

        Interpolates between neighbours up to ``max_pose_gap_s`` apart; extrapolates at
        constant velocity up to ``max_pose_age_s`` beyond the newest (and holds a lone one).

        Args:
            stamp_s: seconds.

        Returns:
            the pose, or None where none is near enough.
        """
        poses = self._poses
        index = bisect_right(poses, stamp_s, key=lambda item: item.stamp_s)
        if index == 0:
            return None
        before = poses[index - 1]
        if before.stamp_s == stamp_s:
            return before
        if index < len(poses):
            return self._joined(before, poses[index], stamp_s)
        if stamp_s - before.stamp_s > self._config.max_pose_age_s:
            return None
        if index >= 2:
            moving = self._joined(poses[index - 2], before, stamp_s)
            if moving is not None:
                return moving
        return CameraPose(stamp_s, before.rotation, before.position)

    def _joined(self, first: CameraPose, second: CameraPose, stamp_s: float) -> CameraPose | None:
        """Pose on the line through two others, or None if they are too far apart."""
        gap = second.stamp_s - first.stamp_s
        if gap > self._config.max_pose_gap_s:
            return None
        fraction = (stamp_s - first.stamp_s) / gap
        rotation = interpolate_rotation(first.rotation, second.rotation, fraction)
        position = None
        if first.position is not None and second.position is not None:
            position = first.position + (second.position - first.position) * fraction
        return CameraPose(stamp_s, rotation, position)
