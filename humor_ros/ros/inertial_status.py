"""The state of the inertial filter in words: for diagnostics, and as parameters to copy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from humor_ros.inertial import InertialState, heading
from humor_ros.inertial.imu_faults import ImuFault
from humor_ros.ros.imu_reports import fault_message, fault_name
from humor_ros.ros.rotation_door import quaternion_xyzw_from_matrix
from humor_ros.types import Array, CameraMotion, CameraMotionMode

__all__ = ["calibration_facts", "calibration_parameters", "inertial_facts", "inertial_status"]


def inertial_facts(
    motion: CameraMotion | None, state: InertialState | None, values: Mapping[str, Any]
) -> dict[str, str]:
    """Attitude, biases and mode as of the last image.

    Args:
        motion: of the camera; None before the first image.
        state: of the filter; None before the first image.
        values: parameters of the tracker by name.
    """
    facts: dict[str, str] = {}
    if motion is not None:
        roll, pitch = _roll_pitch(motion.rotation_world_camera)
        std = np.degrees(np.sqrt(np.diag(motion.rotation_covariance)))
        facts |= {
            "mode": motion.mode.value,
            "gravity_known": str(motion.gravity_known).lower(),
            "position_known": str(motion.position_known).lower(),
            "roll_deg": f"{math.degrees(roll):.2f}",
            "pitch_deg": f"{math.degrees(pitch):.2f}",
            "heading_deg": f"{math.degrees(heading(motion.rotation_world_camera)):.2f}",
            "tilt_std_deg": f"{math.hypot(std[0], std[1]):.3f}",
            "heading_std_deg": f"{std[2]:.3f}",
        }
    if state is not None:
        facts |= {
            "gyroscope_bias_rad_s": _numbers(state.gyroscope_bias, 5),
            "gyroscope_bias_std_rad_s": _numbers(state.gyroscope_bias_std, 5),
            "accelerometer_bias_m_s2": _numbers(state.accelerometer_bias, 3),
            "camera_acceleration_std_m_s2": f"{state.acceleration_std:.3f}",
            "at_rest": str(state.at_rest).lower(),
            "background_corrects": str(state.seeing).lower(),
            "time_offset_s": f"{state.time_offset_s:.4f}",
            **calibration_facts(state, values),
        }
        if state.rotation_camera_imu is not None:
            facts["rotation_camera_imu_xyzw"] = _quaternion(state.rotation_camera_imu)
    return facts


def calibration_facts(state: InertialState, values: Mapping[str, Any]) -> dict[str, str]:
    """What self-calibration found, how sure it is, and as parameters to copy once it is.

    Args:
        state: of the filter.
        values: parameters of the tracker by name.
    """
    found = state.calibration
    if found is None:
        return {"calibration": "nothing found yet"}
    known = {(True, True): "confident", (False, False): "not yet certain"}.get(
        (found.confident_offset, found.confident_rotation), "partly certain"
    )
    applied = "applied" if values["imu.self_calibration"] else "not applied (imu.self_calibration)"
    facts = {
        "calibration": f"{known}, {found.turns} turns, {applied}",
        "calibration_time_offset_s": f"{values['imu.time_offset'] + found.time_offset_s:.4f}",
        "calibration_time_offset_std_s": f"{found.time_offset_std_s:.4f}",
        "calibration_rotation_xyzw": _quaternion(found.rotation_camera_imu),
        "calibration_rotation_std_deg": _numbers(np.degrees(found.rotation_std), 2),
    }
    parameters = calibration_parameters(state, values)
    if parameters is not None:
        facts["calibration_parameters"] = parameters
    return facts


def calibration_parameters(state: InertialState, values: Mapping[str, Any]) -> str | None:
    """Self-calibration as parameters to copy; None while it is not sure of all.

    Args:
        state: of the filter.
        values: parameters of the tracker by name.
    """
    found = state.calibration
    if found is None or not (found.confident_offset and found.confident_rotation):
        return None
    offset_s = values["imu.time_offset"] + found.time_offset_s
    bias = np.asarray(values["imu.gyroscope_bias"]) + found.gyroscope_bias
    return (
        "imu: {extrinsics: parameter, "
        f"rotation_camera_imu: [{_quaternion(found.rotation_camera_imu)}], "
        f"mounting_std: {float(np.max(found.rotation_std)):.4f}, "
        f"time_offset: {offset_s:.4f}, "
        f"time_offset_std: {found.time_offset_std_s:.4f}, "
        f"gyroscope_bias: [{_numbers(bias, 5)}]}}"
    )


def inertial_status(
    name: str, facts: Mapping[str, str], faults: Sequence[ImuFault], expected: bool
) -> DiagnosticStatus:
    """The status ``<node>: camera motion``.

    Args:
        name: of the node, with its namespace.
        facts: of :func:`inertial_facts`.
        faults: of the IMU, as they are now.
        expected: whether the IMU is asked for.
    """
    level, message = DiagnosticStatus.OK, facts.get("mode", "no image yet")
    if expected and message == CameraMotionMode.STATIC.value:
        level = DiagnosticStatus.WARN
        message = "no IMU in use: the camera counts as static"
    if facts.get("gravity_known") == "false" and expected:
        message += "; tilt is not measured, the camera counts as level"
    told = {fault_name(fault): fault_message(fault) for fault in faults}
    if told:
        level, message = DiagnosticStatus.WARN, "; ".join(told.values())
    items = {**facts, "faults": ", ".join(told) or "none"}
    return DiagnosticStatus(
        level=level,
        name=f"{name}: camera motion",
        message=message,
        hardware_id=name,
        values=[KeyValue(key=key, value=value) for key, value in items.items()],
    )


def _roll_pitch(rotation_world_camera: Array) -> tuple[float, float]:
    """Turn of the image about the optical axis, clockwise as seen, and of that axis above level."""
    up = rotation_world_camera[2]
    return math.atan2(-up[0], -up[1]), math.asin(float(np.clip(up[2], -1.0, 1.0)))


def _numbers(values: Array, digits: int) -> str:
    return ", ".join(f"{float(value):.{digits}f}" for value in values)


def _quaternion(rotation: Array) -> str:
    return _numbers(quaternion_xyzw_from_matrix(rotation), 5)
