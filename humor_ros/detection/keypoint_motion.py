"""Predicts a person's key-points: one constant-velocity Kalman filter for each joint.

Textbook white-noise acceleration model (Bar-Shalom, Li, Kirubarajan, "Estimation with
Applications to Tracking and Navigation", 2001, section 6.2.2), the same for x and y, over
all joints at once. It predicts; what is published are the raw measurements.
"""

from __future__ import annotations

import numpy as np

from humor_ros.detection.boxes import box_size, keypoint_box
from humor_ros.types import Array

__all__ = ["KeypointMotion"]

# In parts of the person's size. Limbs reach some 15 sizes/s² for about 0.05 s.
_ACCELERATION_DENSITY = 10.0  # sizes²/s³
_MEASUREMENT_STD = 0.01  # sizes at confidence 1
_START_SPEED_STD = 1.0  # sizes/s
_GLIDE_S = 0.15  # an unseen person's motion dies away with this time constant
_GROWTH_GAIN, _SHRINK_GAIN = 0.3, 0.01  # size stays what it was when a person crouches


class KeypointMotion:
    """Position and velocity of each joint, with their uncertainty.

    Attributes:
        positions: (17, 2) pixels, at the time of the last ``predict`` or ``update``.
        velocities: (17, 2) pixels/s.
        confidence: (17,) of the last measurement of each joint.
        size: longest side of the person's box in the last seconds, pixels: a measure of the
            person, not of the pose.
    """

    def __init__(self, keypoints: Array) -> None:
        self.positions: Array = keypoints[:, :2].astype(np.float64)
        self.velocities: Array = np.zeros_like(self.positions)
        self.confidence: Array = keypoints[:, 2].astype(np.float64)
        self.size = box_size(keypoint_box(keypoints))
        self._variance = self._noise(self.confidence)
        self._covariance = np.zeros(len(keypoints))
        self._speed_variance = np.full(len(keypoints), (_START_SPEED_STD * self.size) ** 2)

    @property
    def keypoints(self) -> Array:
        """(17, 3) positions with the confidence of each joint's last measurement."""
        return np.column_stack([self.positions, self.confidence])

    @property
    def box_xyxy(self) -> Array:
        """(4,) box around the joints that were seen well."""
        return keypoint_box(self.keypoints)

    @property
    def spread(self) -> Array:
        """(17,) standard deviation of a measurement about the position, pixels."""
        return np.sqrt(self._variance + self._noise(np.ones(len(self._variance))))

    def predict(self, interval_s: float, *, unseen: bool = False) -> None:
        """Moves the state on by ``interval_s``.

        Args:
            interval_s: time since the state, seconds, not negative.
            unseen: the person was not measured last: the body then glides as a whole and
                comes to rest, for limbs that run on by themselves tear the skeleton.
        """
        if unseen:
            weights = self.confidence[:, None] + 1e-3
            together = (self.velocities * weights).sum(axis=0) / weights.sum()
            self.velocities[:] = together * np.exp(-interval_s / _GLIDE_S)
        self.positions = self.positions + self.velocities * interval_s
        density = _ACCELERATION_DENSITY * self.size**2
        self._variance = (
            self._variance
            + 2.0 * self._covariance * interval_s
            + self._speed_variance * interval_s**2
            + density * interval_s**3 / 3.0
        )
        self._covariance = (
            self._covariance + self._speed_variance * interval_s + density * interval_s**2 / 2.0
        )
        self._speed_variance = self._speed_variance + density * interval_s

    def update(self, keypoints: Array, use: Array) -> None:
        """Corrects the state by measured key-points.

        Args:
            keypoints: (17, 3) x, y, confidence.
            use: (17,) bool, joints to correct; the others keep their prediction.
        """
        gain = self._variance / (self._variance + self._noise(keypoints[:, 2]))
        speed_gain = self._covariance / (self._variance + self._noise(keypoints[:, 2]))
        gain, speed_gain = np.where(use, gain, 0.0), np.where(use, speed_gain, 0.0)
        error = keypoints[:, :2] - self.positions
        self.positions = self.positions + gain[:, None] * error
        self.velocities = self.velocities + speed_gain[:, None] * error
        self._speed_variance = self._speed_variance - speed_gain * self._covariance
        self._covariance = (1.0 - gain) * self._covariance
        self._variance = (1.0 - gain) * self._variance
        self.confidence = np.where(use, keypoints[:, 2], self.confidence)
        growth = box_size(keypoint_box(keypoints)) - self.size
        self.size += (_GROWTH_GAIN if growth > 0.0 else _SHRINK_GAIN) * growth

    def restart(self, keypoints: Array, joints: Array) -> None:
        """Puts the ``joints`` (17,) bool where they are measured, at rest."""
        fresh = KeypointMotion(keypoints)
        self.positions[joints] = fresh.positions[joints]
        self.velocities[joints] = 0.0
        self.confidence[joints] = fresh.confidence[joints]
        self._variance[joints] = fresh._variance[joints]
        self._covariance[joints] = 0.0
        self._speed_variance[joints] = fresh._speed_variance[joints]

    def scale(self, factors: Array) -> None:
        """Scales all pixels by (2,) ``factors``, after a change of the image's resolution."""
        mean = float(np.mean(factors))
        self.positions = self.positions * factors
        self.velocities = self.velocities * factors
        self.size *= mean
        self._variance = self._variance * mean**2
        self._covariance = self._covariance * mean**2
        self._speed_variance = self._speed_variance * mean**2

    def _noise(self, confidence: Array) -> Array:
        """(17,) variance of a measurement; grows as confidence falls."""
        return np.asarray((_MEASUREMENT_STD * self.size / np.clip(confidence, 0.1, 1.0)) ** 2)
