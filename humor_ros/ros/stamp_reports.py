"""What people are told of the stamps of their IMU: bursts and jumps of its clock."""

from __future__ import annotations

from humor_ros.inertial.stamp_watch import ClockPair
from humor_ros.ros.reports import Reporter

__all__ = ["StampReports"]


class StampReports:
    """Tells what has happened to the clocks since the last image.

    Args:
        reporter: tells it seldom, and counts.
        clocks: of IMU and images.
    """

    def __init__(self, reporter: Reporter, clocks: ClockPair) -> None:
        self._reporter = reporter
        self._clocks = clocks
        self._bursts = self._jumps = 0

    def tell(self) -> None:
        """Once an image."""
        watch, apart_s = self._clocks.imu, self._clocks.apart_s
        bursts, self._bursts = watch.bursts - self._bursts, watch.bursts
        if bursts:
            self._reporter.say(
                "imu_bursts",
                "topic imu: many samples arrive late and at once; the image before them went "
                "without; let the driver send each sample (smaller batches, latency timer of a "
                "USB serial port to 1 ms), or raise imu.wait",
                count=bursts,
            )
        jumps, self._jumps = watch.jumps - self._jumps, watch.jumps
        if jumps:
            self._reporter.say(
                "imu_clock_jumps",
                f"topic imu: the clock of the stamps jumped ({watch.jumped_s:+.1f} s in all); let "
                "the driver stamp by the system's clock",
                count=jumps,
            )
        if apart_s:
            self._reporter.say(
                "imu_clock_apart",
                f"topic imu: its clock and that of the images jumped apart ({apart_s:+.1f} s); the "
                "IMU is not used until they fit again; restart the driver, or let both stamp by "
                "the system's clock",
            )
