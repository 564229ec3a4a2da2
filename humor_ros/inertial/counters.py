"""Names of everything unusual that the inertial room counts."""

from __future__ import annotations

__all__ = ["COUNTERS"]

#: Every counter of :class:`CameraMotionEstimator` and what it counts.
COUNTERS: dict[str, str] = {
    "imu_invalid": "samples refused: NaN, infinite or absurd rate or stamp",
    "imu_acceleration_invalid": "samples whose acceleration was NaN, infinite or absurd",
    "imu_duplicate": "samples with the stamp of another",
    "imu_out_of_order": "samples that came late but in time to be used",
    "imu_late": "samples refused because their time was integrated already",
    "imu_stamp_outliers": "samples refused because their stamp was far from all others",
    "imu_clock_resets": "times that the IMU's clock jumped backwards",
    "imu_clock_mismatch": "images while all IMU stamps were more than clock_jump_s away",
    "imu_without_extrinsics": "samples refused because camera<-IMU rotation is unknown",
    "imu_gaps": "silences of the IMU longer than max_gap_s",
    "imu_missing_intervals": "image intervals without IMU after it had been seen",
    "imu_catch_ups": "long silences filled in afterwards by late samples",
    "imu_buffer_overflows": "times that old samples were dropped for want of images",
    "accelerometer_untrusted": "accelerations far from gravity, not used for tilt",
    "background_unclear": "images whose background points agree on no turn",
    "background_disagreements": "turns seen that the filter did not believe",
    "background_switched_off": "times that seeing was switched off for disagreeing",
    "pose_invalid": "camera poses refused: not finite or no rotation",
    "pose_duplicate": "camera poses with the stamp of another",
    "pose_out_of_order": "camera poses that came out of order",
    "pose_clock_resets": "times that the poses' clock jumped backwards",
    "pose_jumps": "camera poses too far from the last one for a camera to have moved there",
    "magnetic_invalid": "magnetometer samples refused: not finite, zero, or of a bad stamp",
    "magnetic_disturbed": "magnetic fields of another strength or dip than at the start, not used",
    "image_clock_resets": "images with a stamp before the previous one (all state reset)",
    "image_duplicate_stamps": "images with the stamp of the previous one",
    "resets": "resets asked for",
}
