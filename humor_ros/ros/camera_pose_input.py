"""The pose of the camera in a world frame, from odometry or from TF."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from nav_msgs.msg import Odometry

from humor_ros.ros.reports import Reporter
from humor_ros.ros.rotation_door import matrix_from_quaternion_xyzw
from humor_ros.ros.tf_buffer import RigidTransform, TransformUnavailable
from humor_ros.ros.tf_door import TransformListener
from humor_ros.ros.time_conversion import seconds_from_stamp

__all__ = ["CameraPoseInput", "StampedPose"]

_POLL_S = 0.002


@dataclass(frozen=True)
class StampedPose:
    """Pose of the camera's optical frame in the world at one time.

    Attributes:
        stamp_s: seconds.
        pose: maps camera to world.
    """

    stamp_s: float
    pose: RigidTransform


class CameraPoseInput:
    """Collects camera poses. ``put`` runs on the executor, the rest on the worker.

    Args:
        source: "odom" or "tf".
        world_frame: frame in which TF gives the camera ("tf"); "odom" takes the message's.
        listener: where TF is asked.
        reporter: tells of missing transforms.
    """

    def __init__(
        self, source: str, world_frame: str, listener: TransformListener, reporter: Reporter
    ) -> None:
        self._source = source
        self._listener = listener
        self._reporter = reporter
        self._odometry: deque[Odometry] = deque(maxlen=2000)
        self.world_frame = world_frame
        #: Age of the newest pose when it was last asked for, seconds; infinite before.
        self.age_s = float("inf")

    def put(self, message: Odometry) -> None:
        """Queue one odometry message."""
        self._odometry.append(message)

    def take(self, camera_frame: str, stamp_s: float, wait_s: float) -> list[StampedPose]:
        """Poses for the pipeline, oldest first.

        Args:
            camera_frame: optical frame of the images.
            stamp_s: time of the image, seconds.
            wait_s: longest wait for a transform of that time, seconds.
        """
        if self._source == "tf":
            found = self._from_tf(camera_frame, stamp_s, wait_s)
            poses = [] if found is None else [StampedPose(stamp_s, found)]
        else:
            poses = self._from_odometry(camera_frame)
        if poses:
            self.age_s = stamp_s - poses[-1].stamp_s
        return poses

    def forget(self) -> None:
        """Drop what is queued (the clock was set back)."""
        self._odometry.clear()
        self.age_s = float("inf")

    def _from_tf(self, camera_frame: str, stamp_s: float, wait_s: float) -> RigidTransform | None:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                return self._listener.lookup(self.world_frame, camera_frame, stamp_s)
            except TransformUnavailable as error:
                if time.monotonic() < deadline:
                    time.sleep(_POLL_S)
                    continue
                self.age_s = float("inf")
                self._reporter.say(
                    "camera_transform_missing",
                    f"parameter camera_pose.source is tf, but {error}; publish the transform "
                    f"{self.world_frame!r} <- {camera_frame!r}, raise camera_pose.wait, or set "
                    "camera_pose.source to none",
                )
                return None

    def _from_odometry(self, camera_frame: str) -> list[StampedPose]:
        poses: list[StampedPose] = []
        while self._odometry:
            message = self._odometry.popleft()
            mounting = self._mounting(message.child_frame_id, camera_frame)
            if mounting is None:
                continue
            place, turn = message.pose.pose.position, message.pose.pose.orientation
            try:
                rotation = matrix_from_quaternion_xyzw((turn.x, turn.y, turn.z, turn.w))
            except ValueError as error:
                self._reporter.say(
                    "odom_invalid", f"topic odom: {error}; check the odometry's orientation"
                )
                continue
            base = RigidTransform(rotation, np.array((place.x, place.y, place.z)))
            self.world_frame = message.header.frame_id or self.world_frame
            poses.append(StampedPose(seconds_from_stamp(message.header.stamp), base @ mounting))
        return poses

    def _mounting(self, base_frame: str, camera_frame: str) -> RigidTransform | None:
        if base_frame == camera_frame:
            return RigidTransform.identity()
        try:
            return self._listener.lookup(base_frame, camera_frame, None)
        except TransformUnavailable as error:
            self._reporter.say(
                "odom_transform_missing",
                f"topic odom: {error}; publish the static transform {base_frame!r} <- "
                f"{camera_frame!r} (where the camera sits on the robot)",
            )
            return None
