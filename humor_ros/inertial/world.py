"""The upright world over the gyroscope's reference frame: tilt, heading and position.

Tilt comes from the accelerometer (else from odometry), heading from odometry (else the
first image's is zero), both through :class:`~humor_ros.inertial.attitude_filter.AttitudeFilter`.
The world *shown* turns towards the best known one at a bounded rate, so that late knowledge and
returning sensors do not make people jump.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from humor_ros.inertial.attitude_filter import AttitudeFilter
from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.gravity import (
    LEVEL_WORLD_CAMERA,
    first_up,
    heading_axis,
    world_from_up,
)
from humor_ros.inertial.interval import ForceSample, InertialInterval
from humor_ros.inertial.magnetic_heading import MagneticHeading
from humor_ros.inertial.pose_buffer import CameraPose
from humor_ros.inertial.rest import RestDetector
from humor_ros.inertial.so3 import (
    exp_so3,
    log_so3,
    orthonormalised,
    rotation_about_z,
    rotation_aligning,
    twist_about_z,
)
from humor_ros.types import Array

__all__ = ["WorldAlignment"]

_UP = np.array([0.0, 0.0, 1.0])
_KNOWN_WITHIN = math.radians(3.0)
#: Share of the camera's acceleration that lasts longer than the filter thinks (a robot that
#: circles a person accelerates inwards all the time).
_LASTING_SHARE = 0.08
#: Of a pose from odometry or TF: it drifts, so that no number of them makes it better.
_POSE_STD = math.radians(1.0)
#: A heading of odometry that is off by more than this many standard deviations has jumped.
_JUMPED = 4.0
#: A pose may be off by so much from image to image beside the way driven, metres.
_JUMP_M = 0.1


class WorldAlignment:
    """Rotation from the reference frame to the world, and odometry's place in it.

    Attributes:
        filter: attitude of the world, biases and their covariance.
        position: (3,) camera centre in the world, metres, last known.
        tilt_measured: whether the accelerometer has told the tilt.
    """

    def __init__(self, config: InertialConfig, counters: dict[str, int]) -> None:
        self._config = config
        self._counters = counters
        self.filter = AttitudeFilter(config)
        self.filter.world = LEVEL_WORLD_CAMERA
        self.position = np.zeros(3)
        self.tilt_measured = False
        self._rest = RestDetector(config)
        self._shown: Array = LEVEL_WORLD_CAMERA
        self._odometry_heading: Array | None = None
        self._odometry_origin: Array | None = None
        self._last_pose: CameraPose | None = None
        self._tilt_from_pose = False
        self._age_s = 0.0

    @property
    def at_rest(self) -> bool:
        """Whether the IMU stands still."""
        return self._rest.resting

    @property
    def gravity_known(self) -> bool:
        """Whether the tilt shown was measured and is not still being turned in."""
        if not self.tilt_measured and not self._tilt_from_pose:
            return False
        tilt = float((self.filter.world @ self._shown.T)[2, 2])
        return tilt > math.cos(_KNOWN_WITHIN)

    def forget_tilt(self) -> None:
        """The mounting is another: the accelerometer tells the tilt anew."""
        self.tilt_measured = False
        self.filter.forget_tilt()

    def start(self, forces: Sequence[ForceSample], pose: CameraPose | None) -> None:
        """Align the world at the first image, where the reference frame is the camera.

        Args:
            forces: accelerometer samples before it.
            pose: of odometry or TF at it, or None.
        """
        found = first_up(forces, self._config.gravity)
        if found is not None:
            up, averaged_s, spread, rotation = found
            self.filter.world = world_from_up(up)
            axis = heading_axis(self.filter.world) if pose is None else None
            self._start_tilt(up, rotation, averaged_s, spread, axis)
        elif forces:
            self._counters["accelerometer_untrusted"] += len(forces)
        if pose is not None:
            self._odometry_heading = np.eye(3)
            if found is None:
                self.filter.world = pose.rotation
                self._tilt_from_pose = True
                self.filter.set_attitude(_POSE_STD**2)
            else:
                turn = twist_about_z(pose.rotation @ self.filter.world.T)
                self.filter.world = rotation_about_z(turn) @ self.filter.world
            self._origin_from(pose)
        self._shown = self.filter.world

    def rotation_world_camera(self, reference: Array) -> Array:
        """Attitude shown.

        Args:
            reference: (3, 3) camera to reference frame.

        Returns:
            (3, 3) camera to world.
        """
        return orthonormalised(self._shown @ reference)

    def covariance(self, mounting_std: float = 0.0) -> Array:
        """(3, 3) covariance of the attitude shown, world axes, rad².

        Args:
            mounting_std: of the mounting in use, each axis, rad. A wrong mounting tilts the world;
                the heading is the camera's own.
        """
        still_to_turn = log_so3(self.filter.world @ self._shown.T)
        covariance = self.filter.covariance + np.outer(still_to_turn, still_to_turn)
        if self.tilt_measured:
            lasting = _LASTING_SHARE * self.filter.acceleration_std / self._config.gravity
            covariance[[0, 1], [0, 1]] += lasting**2 + mounting_std**2
        if self._odometry_heading is not None:
            covariance[2, 2] += _POSE_STD**2
        return covariance

    def hide_step(self, before: Array, corrected: Array) -> None:
        """The reference attitude was corrected in hindsight: keep the world shown where it was.

        Args:
            before: (3, 3) camera to reference frame as it was thought to be.
            corrected: (3, 3) the same as it is known now.
        """
        self._shown = self._shown @ before @ corrected.T

    def turn_mounting(self, reference: Array, turn: Array) -> None:
        """The mounting was corrected: tilt changes with it, the heading shown does not.

        Args:
            reference: (3, 3) camera to reference frame before the correction.
            turn: (3, 3) camera axes known now to those known before.
        """
        attitude = self.filter.world @ reference
        spin = rotation_about_z(-twist_about_z(attitude @ turn @ attitude.T))
        self.filter.turn_mounting(turn, spin)
        self._shown = orthonormalised(spin @ self._shown)

    def see_turn(
        self, reference: Array, turned: Array, covariance: Array, gate: float
    ) -> bool | None:
        """Correct by a turn seen since the clone.

        Args:
            reference: (3, 3) camera to reference frame now.
            turned: (3, 3) camera now to camera at the clone.
            covariance: (3, 3) of its error, axes of the camera at the clone, rad².
            gate: squared Mahalanobis length of what is believed.

        Returns:
            whether it was believed; None where there is no clone.
        """
        found = self.filter.turn_innovation(reference, turned, covariance)
        if found is None:
            return None
        error, distance = found
        if distance > gate:
            return False
        self.filter.correct_turn(error, covariance)
        return True

    def update(
        self,
        interval_s: float,
        reference: Array,
        inertial: InertialInterval,
        pose: CameraPose | None,
        mounting_std: float = 0.0,
    ) -> None:
        """Correct the world at an image.

        Args:
            interval_s: time since the image before, seconds.
            reference: (3, 3) camera to reference frame now.
            inertial: what the IMU said since the image before.
            pose: of odometry or TF now, or None.
            mounting_std: of the mounting in use, each axis, rad.
        """
        self._age_s += interval_s
        self._counters["accelerometer_untrusted"] += inertial.implausible
        if inertial.count:
            self.filter.propagate(interval_s, inertial.rotation, inertial.turned, mounting_std)
            still = self._rest.update(inertial, interval_s, self.filter)
            if still is not None:
                self.filter.correct_at_rest(still, self._rest.rate_std)
        if inertial.force is not None:
            self._correct_tilt(inertial.force, inertial)
        if pose is not None:
            self._correct_by_pose(interval_s, reference, pose)

    def correct_by_field(
        self,
        magnetic: MagneticHeading,
        field_imu: Array | None,
        inertial: InertialInterval,
        interval_s: float,
    ) -> None:
        """Hold the heading by the magnetic field, where odometry does not.

        Args:
            magnetic: what the field was like so far.
            field_imu: (3,) mean field since the image before, IMU axes, or None.
            inertial: what the IMU said meanwhile.
            interval_s: time since the image before, seconds.
        """
        known = self.tilt_measured and not self.filter.tilt_lost
        if field_imu is None or not known or self._odometry_heading is not None:
            return
        field = self.filter.world @ inertial.rotation @ field_imu
        variance = float(self.filter.covariance[2, 2])
        error = magnetic.heading_error(field, interval_s, variance)
        if error is not None:
            self.filter.correct_heading(error, magnetic.std(interval_s))

    def show(self, interval_s: float, pose: CameraPose | None) -> None:
        """Turn the world shown towards the best known one, and place the camera in it.

        Args:
            interval_s: time since the image before, seconds.
            pose: of odometry or TF now, or None.
        """
        self._turn_shown(interval_s)
        if pose is not None:
            self._place(pose)

    @property
    def _young(self) -> bool:
        """Whether the world is so new that corrections may be shown at once."""
        return self._age_s <= self._config.gravity_window_s

    def _start_tilt(
        self,
        up: Array,
        rotation: Array,
        averaged_s: float,
        spread: float = 0.0,
        level_axis: Array | None = None,
    ) -> None:
        self.tilt_measured = True
        force = up * self._config.gravity
        self.filter.start_tilt(force, rotation, averaged_s, spread, level_axis)

    def _correct_tilt(self, force: Array, inertial: InertialInterval) -> None:
        if self.tilt_measured and not self.filter.tilt_lost:
            self.filter.correct_tilt(force, inertial.rotation, inertial.force_s)
            return
        up = force / math.sqrt(float(force @ force))
        world = self.filter.world
        first = not self.tilt_measured and not self._tilt_from_pose
        if self._young and first and self._odometry_heading is None:
            self.filter.world = world_from_up(up)
        else:
            self.filter.world = rotation_aligning(world @ up, _UP) @ world
        self._start_tilt(up, inertial.rotation, inertial.force_s)

    def _correct_by_pose(self, interval_s: float, reference: Array, pose: CameraPose) -> None:
        """Turn towards odometry: heading only where the accelerometer knows tilt."""
        world = self.filter.world
        if self._odometry_heading is None:
            error = world @ reference @ pose.rotation.T
            self._odometry_heading = rotation_about_z(twist_about_z(error))
        error = self._odometry_heading @ pose.rotation @ (world @ reference).T
        memory = self._config.heading_time_constant_s / max(interval_s, 1e-3)
        if self.tilt_measured:
            turn = twist_about_z(error)
            if turn**2 > _JUMPED**2 * (self.filter.covariance[2, 2] + _POSE_STD**2):
                # TF has jumped: until the heading is there, it is off by that much.
                self.filter.doubt_heading(turn**2)
            std = _POSE_STD * math.sqrt(max(1.0, memory))
            self.filter.correct_heading(turn, std)
            return
        vector = log_so3(error)
        self.filter.world = orthonormalised(exp_so3(vector * min(1.0, 1.0 / memory)) @ world)
        if math.sqrt(float(vector @ vector)) < _KNOWN_WITHIN:
            self._tilt_from_pose = True
            self.filter.set_attitude(_POSE_STD**2)

    def _turn_shown(self, interval_s: float) -> None:
        vector = log_so3(self.filter.world @ self._shown.T)
        angle = math.sqrt(float(vector @ vector))
        limit = self._config.max_correction_rate * interval_s
        if angle <= limit or self._young:
            self._shown = self.filter.world
        else:
            self._shown = orthonormalised(exp_so3(vector * (limit / angle)) @ self._shown)

    def _place(self, pose: CameraPose) -> None:
        if pose.position is None or self._odometry_heading is None:
            return
        if self._odometry_origin is None:
            self._odometry_origin = self.position - self._odometry_heading @ pose.position
        last = self._last_pose
        if last is not None and last.position is not None:
            way = float(np.linalg.norm(pose.position - last.position))
            since_s = pose.stamp_s - last.stamp_s
            if way > _JUMP_M + self._config.max_pose_speed * since_s:
                self._counters["pose_jumps"] += 1
        self._last_pose = pose
        self.position = self._odometry_heading @ pose.position + self._odometry_origin

    def _origin_from(self, pose: CameraPose) -> None:
        if pose.position is not None:
            self._odometry_origin = np.zeros(3)
            self.position = pose.position
