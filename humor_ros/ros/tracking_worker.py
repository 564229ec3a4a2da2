"""The two threads that infer: one looks at the newest image, one lifts and publishes its people.

While the people of one image are lifted the next image is looked at already; between the two
threads waits one image at most, so that nothing queues up under load.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from humor_ros.features.feature_report import FeatureStatus
from humor_ros.geometry import PinholeCamera
from humor_ros.inertial import InertialState
from humor_ros.inertial.imu_faults import ImuFault
from humor_ros.io.image_decode import ImageDecodeError
from humor_ros.pipeline import FrameRejected
from humor_ros.ros.diagnostics import FrameTimes
from humor_ros.ros.frame_names import FrameNames
from humor_ros.ros.image_door import decode_message
from humor_ros.ros.imu_reports import fault_message, fault_name
from humor_ros.ros.outputs import FrameContext, Outputs
from humor_ros.ros.reports import Reporter
from humor_ros.ros.time_conversion import seconds_from_stamp
from humor_ros.ros.tracker_inputs import TrackerInputs
from humor_ros.types import Array, FrameResult, HumanState, ImuSample
from humor_ros.types import Image as Picture

__all__ = ["Pipeline", "TrackingWorker"]

_log = logging.getLogger(__name__)

#: An image that is black throughout tells nothing; sampled on a coarse grid.
_BLACK_LEVEL = 2
_GRID = 16
#: Stamps that are further from now than this come from another clock, seconds.
_ODD_AGE_S = 10.0


class Pipeline(Protocol):
    """What the worker asks of :class:`~humor_ros.pipeline.TrackingPipeline`."""

    inertial: Any
    imu_watch: Any

    @property
    def camera(self) -> PinholeCamera | None:
        """Calibration in use."""

    @property
    def counters(self) -> dict[str, int]:
        """Running totals."""

    @property
    def feature_status(self) -> FeatureStatus:
        """What the image encoder did for the people of the last image."""

    def close(self) -> None:
        """End threads of its own."""

    def set_camera(self, camera: PinholeCamera) -> None:
        """Use this calibration."""

    def add_imu(self, sample: ImuSample) -> None:
        """Take a sample."""

    def add_camera_pose(self, stamp_s: float, rotation: Array, position: Array | None) -> None:
        """Take a camera pose."""

    def wants(self, stamp_s: float) -> bool:
        """Whether an image of this time would be processed."""

    def observe(self, image_bgr: Picture, stamp_s: float) -> Any:
        """Find the people of an image."""

    def lift(self, observation: Any) -> FrameResult:
        """Give the people of an observation their motion."""


@dataclass(frozen=True)
class _Observed:
    """An image between the two threads."""

    observation: Any
    header: Header
    frame: str
    picture: Picture
    started_s: float
    resets: int  # of the pipeline up to this image


class TrackingWorker:
    """Owns the pipeline while it runs; everything else talks to it through the queues.

    Args:
        pipeline: the tracker without ROS.
        inputs: queues of images, calibration, IMU samples and camera poses.
        names: frames.
        outputs: publishers.
        reporter: tells of trouble.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        inputs: TrackerInputs,
        names: FrameNames,
        outputs: Outputs,
        reporter: Reporter,
    ) -> None:
        self._pipeline = pipeline
        self._inputs = inputs
        self._frames = inputs.frames
        self._camera = inputs.camera
        self._imu = inputs.imu
        self._poses = inputs.poses
        self._names = names
        self._outputs = outputs
        self._reporter = reporter
        self._resets = self._count_resets()
        self._stopping = threading.Event()
        self._observed: queue.Queue[_Observed] = queue.Queue(maxsize=1)
        self._threads = (
            threading.Thread(target=self._look, name="looking", daemon=True),
            threading.Thread(target=self._lift, name="lifting", daemon=True),
        )
        self.times = FrameTimes()
        #: Longest waits for IMU and TF, seconds; may change while running.
        self.imu_wait_s = 0.0
        self.pose_wait_s = 0.0
        #: Images that came sooner after the last than the networks step.
        self.skipped = 0
        self.imu_late = 0
        self.last_result: FrameResult | None = None
        #: State of the inertial filter at the last image, and faults of the IMU that it shows.
        self.inertial_state: InertialState | None = None
        self.imu_faults: tuple[ImuFault, ...] = ()
        self.imu_age_s = float("inf")

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End both threads after the images in work.

        Returns:
            Whether it has ended in time.
        """
        self._stopping.set()
        self._frames.close()
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def counters(self) -> Mapping[str, int]:
        """Running totals of the pipeline."""
        return self._pipeline.counters

    @property
    def feature_status(self) -> FeatureStatus:
        """Of the image encoder at the last image."""
        return self._pipeline.feature_status

    def _look(self) -> None:
        """Thread of images: decode, detect, hand over."""
        while not self._stopping.is_set():
            message = self._frames.take(timeout_s=0.5)
            if message is None:
                continue
            observed = self._guarded(self._observe, message)
            while observed is not None and not self._stopping.is_set():
                try:
                    self._observed.put(observed, timeout=0.5)
                    break
                except queue.Full:
                    continue

    def _lift(self) -> None:
        """Thread of people: IMU, motion, messages."""
        while not self._stopping.is_set():
            try:
                observed = self._observed.get(timeout=0.5)
            except queue.Empty:
                continue
            self._guarded(self._finish, observed)

    def _guarded(self, work: Callable[[Any], Any], item: Any) -> Any:
        """Do the work; the node outlives whatever a message brings about."""
        try:
            return work(item)
        except FrameRejected as error:
            self._reporter.say(f"images_{error.kind}", f"topic image: {error}")
        except Exception as error:
            told = self._reporter.say(
                "images_failed",
                f"topic image: an image could not be processed: {type(error).__name__}: "
                f"{error}; the node goes on with the next one",
            )
            if told:
                _log.exception("while processing an image")
        return None

    def _observe(self, message: Image | CompressedImage) -> _Observed | None:
        start_s = time.monotonic()
        if not self._camera.ready(start_s):
            return None
        stamp_s = seconds_from_stamp(message.header.stamp)
        if not self._pipeline.wants(stamp_s):
            self.skipped += 1
            return None
        try:
            picture = decode_message(message)
        except ImageDecodeError as error:
            self._reporter.say("images_undecodable", f"topic image: {error}")
            return None
        if int(picture[::_GRID, ::_GRID].max()) <= _BLACK_LEVEL:
            self._reporter.say(
                "images_black",
                "topic image: the image is black throughout; check lens cap, exposure and light",
            )
        camera = self._camera.take_new()
        if camera is not None:
            self._pipeline.set_camera(camera)
        observation = self._pipeline.observe(picture, stamp_s)
        frame = self._names.camera(message.header.frame_id, self._camera.frame)
        return _Observed(observation, message.header, frame, picture, start_s, self._count_resets())

    def _finish(self, observed: _Observed) -> None:
        stamp_s = seconds_from_stamp(observed.header.stamp)
        self._feed(observed.frame, stamp_s, time.monotonic())
        self._note_reset(observed.resets)
        result = self._only_finite(self._pipeline.lift(observed.observation))
        latency_s = self._publish(result, observed.header, observed.frame, observed.picture)
        self.last_result = result
        self.inertial_state = self._pipeline.inertial.state
        self._tell_of_faults()
        self._reporter.watch(self._pipeline.counters)
        if abs(latency_s) > _ODD_AGE_S:
            self._reporter.say(
                "images_odd_age",
                f"topic image: stamps are {latency_s:.1f} s away from now; set the driver's clock, "
                "or play bags with --clock and set use_sim_time",
            )
        now_s = time.monotonic()
        self.times.add(now_s, latency_s, now_s - observed.started_s)

    def _feed(self, frame: str, stamp_s: float, now_s: float) -> None:
        """Give the pipeline what has come beside the image."""
        if self._poses is not None:
            for pose in self._poses.take(frame, stamp_s, self.pose_wait_s):
                self._pipeline.add_camera_pose(
                    pose.stamp_s, pose.pose.rotation, pose.pose.translation
                )
        if self._imu is None:
            return
        if not self._imu.wait_until(stamp_s, self.imu_wait_s):
            self.imu_late += self._imu.received > 0
        rotation, samples = self._imu.take(frame, now_s)
        if rotation is not None:
            self._pipeline.inertial.set_extrinsics(rotation)
        for sample in samples:
            self._pipeline.add_imu(sample)
        for field_stamp_s, field in self._imu.take_magnetic(now_s):
            self._pipeline.inertial.add_magnetic_field(field_stamp_s, field)
        self.imu_age_s = stamp_s - self._imu.newest_stamp_s

    def _tell_of_faults(self) -> None:
        """Say what is wrong with the IMU; once an image, the reporter tells it seldom."""
        known = {fault.kind for fault in self.imu_faults}
        self.imu_faults = self._pipeline.imu_watch.faults
        for fault in self.imu_faults:
            if fault.kind not in known:
                self._reporter.say(fault_name(fault), fault_message(fault))

    def _count_resets(self) -> int:
        return self._pipeline.counters.get("pipeline.resets", 0)

    def _note_reset(self, resets: int) -> None:
        """Empty the outputs before the first image after a reset."""
        if resets == self._resets:
            return
        self._resets = resets
        self._names.forget()
        if self._poses is not None:
            self._poses.forget()
        self._outputs.clear()
        self._inputs.forget_transforms()
        self._reporter.say(
            "clock_resets",
            "topic image: stamps went back and go on from there (a bag that starts again, or a "
            "clock that was set); everybody is tracked anew",
        )

    def _only_finite(self, result: FrameResult) -> FrameResult:
        """Leave people out whose state holds NaN: they would break TF for the others."""
        healthy = tuple(human for human in result.humans if _finite(human))
        if len(healthy) == len(result.humans):
            return result
        self._reporter.say(
            "people_not_finite",
            "a person's state is not finite and is left out; other people are not concerned",
            count=len(result.humans) - len(healthy),
        )
        return replace(result, humans=healthy)

    def _publish(self, result: FrameResult, header: Header, frame: str, picture: Picture) -> float:
        measured = None if self._poses is None else self._poses.world_frame
        world, ours = self._names.world(measured, result.camera)
        context = FrameContext(
            header=Header(stamp=header.stamp, frame_id=frame),
            world_frame=world,
            world_is_ours=ours,
            image_bgr=picture,
            camera=self._pipeline.camera,
        )
        return self._outputs.publish(result, context)


def _finite(human: HumanState) -> bool:
    """Whether everything is finite that TF and messages are made of."""
    return all(
        bool(np.isfinite(values).all())
        for values in (
            human.body_pose,
            human.root_orientation_camera,
            human.root_orientation_world,
            human.joints_camera,
            human.joints_world,
            human.root_linear_velocity_world,
            human.root_angular_velocity_world,
        )
    )
