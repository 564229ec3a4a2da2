"""What the smoother's ``/diagnostics`` say once a second."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from humor_ros.humor.common_ground import ground_plane
from humor_ros.ros.smoother_worker import SmootherWorker

__all__ = ["STATUS_NAME", "SmootherStatus"]

STATUS_NAME = "motion smoothing"
#: Counters whose growth means that the tracker's motion was told in place of a refined one.
_UNREFINED = ("fallbacks", "hops_failed", "people_shed", "pauses", "images_told_late")


class SmootherStatus:
    """Makes the message of each second, and remembers the counters of the last one.

    Args:
        name: of the node, with its namespace.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._before: dict[str, int] = {}

    def message(
        self,
        stamp: Time,
        worker: SmootherWorker | None,
        troubles: Mapping[str, int],
        facts: Mapping[str, str],
        failure: str,
    ) -> DiagnosticArray:
        """The message of this second.

        Args:
            stamp: now.
            worker: None while the node is not active.
            troubles: counters of the reporter.
            facts: files, settings and libraries.
            failure: why the node could not be configured; empty when it was not tried or worked.
        """
        values: dict[str, str] = {"active": str(worker is not None).lower()}
        counts: dict[str, int] = {}
        waiting, paused = True, False
        if worker is not None:
            seen = worker.snapshot()
            counts = seen["counts"] | {
                "messages_received": worker.queue.received,
                "messages_dropped": worker.queue.overflowed,
            }
            values |= _times(worker) | _people(seen)
            waiting = worker.message_at_s == float("-inf")
            paused = bool(seen["people"]) and seen["paused"]
        grown = {
            key: value - self._before.get(key, 0)
            for key, value in (counts | dict(troubles)).items()
            if value > self._before.get(key, 0)
        }
        self._before = counts | dict(troubles)
        values |= {key: str(value) for key, value in sorted(counts.items())}
        values |= {key: str(value) for key, value in sorted(troubles.items())}
        values |= dict(facts)
        if failure:
            values["failure"] = failure
        level, summary = _judge(worker is not None, waiting, paused, grown, set(troubles), failure)
        status = DiagnosticStatus(
            level=level,
            name=f"{self._name}: {STATUS_NAME}",
            message=summary,
            hardware_id=self._name,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        return DiagnosticArray(header=Header(stamp=stamp), status=[status])


def _times(worker: SmootherWorker) -> dict[str, str]:
    now_s = time.monotonic()
    told, hops = worker.times.summary(now_s), worker.hops.summary(now_s)
    ahead, rolled = worker.forecasts.summary(now_s), worker.roll_outs.summary(now_s)
    age_s = now_s - worker.message_at_s
    values = {
        "rate_hz": told["rate_hz"],
        "latency_p50_s": told["latency_p50_s"],
        "latency_p99_s": told["latency_p99_s"],
        "lag_p50_s": told["busy_p50_s"],
        "message_age_s": age_s if age_s >= 0.0 else math.inf,
        "hops_hz": hops["rate_hz"],
        "solver_time_p50_s": hops["busy_p50_s"],
        "iterations_p50": hops["latency_p50_s"],
        "forecast_rate_hz": ahead["rate_hz"],
        "forecast_age_p50_s": ahead["latency_p50_s"],
        "forecast_time_p50_s": ahead["busy_p50_s"],
        "roll_out_rate_hz": rolled["rate_hz"],
        "roll_out_time_p50_s": rolled["busy_p50_s"],
    }
    return {key: f"{value:.4g}" for key, value in values.items()}


def _people(seen: Mapping[str, Any]) -> dict[str, str]:
    names = (
        *("people", "people_smoothed", "people_at_most", "people_off_the_ground"),
        *("paused", "images_waiting", "frames_behind"),
    )
    values = {name: str(seen[name]).lower() for name in names}
    ground = seen["ground"]
    if ground is None:
        return values | {"ground": "unknown"}
    x, y, z, offset = ground_plane(ground).tolist()
    return values | {"ground": f"normal {x:.3f} {y:.3f} {z:.3f}, offset {offset:.3f} m"}


def _judge(
    active: bool,
    waiting: bool,
    paused: bool,
    grown: Mapping[str, int],
    troubles: set[str],
    failure: str,
) -> tuple[bytes, str]:
    """Level and a sentence: the worst thing first."""
    if failure:
        return DiagnosticStatus.ERROR, f"cannot be configured: {failure}"
    if not active:
        return DiagnosticStatus.WARN, "not active: configure and activate the node"
    if waiting:
        return DiagnosticStatus.WARN, "no message yet on the topic of the tracker's humans"
    bad = sum(grown.get(key, 0) for key in troubles)
    if bad:
        return DiagnosticStatus.WARN, f"{bad} inputs with trouble in the last second"
    if paused:
        return (
            DiagnosticStatus.WARN,
            "no time to smooth anybody: all are told as tracked for now; give the node more of a "
            "processor, or the tracker less to do",
        )
    unrefined = [f"{key} {grown[key]}" for key in _UNREFINED if key in grown]
    if unrefined:
        return (
            DiagnosticStatus.WARN,
            f"the tracker's motion was told for some: {', '.join(unrefined)} in the last second",
        )
    skipped = grown.get("hops_skipped", 0)
    if skipped:
        return DiagnosticStatus.OK, f"smoothing; busy, {skipped} hops skipped in the last second"
    return DiagnosticStatus.OK, "smoothing"
