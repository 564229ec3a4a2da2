"""What an IMU says between two images, in a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.integration import RateSample
from humor_ros.types import Array

__all__ = ["ForceSample", "InertialInterval", "is_plausible", "summarised"]

#: Share of gravity by which a specific force may differ from it at all.
_PLAUSIBLE = 0.25


@dataclass(frozen=True, eq=False)
class ForceSample:
    """One accelerometer sample, turned into the reference frame.

    Attributes:
        force: (3,) specific force, m/s².
        rate: norm of the angular velocity, rad/s.
        interval_s: time since the sample before (at most ``max_gap_s``), seconds.
        rotation: (3, 3) IMU axes to the reference frame.
    """

    force: Array
    rate: float
    interval_s: float
    rotation: Array


@dataclass(frozen=True, eq=False)
class InertialInterval:
    """What the IMU said between two images.

    Attributes:
        uncovered_s: seconds of the interval in which nothing was measured.
        count: samples passed on the way.
        rotation: (3, 3) IMU axes to the reference frame, in the middle.
        turned: angle turned, summed over the samples, rad.
        rate: (3,) mean turn rate, known bias taken off, IMU axes, rad/s.
        rate_spread: root mean square of the samples around it, all axes together, rad/s.
        force: (3,) mean plausible specific force in the reference frame, m/s², or None.
        force_s: seconds that it averages.
        force_spread: root mean square of the samples around it, m/s².
        implausible: samples whose specific force was far from gravity.
    """

    uncovered_s: float
    count: int = 0
    rotation: Array = field(default_factory=lambda: np.eye(3))
    turned: float = 0.0
    rate: Array = field(default_factory=lambda: np.zeros(3))
    rate_spread: float = 0.0
    force: Array | None = None
    force_s: float = 0.0
    force_spread: float = 0.0
    implausible: int = 0


def is_plausible(norm: float, gravity: float) -> bool:
    """Whether a specific force can be gravity and a camera's own acceleration.

    Args:
        norm: of the specific force, m/s².
        gravity: m/s².
    """
    return abs(norm / gravity - 1.0) <= _PLAUSIBLE


def summarised(
    uncovered_s: float,
    samples: Sequence[RateSample],
    attitudes: Sequence[Array],
    bias: Array,
    before_s: float,
    config: InertialConfig,
) -> InertialInterval:
    """Means and spreads of the samples between two images.

    Args:
        uncovered_s: seconds without any measurement.
        samples: in order.
        attitudes: of the IMU at each sample, (3, 3) to the reference frame.
        bias: (3,) taken off the rates, rad/s.
        before_s: stamp of the sample before them, seconds.
        config: gravity and the longest gap.
    """
    if not samples:
        return InertialInterval(uncovered_s)
    gap = config.max_gap_s
    stamps = [before_s, *(item.stamp_s for item in samples)]
    steps = np.clip(np.diff(stamps), 1e-4, gap)
    rates = np.array([item.rate for item in samples]) - bias
    mean = rates.mean(0)
    gravity = config.gravity
    forces, rows, implausible = [], [], 0
    for row, item in enumerate(samples):
        if item.acceleration is None:
            continue
        if is_plausible(math.sqrt(float(item.acceleration @ item.acceleration)), gravity):
            forces.append(attitudes[row] @ item.acceleration)
            rows.append(row)
        else:
            implausible += 1
    force, force_s, force_spread = None, 0.0, 0.0
    if forces:
        values, weights = np.array(forces), steps[rows]
        force_s = float(weights.sum())
        force = weights @ values / force_s
        force_spread = math.sqrt(float(np.square(values - force).sum()) / len(values))
    return InertialInterval(
        uncovered_s=uncovered_s,
        count=len(samples),
        rotation=attitudes[len(attitudes) // 2],
        turned=float(np.sqrt(np.square(rates).sum(1)) @ steps),
        rate=mean,
        rate_spread=math.sqrt(float(np.square(rates - mean).sum()) / len(rates)),
        force=force,
        force_s=force_s,
        force_spread=force_spread,
        implausible=implausible,
    )
