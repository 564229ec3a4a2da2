"""ROS time stamps and seconds."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Time

__all__ = ["seconds_from_stamp", "stamp_from_seconds"]


def seconds_from_stamp(stamp: Time) -> float:
    """Seconds since the epoch of the clock; exact to 0.3 microseconds in this century."""
    return stamp.sec + 1e-9 * stamp.nanosec


def stamp_from_seconds(seconds: float) -> Time:
    """The stamp of a time in seconds.

    Raises:
        ValueError: if ``seconds`` is not finite or does not fit the message.
    """
    if not math.isfinite(seconds) or not -(2**31) <= seconds < 2**31:
        raise ValueError(f"a ROS stamp cannot hold {seconds} s")
    whole = math.floor(seconds)
    nanoseconds = round((seconds - whole) * 1e9)
    if nanoseconds == 1_000_000_000:
        whole, nanoseconds = whole + 1, 0
    return Time(sec=whole, nanosec=nanoseconds)
