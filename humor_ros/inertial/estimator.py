"""Motion and gravity-true attitude of the camera at each image, from whatever measures it.

Two rotations are kept apart. The *reference* attitude is what gyroscope or odometry add up
to since the first image: only it makes ``rotation_previous_current``, so that corrections
never look like camera motion. The *world* rotation turns the reference frame upright
(accelerometer) and to the heading of odometry; what is shown of it turns at a bounded rate,
so that switching sources never makes the world jump.
"""

from __future__ import annotations

import logging
import math

import numpy as np

from humor_ros.inertial.background import BackgroundPoints
from humor_ros.inertial.config import InertialConfig, validated_rotation
from humor_ros.inertial.counters import COUNTERS
from humor_ros.inertial.magnetic_heading import MagneticHeading
from humor_ros.inertial.pose_buffer import CameraPose, PoseBuffer
from humor_ros.inertial.reference import ReferenceAttitude
from humor_ros.inertial.so3 import log_so3, orthonormalised
from humor_ros.inertial.state import InertialState
from humor_ros.inertial.visual_aid import VisualAid
from humor_ros.inertial.world import WorldAlignment
from humor_ros.types import Array, CameraMotion, CameraMotionMode, ImuSample

__all__ = ["CameraMotionEstimator"]

logger = logging.getLogger(__name__)

#: Poses of odometry and TF err by this much from image to image, rad.
_JUMP_ANGLE = math.radians(3.0)


