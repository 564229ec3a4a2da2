"""Exact integration of gyroscope samples between two instants.

Rates are linear in time between samples, so that the ends of the interval (the exposure
times of two images) are met exactly. Over one such piece the rotation vector is the mean
rate times the duration plus the coning term h²/12 (w0 x w1), the second term of the Magnus
series for R' = R [w]x (Iserles & Norsett 1999), exact to fourth order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humor_ros.inertial.so3 import exp_so3
from humor_ros.types import Array

__all__ = ["RateSample", "Segment", "cumulative_rotations", "rate_segments", "uncovered_time"]

_ZERO = np.zeros(3)


@dataclass(frozen=True)
class RateSample:
    """One inertial sample as it is kept until it has been integrated.

    Attributes:
        stamp_s: time on the images' clock, seconds.
        rate: (3,) angular velocity in IMU axes, bias taken off, rad/s.
        acceleration: (3,) specific force in IMU axes, m/s², or None.
    """

    stamp_s: float
    rate: Array
    acceleration: Array | None = None


@dataclass(frozen=True)
class Segment:
    """A piece of time with a rate that is linear in time.

    Attributes:
        start_s: start, seconds.
        end_s: end, seconds.
        rate_start: (3,) rad/s at the start.
        rate_end: (3,) rad/s at the end.
        covered: False where nothing was measured (the rate is zero there).
        sample: the sample that stands at the end of the piece, if one does.
    """

    start_s: float
    end_s: float
    rate_start: Array
    rate_end: Array
    covered: bool = True
    sample: RateSample | None = None


def rate_segments(
    samples: Sequence[RateSample], start_s: float, end_s: float, max_gap_s: float
) -> list[Segment]:
    """Cut an interval into pieces of linear rate.

    Silences of up to ``max_gap_s`` between samples are interpolated. Over longer ones, and
    after the newest sample, the last rate is held for ``max_gap_s`` and nothing is covered
    after that. Before the first sample its rate is held backwards, if it is that near.

    Args:
        samples: ordered by strictly increasing stamp; those outside the interval serve
            as its interpolation partners.
        start_s: start of the interval, seconds.
        end_s: end of the interval, seconds.
        max_gap_s: longest silence to bridge, seconds.

    Returns:
        pieces in order, without holes, from ``start_s`` to ``end_s``.
    """
    if end_s <= start_s:
        return []
    if not samples:
        return [Segment(start_s, end_s, _ZERO, _ZERO, covered=False)]
    pieces: list[Segment] = []
    first = samples[0]
    if start_s < first.stamp_s:
        near = first.stamp_s - start_s <= max_gap_s
        rate = first.rate if near else _ZERO
        end = min(first.stamp_s, end_s)
        at_end = first if end == first.stamp_s else None
        pieces.append(Segment(start_s, end, rate, rate, near, at_end))
    for before, after in zip(samples, [*list(samples)[1:], None], strict=True):
        if before.stamp_s >= end_s or (after is not None and after.stamp_s <= start_s):
            continue
        pieces.extend(_between(before, after, start_s, end_s, max_gap_s))
    return pieces


def _between(
    before: RateSample, after: RateSample | None, start_s: float, end_s: float, max_gap_s: float
) -> list[Segment]:
    """Pieces of the interval that lie between two neighbouring samples (or after the last)."""
    low = max(before.stamp_s, start_s)
    high = end_s if after is None else min(after.stamp_s, end_s)
    at_end = after if after is not None and high == after.stamp_s else None
    if after is not None and after.stamp_s - before.stamp_s <= max_gap_s:
        slope = (after.rate - before.rate) / (after.stamp_s - before.stamp_s)
        rate_low = before.rate + slope * (low - before.stamp_s)
        rate_high = before.rate + slope * (high - before.stamp_s)
        return [Segment(low, high, rate_low, rate_high, True, at_end)]
    held_until = before.stamp_s + max_gap_s
    if held_until >= high:
        return [Segment(low, high, before.rate, before.rate, True, at_end)]
    silent = Segment(max(low, held_until), high, _ZERO, _ZERO, False, at_end)
    if held_until <= low:
        return [silent]
    return [Segment(low, held_until, before.rate, before.rate), silent]


def cumulative_rotations(
    segments: Sequence[Segment], rotation_camera_imu: Array, bias: Array = _ZERO
) -> list[Array]:
    """Rotation from the start of the first piece to the end of each piece.

    Args:
        segments: as :func:`rate_segments` gives them.
        rotation_camera_imu: (3, 3) turns the rates into camera axes.
        bias: (3,) taken off the rates where something was measured, IMU axes, rad/s.

    Returns:
        for each piece, (3, 3): maps vectors of the camera frame at the piece's end to the
        camera frame at the start of the first piece.
    """
    if not segments:
        return []
    duration = np.array([[piece.end_s - piece.start_s] for piece in segments])
    measured = np.array([[piece.covered] for piece in segments]) * bias
    rate_start = np.array([piece.rate_start for piece in segments]) - measured
    rate_end = np.array([piece.rate_end for piece in segments]) - measured
    coning = np.cross(rate_start, rate_end) * (duration * duration / 12.0)
    vectors = 0.5 * duration * (rate_start + rate_end) + coning
    steps = exp_so3(vectors @ rotation_camera_imu.T)
    total = steps[0]
    rotations = [total]
    for step in steps[1:]:
        total = total @ step
        rotations.append(total)
    return rotations


def uncovered_time(segments: Sequence[Segment], start_s: float, end_s: float) -> float:
    """Seconds of an interval in which nothing was measured.

    Args:
        segments: pieces that span the interval.
        start_s: start of the interval, seconds.
        end_s: end of the interval, seconds.

    Returns:
        seconds, 0 where the samples cover it all.
    """
    return sum(
        max(0.0, min(piece.end_s, end_s) - max(piece.start_s, start_s))
        for piece in segments
        if not piece.covered
    )
