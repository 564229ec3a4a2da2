"""Collects the state of a tracker node for diagnostics."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from humor_ros.features.feature_report import FeatureStatus
from humor_ros.human_names import person_name
from humor_ros.ros import image_door, rep155, rotation_door, tf_door
from humor_ros.ros.diagnostics import Snapshot
from humor_ros.ros.imu_reports import fault_name
from humor_ros.ros.inertial_status import inertial_facts, inertial_status
from humor_ros.ros.tracker_inputs import TrackerInputs
from humor_ros.ros.tracking_worker import TrackingWorker

__all__ = ["active_snapshot", "feature_facts", "idle_snapshot", "motion_status"]


def idle_snapshot(troubles: Mapping[str, int], failure: str) -> Snapshot:
    """Of a node that is not active.

    Args:
        troubles: counters of the reporter.
        failure: why it could not be configured; empty when it was not tried or worked.
    """
    return Snapshot(
        active=False,
        frames={},
        image_age_s=float("inf"),
        camera="unknown",
        camera_mode="",
        people=0,
        imu_age_s=float("inf"),
        imu_expected=False,
        pose_age_s=float("inf"),
        pose_expected=False,
        totals={},
        troubles=troubles,
        facts={"failure": failure} if failure else {},
    )


def active_snapshot(
    worker: TrackingWorker,
    inputs: TrackerInputs,
    values: Mapping[str, Any],
    troubles: Mapping[str, int],
) -> Snapshot:
    """Of a node that is at work.

    Args:
        worker: its worker.
        inputs: its queues.
        values: its parameters by name.
        troubles: counters of the reporter.
    """
    result = worker.last_result
    totals = {
        "images_received": inputs.frames.received,
        "images_processed": worker.times.processed,
        "images_dropped": inputs.frames.replaced,
        "images_skipped": worker.skipped,
        "images_without_closing_imu": worker.imu_late,
    }
    if inputs.imu is not None:
        totals["imu_received"] = inputs.imu.received
        totals["imu_overflowed"] = inputs.imu.overflowed
        totals["imu_clock_dropped"] = inputs.imu.clock_dropped
        if inputs.imu.magnetic is not None:
            totals["magnetic_received"] = inputs.imu.magnetic.received
        if inputs.imu.accel is not None:
            totals["accel_received"] = inputs.imu.accel.received
            totals["gyro_without_accel"] = inputs.imu.accel.bare
    return Snapshot(
        active=True,
        frames=worker.times.summary(time.monotonic()),
        image_age_s=inputs.image_age_s(),
        camera=inputs.camera.status.value,
        camera_mode=result.camera.mode.value if result else "",
        people=len(result.humans) if result else 0,
        imu_age_s=worker.imu_age_s,
        imu_expected=inputs.imu is not None,
        pose_age_s=inputs.poses.age_s if inputs.poses is not None else float("inf"),
        pose_expected=inputs.poses is not None,
        totals=totals,
        troubles={**worker.counters, **troubles},
        facts={
            "device": "cpu",
            "detector": values["detector.kind"],
            "weights": values["weights_path"] or "packaged",
            "body": values["body_path"] or "packaged",
            "threads": str(values["threads"]),
            "tf": tf_door.BACKEND,
            "image_decoder": image_door.BACKEND,
            "rotations": rotation_door.BACKEND,
            **feature_facts(worker.feature_status, values),
            "imu_faults": ", ".join(fault_name(fault) for fault in worker.imu_faults) or "none",
            "hri_msgs": "yes" if rep155.HAS_HRI_MSGS else "no (roi, skeleton2d, tracked off)",
        },
    )


def motion_status(
    name: str, worker: TrackingWorker, inputs: TrackerInputs, values: Mapping[str, Any]
) -> DiagnosticStatus:
    """The camera's motion: attitude, biases, calibration, faults of the IMU.

    Args:
        name: of the node, with its namespace.
        worker: its worker.
        inputs: its queues.
        values: its parameters by name.
    """
    result = worker.last_result
    facts = inertial_facts(result.camera if result else None, worker.inertial_state, values)
    return inertial_status(name, facts, worker.imu_faults, inputs.imu is not None)


def feature_facts(status: FeatureStatus, values: Mapping[str, Any]) -> dict[str, str]:
    """Mode and rate of the image encoder, and how old each person's last feature is.

    Args:
        status: at the last image.
        values: parameters of the tracker by name.
    """
    flip = {"flip_averaging": str(values["flip_averaging"]).lower()}
    if not values["features.encoder_path"]:
        return {"features_mode": "off (no features.encoder_path)", **flip}
    ages = {
        f"feature_age_s.{person_name(track)}": f"{age:.3g}" if math.isfinite(age) else "none yet"
        for track, age in status.ages_s.items()
    }
    return {
        "features_mode": f"{status.mode}, {values['features.dtype']} on "
        f"{values['features.device']}, {values['features.missing']} between features",
        "features_rate_hz": f"{status.rate_hz:.3g}",
        **ages,
        **flip,
    }
