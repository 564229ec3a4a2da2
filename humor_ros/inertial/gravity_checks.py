"""What gravity says of an IMU: against its gyroscope, and against people who stand upright."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from humor_ros.inertial.imu_faults import ImuFault, ImuFaultKind
from humor_ros.inertial.turn_check import RateHistory
from humor_ros.types import Array

__all__ = ["SwingCheck", "UprightCheck"]

#: Gravity's direction is compared over steps of this long, for this many steps.
_STEP_S, _STEPS = 0.12, 25
#: Gyroscope over gravity: beyond it the gyroscope cannot be in rad/s; its rate must be this high,
#: because a gyroscope at rest has a bias, rad/s.
_TOO_FAST, _LEAST_RATE = 6.0, 0.2
#: A person counts who is this upright in the image, rad; people count once seen so often.
_UPRIGHT, _LEAST_SEEN, _SEEN = math.radians(40.0), 45, 90
#: Median angle between people and gravity that is wrong, and that is right again, rad.
_AGAINST, _WITH = math.radians(60.0), math.radians(45.0)


class SwingCheck:
    """Whether gravity swings in the IMU's axes as its gyroscope says; needs no camera.

    It tells degrees from radians alone: the accelerometer's own swing hides smaller errors.

    Attributes:
        fault: the unit is wrong; None where nothing is known.
    """

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float]] = deque(maxlen=_STEPS)
        self._sum: Array = np.zeros(3)
        self._count = 0
        self._start_s = math.inf
        self._up: tuple[float, Array] | None = None
        self.fault: ImuFault | None = None

    def forget(self) -> None:
        """The clock is another."""
        self._steps.clear()
        self._start_s, self._up, self.fault = math.inf, None, None

    def update(self, stamp_s: float, force: tuple[float, ...], history: RateHistory) -> None:
        """Take one acceleration, after the rates up to it.

        Args:
            stamp_s: on the images' clock, seconds.
            force: (3) IMU axes, in any unit.
            history: rates as they came.
        """
        if not self._start_s <= stamp_s <= self._start_s + 4.0 * _STEP_S:
            self._sum, self._count, self._start_s = np.zeros(3), 0, stamp_s
            self._up = None
        self._sum += force
        self._count += 1
        if stamp_s - self._start_s < _STEP_S:
            return
        middle_s = 0.5 * (self._start_s + stamp_s)
        length = float(np.linalg.norm(self._sum))
        up = self._sum / length if length > 0.0 else None
        before, self._up = self._up, None if up is None else (middle_s, up)
        self._sum, self._count, self._start_s = np.zeros(3), 0, stamp_s
        if up is None or before is None:
            return
        turned = history.turned(before[0], middle_s)
        if turned is None:
            return
        swung = math.acos(float(np.clip(before[1] @ up, -1.0, 1.0)))
        self._steps.append((float(np.linalg.norm(np.cross(turned, up))), swung))
        if len(self._steps) == _STEPS:
            said, seen = np.array(self._steps).sum(0)
            wrong = said > _LEAST_RATE * _STEP_S * _STEPS and said > _TOO_FAST * seen
            ratio = said / max(seen, 1e-6)
            self.fault = ImuFault(ImuFaultKind.RATE_IN_DEGREES, ratio) if wrong else None


class UprightCheck:
    """Whether gravity agrees with people who stand upright in the image.

    People lie, but nobody is upright in the image of a camera that lies on its side, or on its
    head: then the accelerometer or its mounting is wrong.

    Attributes:
        fault: gravity is wrong by so much; None where nothing is known.
    """

    def __init__(self) -> None:
        self._angles: deque[float] = deque(maxlen=_SEEN)
        self.fault: ImuFault | None = None

    def forget(self) -> None:
        """The mounting is another."""
        self._angles.clear()
        self.fault = None

    def update(self, person_up: Array, gravity_up: Array) -> None:
        """Look at one person.

        Args:
            person_up: (3,) unit vector from pelvis to neck, camera axes.
            gravity_up: (3,) unit vector of the specific force, camera axes.
        """
        if -float(person_up[1]) < math.cos(_UPRIGHT):
            return
        self._angles.append(math.acos(float(np.clip(person_up @ gravity_up, -1.0, 1.0))))
        if len(self._angles) < _LEAST_SEEN:
            return
        middle = float(np.median(self._angles))
        if middle > _AGAINST:
            self.fault = ImuFault(ImuFaultKind.GRAVITY_AGAINST_PEOPLE, middle)
        elif middle < _WITH:
            self.fault = None
