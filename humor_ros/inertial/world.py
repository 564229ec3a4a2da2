"""The upright world over the gyroscope's reference frame: tilt, heading and position.

Tilt comes from the accelerometer (else from odometry), heading from odometry (else the
first image's is zero). The world *shown* turns towards the best known one at a bounded
rate, so that late knowledge and returning sensors do not make people jump.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.gravity import LEVEL_WORLD_CAMERA, GravityFilter, world_from_up
from humor_ros.inertial.pose_buffer import CameraPose
from humor_ros.inertial.reference import ForceSample
from humor_ros.inertial.so3 import (
    exp_so3,
    log_so3,
    orthonormalised,
    rotation_about_z,
    rotation_aligning,
    twist_about_z,
)
from humor_ros.inertial.uncertainty import RotationUncertainty
from humor_ros.types import Array

__all__ = ["WorldAlignment"]

_UP = np.array([0.0, 0.0, 1.0])
_KNOWN_WITHIN = math.radians(3.0)


class WorldAlignment:
    """Rotation from the reference frame to the world, and odometry's place in it.

    Attributes:
        gravity: direction of "up" in the reference frame.
        uncertainty: variances of tilt and heading.
        position: (3,) camera centre in the world, metres, last known.
    """

    def __init__(self, config: InertialConfig, counters: dict[str, int]) -> None:
        self._config = config
        self.gravity = GravityFilter(config, counters)
        self.uncertainty = RotationUncertainty(config)
        self.position = np.zeros(3)
        self._best: Array = LEVEL_WORLD_CAMERA
        self._shown: Array = LEVEL_WORLD_CAMERA
        self._odometry_heading: Array | None = None
        self._odometry_origin: Array | None = None
        self._tilt_from_pose = False
        self._age_s = 0.0

    @property
    def gravity_known(self) -> bool:
        """Whether the tilt shown was measured and is not still being turned in."""
        if self.gravity.up is None and not self._tilt_from_pose:
            return False
        tilt = float((self._best @ self._shown.T)[2, 2])
        return tilt > math.cos(_KNOWN_WITHIN)

    def start(self, forces: Sequence[ForceSample], pose: CameraPose | None) -> None:
        """Align the world at the first image, where the reference frame is the camera.

        Args:
            forces: accelerometer samples before it.
            pose: of odometry or TF at it, or None.
        """
        self.gravity.start(forces)
        up = self.gravity.up
        if up is not None:
            self._best = world_from_up(up)
            self.uncertainty.set_from_gravity(self.gravity.averaged_s)
        if pose is not None:
            self._odometry_heading = np.eye(3)
            if up is None:
                self._best = pose.rotation
                self._tilt_from_pose = True
                self.uncertainty.set_from_pose()
            else:
                turn = twist_about_z(pose.rotation @ self._best.T)
                self._best = rotation_about_z(turn) @ self._best
            self._origin_from(pose)
        self._shown = self._best

    def rotation_world_camera(self, reference: Array) -> Array:
        """Attitude shown.

        Args:
            reference: (3, 3) camera to reference frame.

        Returns:
            (3, 3) camera to world.
        """
        return orthonormalised(self._shown @ reference)

    def covariance(self) -> Array:
        """(3, 3) covariance of the attitude shown, world axes, rad²."""
        return self.uncertainty.covariance(log_so3(self._best @ self._shown.T))

    def hide_step(self, before: Array, corrected: Array) -> None:
        """The reference attitude was corrected in hindsight: keep the world shown where it was.

        Args:
            before: (3, 3) camera to reference frame as it was thought to be.
            corrected: (3, 3) the same as it is known now.
        """
        self._shown = self._shown @ before @ corrected.T

    def update(
        self,
        interval_s: float,
        reference: Array,
        forces: Sequence[ForceSample],
        pose: CameraPose | None,
    ) -> None:
        """Correct the world at an image.

        Args:
            interval_s: time since the image before, seconds.
            reference: (3, 3) camera to reference frame now.
            forces: accelerometer samples since the image before.
            pose: of odometry or TF now, or None.
        """
        self._age_s += interval_s
        first_tilt = self.gravity.up is None and not self._tilt_from_pose
        self._correct_tilt(forces)
        up = self.gravity.up
        if up is not None:
            if first_tilt and self._young and self._odometry_heading is None:
                self._best = world_from_up(up)
            self._best = rotation_aligning(self._best @ up, _UP) @ self._best
        if pose is not None:
            self._correct_by_pose(interval_s, reference, pose)
        self._best = orthonormalised(self._best)
        self._turn_shown(interval_s)
        if pose is not None:
            self._place(pose)

    @property
    def _young(self) -> bool:
        """Whether the world is so new that corrections may be shown at once."""
        return self._age_s <= self._config.gravity_window_s

    def _correct_tilt(self, forces: Sequence[ForceSample]) -> None:
        for item in forces:
            was_unknown = self.gravity.up is None
            gain = self.gravity.update(item)
            if was_unknown and gain > 0.0:
                self.uncertainty.set_from_gravity(self.gravity.averaged_s)
            else:
                self.uncertainty.correct_tilt(gain)

    def _correct_by_pose(self, interval_s: float, reference: Array, pose: CameraPose) -> None:
        """Turn towards odometry: heading only where the accelerometer knows tilt."""
        if self._odometry_heading is None:
            error = self._best @ reference @ pose.rotation.T
            self._odometry_heading = rotation_about_z(twist_about_z(error))
        error = self._odometry_heading @ pose.rotation @ (self._best @ reference).T
        gain = min(1.0, interval_s / self._config.heading_time_constant_s)
        self.uncertainty.correct_heading(gain)
        if self.gravity.up is not None:
            self._best = rotation_about_z(gain * twist_about_z(error)) @ self._best
            return
        vector = log_so3(error)
        self._best = exp_so3(gain * vector) @ self._best
        if math.sqrt(float(vector @ vector)) < _KNOWN_WITHIN:
            self._tilt_from_pose = True
            self.uncertainty.correct_tilt(gain)

    def _turn_shown(self, interval_s: float) -> None:
        vector = log_so3(self._best @ self._shown.T)
        angle = math.sqrt(float(vector @ vector))
        limit = self._config.max_correction_rate * interval_s
        if angle <= limit or self._young:
            self._shown = self._best
        else:
            self._shown = orthonormalised(exp_so3(vector * (limit / angle)) @ self._shown)

    def _place(self, pose: CameraPose) -> None:
        if pose.position is None or self._odometry_heading is None:
            return
        if self._odometry_origin is None:
            self._odometry_origin = self.position - self._odometry_heading @ pose.position
        self.position = self._odometry_heading @ pose.position + self._odometry_origin

    def _origin_from(self, pose: CameraPose) -> None:
        if pose.position is not None:
            self._odometry_origin = np.zeros(3)
            self.position = pose.position
