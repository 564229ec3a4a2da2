"""What people are told of faults of their IMU: what was seen, and what mends it."""

from __future__ import annotations

import math

from humor_ros.inertial.imu_faults import ImuFault, ImuFaultKind
from humor_ros.ros.rotation_door import quaternion_xyzw_from_matrix

__all__ = ["fault_message", "fault_name"]

_UNUSED = "it is not used meanwhile"
_WITHOUT_FORCE = "tilt rests on the gyroscope meanwhile"

_MESSAGES: dict[ImuFaultKind, str] = {
    ImuFaultKind.GYROSCOPE_STUCK: "the gyroscope gives the same values for ever (the largest is "
    "{value:.3g} rad/s); " + _UNUSED + "; restart the driver, check the cable. A simulated IMU "
    "needs noise, or imu.fault_detection false",
    ImuFaultKind.ACCELEROMETER_STUCK: "the accelerometer gives the same values for ever; "
    + _WITHOUT_FORCE
    + "; restart the driver, check that it is enabled. A simulated one needs noise",
    ImuFaultKind.GYROSCOPE_SATURATED: "the gyroscope is at the end of its scale ({value:.3g} "
    "rad/s); turns are underrated; choose a larger range in the driver, damp the mount",
    ImuFaultKind.ACCELEROMETER_SATURATED: "the accelerometer is at the end of its scale "
    "({value:.3g} m/s^2); those samples are not used for tilt; choose a larger range in the "
    "driver, damp the mount",
    ImuFaultKind.ACCELERATION_IN_G: "accelerations seem to be in g (gravity is {value:.3g} of what "
    "it should be; REP-145 wants m/s^2); " + _WITHOUT_FORCE + "; mend the driver, or set the "
    "parameter imu.linear_acceleration_unit to g",
    ImuFaultKind.ACCELERATION_WITHOUT_GRAVITY: "accelerations hold no gravity (REP-145 wants the "
    "specific force, 9.8 m/s^2 upwards at rest); "
    + _WITHOUT_FORCE
    + "; let the driver publish raw accelerations, not gravity-compensated ones",
    ImuFaultKind.ACCELERATION_SCALE: "accelerations are {value:.3g} times what gravity is; "
    + _WITHOUT_FORCE
    + "; mend the driver's scale (REP-145 wants m/s^2)",
    ImuFaultKind.RATE_IN_DEGREES: "angular velocities seem to be in deg/s ({value:.0f} times what "
    "camera or gravity turn by; REP-145 wants rad/s); " + _UNUSED + "; mend the driver, or set "
    "the parameter imu.angular_velocity_unit to deg/s",
    ImuFaultKind.RATE_SCALE: "angular velocities are {value:.2g} times what the camera turns by; "
    + _UNUSED
    + "; mend the driver's scale (REP-145 wants rad/s), and check that this IMU is fixed to this "
    "camera",
    ImuFaultKind.AXES_TURNED: "its axes are {degrees:.0f} deg off what the camera sees; "
    + _UNUSED
    + "; correct the frame_id or the transform camera<-imu{mounting}",
    ImuFaultKind.AXES_MIRRORED: "its axes are mirrored: one axis (or all three) has the wrong sign "
    "against what the camera sees, and no mounting mends that; " + _UNUSED + "; mend the signs in "
    "the driver (REP-103 wants right-handed axes)",
    ImuFaultKind.GRAVITY_AGAINST_PEOPLE: "gravity is {degrees:.0f} deg off people who stand "
    "upright in the image: axes of the accelerometer are flipped, or the transform camera<-imu is "
    "wrong; correct the frame_id, the transform or the driver's signs (REP-145: 9.8 m/s^2 upwards "
    "at rest)",
}


def fault_name(fault: ImuFault) -> str:
    """Short name, under which diagnostics show it."""
    return f"imu_{fault.kind.value}"


def fault_message(fault: ImuFault) -> str:
    """What is wrong and what mends it.

    Args:
        fault: as it is now.
    """
    mounting = ""
    if fault.rotation_camera_imu is not None:
        quaternion = quaternion_xyzw_from_matrix(fault.rotation_camera_imu)
        numbers = ", ".join(f"{number:.4f}" for number in quaternion)
        mounting = (
            f", or set imu.extrinsics to parameter and imu.rotation_camera_imu to [{numbers}]"
        )
    return "topic imu: " + _MESSAGES[fault.kind].format(
        value=fault.value, degrees=math.degrees(fault.value), mounting=mounting
    )
