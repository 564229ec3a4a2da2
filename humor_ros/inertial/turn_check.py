"""Whether the gyroscope turns as the camera sees itself turn: its unit and its axes.

Turns between two looks at the background are fitted without the gyroscope. Lengths tell the unit
(degrees are 57 times radians); directions tell the axes: the orthogonal matrix that brings the
gyroscope's turns nearest to the seen ones (Schönemann 1966) is the mounting, or, where it mirrors,
a driver with an axis of wrong sign.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from humor_ros.inertial.background import BackgroundPoints
from humor_ros.inertial.imu_faults import ImuFault, ImuFaultKind
from humor_ros.inertial.so3 import log_so3
from humor_ros.inertial.visual_rotation import LEAST_POINTS, fit_turn
from humor_ros.types import Array

__all__ = ["RateHistory", "TurnCheck"]

#: Turns that are kept, and how many must be there for a verdict.
_TURNS, _LEAST_TURNS = 40, 12
#: Equal verdicts in a row that make, and that end a fault.
_AGREEING, _CLEARING = 4, 10
#: A slower turn tells nothing, and a faster one of the gyroscope alone does, rad/s.
_LEAST_SEEN, _LEAST_RATE = 0.06, 0.3
#: So many turns in a row at such a rate and so much faster than what was seen leave no doubt.
_GLARING_TURNS, _GLARING_RATE, _GLARING = 3, 3.0, 10.0
#: The longest interval between two looks, seconds.
_LONGEST_S = 0.6
#: Gyroscope over camera: degrees are 57.3 times radians; a scale is never off by more than this.
_DEGREES, _SCALE = (30.0, 110.0), 3.0
#: Share of the turns' squared length that a wrong mounting leaves, and a right one may leave.
_WRONG, _FITS = 0.5, 0.25
#: Third singular value over the first from which handedness shows.
_THREE_AXES = 0.02
#: With turns that agree only every n-th pair of looks is fitted: a fit costs a few milliseconds.
_SELDOM = 12


class RateHistory:
    """Rates of the last second or so, to be integrated between any two instants.

    Args:
        horizon_s: how much is kept, seconds.
    """

    def __init__(self, horizon_s: float = 1.5) -> None:
        self._horizon_s = horizon_s
        self._stamps: deque[float] = deque()
        self._rates: deque[tuple[float, ...]] = deque()

    def add(self, stamp_s: float, rate: tuple[float, ...]) -> None:
        """Append a sample; one that does not follow the last begins anew where time went back.

        Args:
            stamp_s: on the images' clock, seconds.
            rate: (3) as it came, IMU axes.
        """
        if self._stamps and stamp_s <= self._stamps[-1]:
            if stamp_s < self._stamps[-1] - self._horizon_s:
                self.clear()
            else:
                return
        self._stamps.append(stamp_s)
        self._rates.append(rate)
        while stamp_s - self._stamps[0] > self._horizon_s:
            self._stamps.popleft()
            self._rates.popleft()

    def clear(self) -> None:
        """Forget all."""
        self._stamps.clear()
        self._rates.clear()

    def turned(self, start_s: float, end_s: float) -> Array | None:
        """Integral of the rates, without regard for the order of turns.

        Args:
            start_s: seconds.
            end_s: seconds.

        Returns:
            (3,) IMU axes, in the rates' unit times seconds; None where samples do not cover it.
        """
        stamps = np.array(self._stamps)
        if len(stamps) < 4 or stamps[0] > start_s or stamps[-1] < end_s - 0.02:
            return None
        rates = np.array(self._rates)
        sums = np.zeros((len(stamps), 3))
        sums[1:] = np.cumsum(0.5 * (rates[1:] + rates[:-1]) * np.diff(stamps)[:, None], axis=0)
        turned: Array = np.array(
            [np.subtract(*np.interp((end_s, start_s), stamps, sums[:, axis])) for axis in range(3)]
        )
        return turned


class TurnCheck:
    """Compares turns of the gyroscope with those seen.

    Args:
        noise: of a background point in one image and axis, on the image plane.

    Attributes:
        fault: what is wrong with unit or axes, None where nothing is known to be.
    """

    def __init__(self, noise: float) -> None:
        self._noise = noise
        self._points: BackgroundPoints | None = None
        self._pairs: deque[tuple[Array, Array, float]] = deque(maxlen=_TURNS)
        self._glaring = 0
        self._verdict: ImuFaultKind | None = None
        self._agreeing = 0
        self._looks = 0
        self.agrees = False
        self.fault: ImuFault | None = None

    def forget(self) -> None:
        """The clock or the mounting is another: what was collected is void."""
        self._points = None
        self._pairs.clear()
        self._verdict, self._agreeing = None, 0
        self.agrees = False
        self.fault = None

    def doubt(self) -> None:
        """Another witness says that something is wrong: look at every turn again."""
        self.agrees, self._agreeing = False, 0
        self._pairs.clear()

    def look(self, points: BackgroundPoints, history: RateHistory, mounting: Array) -> None:
        """Compare the turn since the last look.

        Args:
            points: of the image now.
            history: rates as they came.
            mounting: (3, 3) camera<-imu as it was told.
        """
        before, self._points = self._points, points
        self._looks += 1
        if before is None or (self.agrees and self._looks % _SELDOM):
            return
        interval_s = points.stamp_s - before.stamp_s
        if not 0.0 < interval_s <= _LONGEST_S:
            return
        turned = history.turned(before.stamp_s, points.stamp_s)
        if turned is None:
            return
        _, then, now = np.intersect1d(before.ids, points.ids, return_indices=True)
        if len(then) < 2 * LEAST_POINTS:
            return
        seen = fit_turn(before.rays[then], points.rays[now], np.eye(3), self._noise, rough=True)
        if seen is None:
            return
        vector = log_so3(seen.rotation)
        sigma = math.sqrt(float(np.trace(seen.covariance)) / 3.0)
        length, rate = float(np.linalg.norm(vector)), float(np.linalg.norm(turned)) / interval_s
        if length < max(4.0 * sigma, _LEAST_SEEN * interval_s) and rate < _LEAST_RATE:
            return
        self._pairs.append((turned, vector, sigma))
        apart = rate * interval_s > _GLARING * max(length, 2.0 * sigma)
        self._glaring = self._glaring + 1 if apart and rate > _GLARING_RATE else 0
        if self._glaring == _GLARING_TURNS:
            self.fault = self._compare(mounting, _GLARING_TURNS)
            self.agrees, self._agreeing = False, 0
        elif len(self._pairs) >= _LEAST_TURNS:
            self._judge(mounting)

    def _judge(self, mounting: Array) -> None:
        # Whether a fault is mended the newest turns tell.
        fault = self._compare(mounting, _LEAST_TURNS if self.fault else _TURNS)
        kind = None if fault is None else fault.kind
        self._agreeing = self._agreeing + 1 if kind is self._verdict else 1
        self._verdict = kind
        if fault is not None and self._agreeing >= _AGREEING:
            self.fault = fault
        if fault is None and self._agreeing >= _CLEARING:
            self.fault = None
        self.agrees = fault is None and self._agreeing >= _CLEARING

    def _compare(self, mounting: Array, newest: int) -> ImuFault | None:
        pairs = list(self._pairs)[-newest:]
        turned = np.array([pair[0] for pair in pairs])
        seen = np.array([pair[1] for pair in pairs])
        sigma = np.array([pair[2] for pair in pairs])
        lengths = np.linalg.norm(seen, axis=1)
        ratio = float(np.linalg.norm(turned, axis=1).sum() / np.maximum(lengths, 2.0 * sigma).sum())
        if _DEGREES[0] <= ratio <= _DEGREES[1]:
            return ImuFault(ImuFaultKind.RATE_IN_DEGREES, ratio)
        if ratio > _SCALE or ratio < 1.0 / _SCALE:
            return ImuFault(ImuFaultKind.RATE_SCALE, ratio)
        total = float(np.square(seen).sum())
        if float(np.square(seen - turned @ mounting.T).sum()) < _WRONG * total:
            return None
        left, sizes, right = np.linalg.svd(seen.T @ turned)
        best = left @ right
        if np.linalg.det(best) < 0.0 and sizes[2] < _THREE_AXES * sizes[0]:
            # Two axes leave the third free: take the one that does not mirror.
            best = left @ np.diag([1.0, 1.0, -1.0]) @ right
        if float(np.square(seen - turned @ best.T).sum()) > _FITS * total:
            return None
        if np.linalg.det(best) < 0.0:
            return ImuFault(ImuFaultKind.AXES_MIRRORED, math.pi)
        angle = float(np.linalg.norm(log_so3(best @ mounting.T)))
        known = sizes[1] > _THREE_AXES * sizes[0]
        return ImuFault(ImuFaultKind.AXES_TURNED, angle, best if known else None)
