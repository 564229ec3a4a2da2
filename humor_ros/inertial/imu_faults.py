"""What can be wrong with an IMU, as a value that diagnostics and people are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from humor_ros.types import Array

__all__ = ["HARMFUL_TO_RATES", "ImuFault", "ImuFaultKind"]


class ImuFaultKind(str, Enum):
    """Kinds of fault, each with a remedy of its own."""

    GYROSCOPE_STUCK = "gyroscope_stuck"
    ACCELEROMETER_STUCK = "accelerometer_stuck"
    GYROSCOPE_SATURATED = "gyroscope_saturated"
    ACCELEROMETER_SATURATED = "accelerometer_saturated"
    ACCELERATION_IN_G = "acceleration_in_g"
    ACCELERATION_WITHOUT_GRAVITY = "acceleration_without_gravity"
    ACCELERATION_SCALE = "acceleration_scale"
    RATE_IN_DEGREES = "rate_in_degrees"
    RATE_SCALE = "rate_scale"
    AXES_TURNED = "axes_turned"
    AXES_MIRRORED = "axes_mirrored"
    GRAVITY_AGAINST_PEOPLE = "gravity_against_people"


#: Faults that make the gyroscope worse than none.
HARMFUL_TO_RATES = frozenset(
    {
        ImuFaultKind.GYROSCOPE_STUCK,
        ImuFaultKind.RATE_IN_DEGREES,
        ImuFaultKind.RATE_SCALE,
        ImuFaultKind.AXES_TURNED,
        ImuFaultKind.AXES_MIRRORED,
    }
)


@dataclass(frozen=True, eq=False)
class ImuFault:
    """A fault that is there now.

    Attributes:
        kind: what is wrong.
        value: how much: the factor by which rates or accelerations are too large, an angle in
            rad, or a full scale in the sensor's unit.
        rotation_camera_imu: (3, 3) mounting that would fit, where one is known.
    """

    kind: ImuFaultKind
    value: float
    rotation_camera_imu: Array | None = None
