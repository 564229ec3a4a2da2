"""Attitude of the camera relative to its first image, as the gyroscope adds it up.

What lies behind the newest sample before an image is *firm* and never integrated again;
what lies between that sample and the image is integrated anew for the next image, by then
with the samples that came late.
"""

from __future__ import annotations

import numpy as np

from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.imu_buffer import ImuBuffer
from humor_ros.inertial.integration import cumulative_rotations, rate_segments, uncovered_time
from humor_ros.inertial.interval import ForceSample, InertialInterval, summarised
from humor_ros.inertial.so3 import orthonormalised
from humor_ros.types import Array

__all__ = ["ReferenceAttitude"]


class ReferenceAttitude:
    """Gyroscope integration from image to image in the camera frame of the first image.

    Attributes:
        imu: samples not yet integrated.
        rotation_camera_imu: (3, 3), or None while it is unknown (nothing is integrated).
        rotation: (3, 3) camera at the last image to the reference frame.
        bias: (3,) of the gyroscope beside the configured one, taken off from now on, rad/s.
    """

    def __init__(self, config: InertialConfig, counters: dict[str, int]) -> None:
        self._config = config
        self.imu = ImuBuffer(config, counters)
        self.rotation_camera_imu = config.rotation_camera_imu
        self.rotation: Array = np.eye(3)
        self._firm_s = 0.0
        self._firm: Array = np.eye(3)
        self.bias: Array = np.zeros(3)
        self._silent_s = 0.0

    @property
    def was_unmeasured(self) -> bool:
        """Whether the last image lay further than ``max_gap_s`` beyond the newest sample."""
        return self._silent_s > self._config.max_gap_s

    def restart(self, stamp_s: float) -> list[ForceSample]:
        """Make the camera at this instant the reference frame.

        Args:
            stamp_s: of the first image, seconds.

        Returns:
            accelerometer samples of the ``gravity_window_s`` before it.
        """
        forces = self._forces_before(stamp_s)
        self.rotation = np.eye(3)
        self._silent_s = 0.0
        self.rebase(stamp_s, self.rotation)
        return forces

    def has_sample_near(self, stamp_s: float) -> bool:
        """Whether a sample lies within ``max_gap_s`` of an instant.

        Args:
            stamp_s: seconds.
        """
        near = self._config.max_gap_s
        return any(abs(item.stamp_s - stamp_s) <= near for item in reversed(self.imu.samples))

    def rebase(self, stamp_s: float, rotation: Array) -> None:
        """Take the attitude at an instant from elsewhere; older samples are done with.

        Args:
            stamp_s: seconds.
            rotation: (3, 3) camera to reference frame at that instant.
        """
        self._firm_s, self._firm = stamp_s, rotation
        self.imu.drop_before(stamp_s)

    def at(self, stamp_s: float) -> Array:
        """Attitude at an instant that is not firm yet, from the samples held now.

        Args:
            stamp_s: seconds.

        Returns:
            (3, 3) camera to reference frame.
        """
        if self.rotation_camera_imu is None:
            return self._firm
        pieces = rate_segments(self.imu.samples, self._firm_s, stamp_s, self._config.max_gap_s)
        if not pieces:
            return self._firm
        rotation: Array = (
            self._firm @ cumulative_rotations(pieces, self.rotation_camera_imu, self.bias)[-1]
        )
        return rotation

    def turn_mounting(self, turn: Array) -> None:
        """Correct the mounting: the IMU keeps its attitude, the camera's axes turn.

        Args:
            turn: (3, 3) camera axes as they are known now to those known before.
        """
        if self.rotation_camera_imu is not None:
            self.rotation_camera_imu = turn.T @ self.rotation_camera_imu
            self.rotation = self.rotation @ turn
            self._firm = self._firm @ turn

    def advance(self, previous_s: float, stamp_s: float) -> InertialInterval:
        """Integrate up to an image and make what is measured firm.

        Args:
            previous_s: stamp of the image before, seconds.
            stamp_s: stamp of this image, seconds.

        Returns:
            what was measured on the way.
        """
        mount = self.rotation_camera_imu
        if mount is None:
            return InertialInterval(stamp_s - previous_s)
        pieces = rate_segments(self.imu.samples, self._firm_s, stamp_s, self._config.max_gap_s)
        rotations = cumulative_rotations(pieces, mount, self.bias)
        passed = [k for k, piece in enumerate(pieces) if piece.sample is not None]
        summary = summarised(
            uncovered_time(pieces, previous_s, stamp_s),
            [sample for piece in pieces if (sample := piece.sample) is not None],
            [self._firm @ rotations[k] @ mount for k in passed],
            self.bias,
            self.imu.newest_before(self._firm_s),
            self._config,
        )
        firm_s, firm = self._firm_s, self._firm
        if passed:
            firm_s, firm = pieces[passed[-1]].end_s, self._firm @ rotations[passed[-1]]
        self.rotation = orthonormalised(self._firm @ rotations[-1]) if rotations else self._firm
        self.rebase(firm_s, orthonormalised(firm))
        self._silent_s = stamp_s - self.imu.newest_before(stamp_s)
        return summary

    def _forces_before(self, stamp_s: float) -> list[ForceSample]:
        """Accelerometer samples of the gravity window, in the camera frame at its end."""
        mount = self.rotation_camera_imu
        begin = stamp_s - self._config.gravity_window_s
        window = [item for item in self.imu.samples if begin <= item.stamp_s <= stamp_s]
        if mount is None or not window:
            return []
        gap = self._config.max_gap_s
        pieces = rate_segments(window, window[0].stamp_s, stamp_s, gap)
        rotations = cumulative_rotations(pieces, mount, self.bias)
        attitudes = [np.eye(3)]
        for piece, turned in zip(pieces, rotations, strict=True):
            if piece.sample is not None:
                attitudes.append(turned)
        to_end = rotations[-1].T if rotations else np.eye(3)
        forces, last_s = [], window[0].stamp_s
        for item, attitude in zip(window, attitudes, strict=True):
            if item.acceleration is not None:
                rotation = to_end @ attitude @ mount
                interval = min(gap, max(1e-4, item.stamp_s - last_s))
                rate = float(np.linalg.norm(item.rate))
                forces.append(ForceSample(rotation @ item.acceleration, rate, interval, rotation))
            last_s = item.stamp_s
        return forces