class CameraMotionEstimator:
    """Camera rotation between images and its attitude in a gravity-true world.

    Causal: :meth:`motion_at` uses what was added before the call, up to the image's stamp.
    Samples of an interval that come after its image correct the next interval.

    Attributes:
        config: settings.
        counters: running totals by the names of
            :data:`~humor_ros.inertial.counters.COUNTERS`; a reset keeps them.
    """

    def __init__(self, config: InertialConfig | None = None) -> None:
        self.config = config if config is not None else InertialConfig()
        self.counters: dict[str, int] = dict.fromkeys(COUNTERS, 0)
        self._reference = ReferenceAttitude(self.config, self.counters)
        self._poses = PoseBuffer(self.config, self.counters)
        self._visual = VisualAid(self.config, self.counters, self._reference)
        self._said_mismatch = False
        self._begin()

    @property
    def hears_imu(self) -> bool:
        """Whether samples of a usable IMU have come; may be read from another thread."""
        return bool(self._reference.imu.samples)

    @property
    def lost_imu(self) -> bool:
        """Whether an IMU was there and has fallen silent; may be read from another thread."""
        measured = (CameraMotionMode.IMU, CameraMotionMode.ODOMETRY)
        return CameraMotionMode.IMU in self._seen and self._mode not in measured

    @property
    def state(self) -> InertialState:
        """Biases, calibration and their certainty as of the last image, for diagnostics."""
        world, visual = self._world, self._visual
        return InertialState(
            gyroscope_bias=np.asarray(self.config.gyroscope_bias) + world.filter.gyroscope_bias,
            gyroscope_bias_std=world.filter.gyroscope_bias_std,
            accelerometer_bias=world.filter.accelerometer_bias,
            acceleration_std=world.filter.acceleration_std,
            at_rest=world.at_rest,
            seeing=visual.reference.active,
            time_offset_s=self.config.imu_time_offset_s + visual.offset_s,
            rotation_camera_imu=self._reference.rotation_camera_imu,
            calibration=visual.calibration,
        )

    @property
    def has_extrinsics(self) -> bool:
        """Whether the rotation from IMU to camera axes is known."""
        return self._reference.rotation_camera_imu is not None

    def set_extrinsics(self, rotation_camera_imu: Array) -> None:
        """Set how the IMU is mounted; tilt is measured anew if it changed.

        Args:
            rotation_camera_imu: (3, 3) maps IMU axes to optical camera axes.

        Raises:
            ValueError: if it is no rotation matrix.
        """
        rotation = validated_rotation(rotation_camera_imu, "rotation_camera_imu")
        known = self._reference.rotation_camera_imu
        if known is None or not np.allclose(known, rotation, atol=1e-9):
            self._world.forget_tilt()
            self._visual.forget_calibration()
        self._reference.rotation_camera_imu = rotation

    def add_imu(self, sample: ImuSample) -> None:
        """Take one inertial sample in; bad ones are counted and left out.

        Args:
            sample: in IMU axes.

        Raises:
            ValueError: if a vector has not three elements.
        """
        if not self.has_extrinsics:
            self.counters["imu_without_extrinsics"] += 1
            return
        clock_jumped_back = self._reference.imu.add(sample)
        self._visual.add_imu(sample)
        if clock_jumped_back and self._stamp_s is not None:
            self._reference.rebase(self._imu_time(self._stamp_s), self._reference.rotation)

    def add_background(self, points: BackgroundPoints) -> None:
        """Take in the background points of an image, before :meth:`motion_at` of that image.

        Args:
            points: those of other images are left out.
        """
        self._visual.points = points

    def add_camera_pose(
        self, stamp_s: float, rotation_world_camera: Array, position_world_camera: Array | None
    ) -> None:
        """Take one camera pose of odometry or TF in; bad ones are counted and left out.

        Args:
            stamp_s: seconds, the images' clock.
            rotation_world_camera: (3, 3) optical camera axes to a z-up frame.
            position_world_camera: (3,) camera centre in that frame, metres, or None.

        Raises:
            ValueError: if the position has not three elements.
        """
        self._poses.add(stamp_s, rotation_world_camera, position_world_camera)

    def add_magnetic_field(self, stamp_s: float, field: Array) -> None:
        """Take one magnetometer sample in: it holds the heading where nothing better does.

        Hard and soft iron must be taken off already.

        Args:
            stamp_s: seconds, the IMU's clock.
            field: (3,) in IMU axes, of any unit.

        Raises:
            ValueError: if the field has not three elements.
        """
        self._magnetic.add(stamp_s, field)

    def doubt_turn(self, duration_s: float, rate_std: float) -> None:
        """The gyroscope was at the end of its scale: the attitude is less certain by so much.

        Args:
            duration_s: for how long since the last image, seconds.
            rate_std: error of its rate, each axis, rad/s.
        """
        self._world.filter.doubt(duration_s, rate_std)

    def distrust_imu(self) -> None:
        """What the IMU said lately was wrong: turns are seen against the next image anew."""
        self._visual.reference.forget()

    def reset(self, reason: str = "asked for") -> None:
        """Forget the world; the next image is the first, and its heading zero.

        Counters and extrinsics stay, and samples and poses that lie around the next image
        (they tell its gravity); those of another time are dropped then.

        Args:
            reason: for the log.
        """
        self.counters["resets"] += 1
        logger.info("camera motion reset: %s", reason)
        self._begin()
        self._was_reset = True

    def motion_at(self, stamp_s: float) -> CameraMotion:
        """Motion of the camera from the previous call's image to this one.

        Args:
            stamp_s: exposure time of the image, seconds.

        Returns:
            the motion; for the first image the identity with interval 0. A stamp before
            the previous one resets the world and makes this the first image.

        Raises:
            ValueError: if the stamp is not finite.
        """
        stamp_s = float(stamp_s)
        if not math.isfinite(stamp_s):
            raise ValueError(f"stamp_s of an image must be finite, got {stamp_s}")
        if self._stamp_s is not None and stamp_s < self._stamp_s:
            self._restart_at(stamp_s)
        if self._was_reset:
            self._drop_other_times(stamp_s)
            self._was_reset = False
        self._check_clocks(stamp_s)
        pose = self._poses.at(stamp_s)
        if self._stamp_s is None:
            return self._first(stamp_s, pose)
        if stamp_s == self._stamp_s:
            self.counters["image_duplicate_stamps"] += 1
            return self._motion(stamp_s, 0.0, np.eye(3), self._mode, pose)
        return self._next(stamp_s, self._stamp_s, pose)

    def _begin(self) -> None:
        """Set the state of an estimator that has seen no image."""
        self._stamp_s: float | None = None
        self._mode = CameraMotionMode.STATIC
        self._world = WorldAlignment(self.config, self.counters)
        self._magnetic = MagneticHeading(self.config, self.counters)
        self._pose_rotation: Array | None = None
        self._seen: set[CameraMotionMode] = set()
        self._in_gap = False
        self._was_reset = False
        self._visual.forget()

    def _imu_time(self, stamp_s: float) -> float:
        """An image's time on the clock of the (corrected) IMU stamps, seconds."""
        return stamp_s - self._visual.offset_s

    def _restart_at(self, stamp_s: float) -> None:
        """The images' clock jumped backwards: begin again with what lies around its new time."""
        self.counters["image_clock_resets"] += 1
        logger.warning(
            "image stamps went back from %.3f s to %.3f s: the world starts anew",
            self._stamp_s,
            stamp_s,
        )
        self._begin()
        self._was_reset = True

    def _drop_other_times(self, stamp_s: float) -> None:
        """After a reset: keep only samples and poses that can belong to this first image."""
        low, high = stamp_s - self.config.buffer_s, stamp_s + self.config.clock_jump_s
        if not self._reference.has_sample_near(self._imu_time(stamp_s)):
            self._reference.imu.keep_between(low, high)
        if self._poses.at(stamp_s) is None:
            self._poses.keep_between(low, high)

    def _check_clocks(self, stamp_s: float) -> None:
        """Count, and say once, that IMU and images do not share a clock."""
        imu = self._reference.imu
        samples, added = imu.samples, imu.added_since_image
        imu.added_since_image = 0
        if not samples or added == 0 or imu.suspects:
            return
        away = self.config.clock_jump_s
        if samples[0].stamp_s <= stamp_s + away and samples[-1].stamp_s >= stamp_s - away:
            return
        self.counters["imu_clock_mismatch"] += 1
        if not self._said_mismatch:
            self._said_mismatch = True
            logger.warning(
                "IMU stamps (newest %.3f s) and image stamps (%.3f s) are %.3f s apart: the IMU "
                "is not used; give both drivers one clock or set the IMU time offset",
                samples[-1].stamp_s,
                stamp_s,
                stamp_s - samples[-1].stamp_s,
            )

    def _first(self, stamp_s: float, pose: CameraPose | None) -> CameraMotion:
        """The first image: find up, and make its heading zero or odometry's."""
        self._mode = CameraMotionMode.STATIC
        if self.has_extrinsics and self._reference.has_sample_near(self._imu_time(stamp_s)):
            self._mode = CameraMotionMode.IMU
        elif pose is not None:
            self._mode = CameraMotionMode.ODOMETRY
        self._seen.add(self._mode)
        self._world.start(self._reference.restart(self._imu_time(stamp_s)), pose)
        self._stamp_s = stamp_s
        self._pose_rotation = None if pose is None else pose.rotation
        return self._motion(stamp_s, 0.0, np.eye(3), self._mode, pose)

    def _next(self, stamp_s: float, previous_s: float, pose: CameraPose | None) -> CameraMotion:
        """Any image after the first."""
        interval = stamp_s - previous_s
        reference, world, visual = self._reference, self._world, self._visual
        imu_before = self._imu_time(previous_s)
        visual.calibrate(stamp_s, interval, world)
        imu_now = self._imu_time(stamp_s)
        before = self._filled_in(imu_before)
        inertial = reference.advance(imu_before, imu_now)
        mode = CameraMotionMode.IMU
        if inertial.uncovered_s >= 0.5 * interval:
            mode = CameraMotionMode.STATIC
            turned = self._odometry_since(previous_s, pose)
            if turned is not None:
                mode = CameraMotionMode.ODOMETRY
                reference.rotation = orthonormalised(before @ turned)
            elif visual.stand_in(stamp_s):
                mode = CameraMotionMode.VISUAL
            if mode is not CameraMotionMode.STATIC:
                reference.rebase(imu_now, reference.rotation)
            self.counters["imu_missing_intervals"] += int(CameraMotionMode.IMU in self._seen)
        self._count_gap(inertial.uncovered_s > 1e-6)
        self._let_uncertainty_grow(interval, mode)
        world.update(interval, reference.rotation, inertial, pose, visual.mounting_std)
        if mode is CameraMotionMode.IMU:
            field = self._magnetic.field_since_image(imu_now - self.config.imu_time_offset_s)
            world.correct_by_field(self._magnetic, field, inertial, interval)
        visual.correct(stamp_s, world, inertial, mode is CameraMotionMode.IMU)
        world.show(interval, pose)
        reference.bias = world.filter.gyroscope_bias
        self._seen.add(mode)
        self._stamp_s, self._mode = stamp_s, mode
        self._pose_rotation = None if pose is None else pose.rotation
        relative = orthonormalised(before.T @ reference.rotation)
        return self._motion(stamp_s, interval, relative, mode, pose)

    def _filled_in(self, imu_before_s: float) -> Array:
        """Reference attitude at the image before, against which this image's motion counts.

        It is the one reported then, so that samples which came a little late still count.
        Only where a long silence was filled in by a burst, the motion missed is kept out of
        this interval (it would read as a violent turn) and turned into the world slowly.
        """
        reference = self._reference
        reported = reference.rotation
        if not reference.was_unmeasured:
            return reported
        known_now = reference.at(imu_before_s)
        if np.allclose(known_now, reported, atol=1e-6):
            return reported
        self.counters["imu_catch_ups"] += 1
        self._world.hide_step(reported, known_now)
        return known_now

    def _odometry_since(self, previous_s: float, pose: CameraPose | None) -> Array | None:
        """Rotation from this camera to the one at the image before, by odometry."""
        if pose is None:
            return None
        earlier = self._pose_rotation
        if earlier is None:
            earlier_pose = self._poses.at(previous_s)
            if earlier_pose is None:
                return None
            earlier = earlier_pose.rotation
        rotation: Array = earlier.T @ pose.rotation
        angle = float(np.linalg.norm(log_so3(rotation)))
        if angle > _JUMP_ANGLE + self.config.max_pose_rate * (pose.stamp_s - previous_s):
            # To the network it would be a violent turn; the world takes it in slowly.
            self.counters["pose_jumps"] += 1
            return None
        return rotation

    def _count_gap(self, in_gap: bool) -> None:
        """Count the start of each silence of an IMU that has been heard."""
        if in_gap and not self._in_gap and CameraMotionMode.IMU in self._seen:
            self.counters["imu_gaps"] += 1
        self._in_gap = in_gap

    def _let_uncertainty_grow(self, interval_s: float, mode: CameraMotionMode) -> None:
        """Grow the covariance by what the mode leaves unmeasured."""
        moved_before = bool(self._seen - {CameraMotionMode.STATIC})
        unmeasured = (CameraMotionMode.STATIC, CameraMotionMode.VISUAL)
        if mode in unmeasured and moved_before:
            self._world.filter.doubt(interval_s, self.config.lost_rate_std)

    def _motion(
        self,
        stamp_s: float,
        interval_s: float,
        rotation_previous_current: Array,
        mode: CameraMotionMode,
        pose: CameraPose | None,
    ) -> CameraMotion:
        covariance = self._world.covariance(self._visual.mounting_std)
        return CameraMotion(
            stamp_s=stamp_s,
            interval_s=interval_s,
            rotation_previous_current=rotation_previous_current,
            rotation_world_camera=self._world.rotation_world_camera(self._reference.rotation),
            position_world_camera=self._world.position.copy(),
            position_known=pose is not None and pose.position is not None,
            gravity_known=self._world.gravity_known,
            mode=mode,
            rotation_covariance=covariance,
        )
