"""The whole tracker without ROS: images and IMU samples in, human states out.

The node, the offline commands, the benchmarks and the tests all run this. Nothing here reads a
clock or a file after construction; time comes with the data.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from humor_ros.body.skeleton import SMPL_JOINT_NAMES
from humor_ros.detection import (
    Detector,
    DetectorConfig,
    PeopleTracker,
    PeopleTrackerConfig,
    create_detector,
)
from humor_ros.features.feature_report import FeatureStatus
from humor_ros.features.feature_source import FeatureSource, SynchronousFeatures
from humor_ros.features.feature_thread import FeatureThread
from humor_ros.features.online import FeatureConfig, load_extractor
from humor_ros.geometry import PinholeCamera
from humor_ros.human_names import person_name
from humor_ros.image_check import check_image
from humor_ros.inertial import BackgroundPoints, CameraMotionEstimator, InertialConfig
from humor_ros.inertial.background_tracker import BackgroundConfig, BackgroundTracker
from humor_ros.inertial.imu_watch import ImuWatch, ImuWatchConfig
from humor_ros.late_images import LateImages
from humor_ros.types import (
    Array,
    CameraMotion,
    FrameResult,
    HumanState,
    Image,
    ImuSample,
    Track,
    TrackingState,
)
from humor_ros.wham.models import load_models
from humor_ros.wham.resampling import MIN_INTERVAL_S
from humor_ros.wham.runner import prepare_for_streaming
from humor_ros.wham.stream import PersonMotion, StreamConfig, WhamStream

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FrameRejected", "Observation", "PipelineConfig", "TrackingPipeline"]

_log = logging.getLogger(__name__)

_NECK = SMPL_JOINT_NAMES.index("neck")
#: SMPL joints and the COCO key-points whose confidence speaks for them.
_JOINT_EVIDENCE: tuple[tuple[int, ...], ...] = (
    (11, 12), (11,), (12,), (5, 6, 11, 12), (13,), (14,), (5, 6, 11, 12), (15,), (16,),
    (5, 6), (15,), (16,), (5, 6), (5,), (6,), (0, 3, 4), (5,), (6,), (7,), (8,), (9,), (10,),
    (9,), (10,),
)  # fmt: skip


class FrameRejected(ValueError):
    """An image was not processed; the state of all people is as before.

    Attributes:
        kind: short name under which it is counted.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class PipelineConfig:
    """Settings of all parts of the pipeline.

    Attributes:
        detector: which detector, and its files.
        people: how people are followed over time.
        inertial: IMU extrinsics, noise and gaps.
        background: how the background is followed beside an IMU.
        imu_watch: how faults of the IMU are looked for.
        stream: how the world is made. What concerns image features' delay follows from
            ``features``.
        features: image encoder beside or in the loop; None goes without.
        weights: WHAM weights, ``.safetensors`` or the published ``.pth.tar``; None means
            the packaged ones.
        body: SMPL body model file; None means the body that the weights were trained with:
            the packaged free one, or the one inside a published checkpoint.
    """

    detector: DetectorConfig = field(default_factory=DetectorConfig)
    people: PeopleTrackerConfig = field(default_factory=PeopleTrackerConfig)
    inertial: InertialConfig = field(default_factory=InertialConfig)
    background: BackgroundConfig = field(default_factory=BackgroundConfig)
    imu_watch: ImuWatchConfig = field(default_factory=ImuWatchConfig)
    stream: StreamConfig = field(default_factory=StreamConfig)
    features: FeatureConfig | None = None
    weights: Path | None = None
    body: Path | None = None


@dataclass(frozen=True)
class Observation:
    """What one image showed: the first half of the work on it.

    Attributes:
        stamp_s: exposure time, seconds.
        tracks: everybody who is followed in the image.
        camera: intrinsics of the image.
        restarted: the clock of the images started anew with this one.
        timings_s: seconds spent by stage name.
        image_bgr: the image, where an image encoder is in use.
        background: points of the background, where the image was looked at for them.
    """

    stamp_s: float
    tracks: tuple[Track, ...]
    camera: PinholeCamera
    restarted: bool
    timings_s: dict[str, float]
    image_bgr: Image | None = None
    background: BackgroundPoints | None = None


class TrackingPipeline:
    """Images and IMU samples in, :class:`~humor_ros.types.FrameResult` out.

    ``process`` does all for one image. Its two halves may run in two threads, one each, so that
    the next image is looked at while people of the last are lifted: ``observe`` (detection)
    touches nothing that ``lift`` (IMU, WHAM) does. IMU samples and camera poses belong to the
    thread of ``lift``, calibrations to that of ``observe``.

    Args:
        config: settings.
        timer: seconds of a monotonic clock, for ``FrameResult.timings_s``; None leaves the
            timings out (the core itself reads no clock).
        detector: in place of the configured one (tests, own detectors).

    An image encoder in the background has a thread of its own, which reads a clock for its budget;
    call :meth:`close` to end it.

    Raises:
        FileNotFoundError, ValueError: a weights, body, encoder or detector file is missing or
            wrong, or encoder and weights do not fit.
    """

    def __init__(
        self,
        config: PipelineConfig | None = None,
        *,
        timer: Callable[[], float] | None = None,
        detector: Detector | None = None,
    ) -> None:
        self.config = config or PipelineConfig()
        self._timer = timer
        network, self.body = load_models(self.config.weights, self.config.body)
        self._network = prepare_for_streaming(network)
        self._detector = detector or create_detector(self.config.detector)
        self._people = PeopleTracker(self._detector, self.config.people)
        self.inertial = CameraMotionEstimator(self.config.inertial)
        self.imu_watch = ImuWatch(self.config.inertial, self.config.imu_watch)
        self._imu_distrusted = False
        self._background = BackgroundTracker(self.config.background, timer)
        self._features: FeatureSource | None = None
        self._stream = self._make_stream()
        self._feature_status = FeatureStatus()
        self._given_camera: PinholeCamera | None = None
        self._camera: PinholeCamera | None = None
        self._stamp_s: float | None = None
        self._late = LateImages()
        self._published: dict[int, HumanState] = {}
        self._counters: Counter[str] = Counter()

    def _make_stream(self) -> WhamStream:
        """The stream, and the encoder that feeds it."""
        stream_config, config = self.config.stream, self.config.features
        if config is None:
            return WhamStream(self._network, self.body, stream_config)
        size = self._network.config.d_feat
        extractor = load_extractor(config, size, stream_config.flip_averaging)
        extractor.extract(np.zeros((64, 64, 3), np.uint8), np.array([[32.0, 32.0, 0.3]]))
        history_s = config.max_age_s if config.background else 0.0
        stream_config = replace(stream_config, image_features=True, history_s=history_s)
        stream = WhamStream(self._network, self.body, stream_config)
        if config.background:
            self._features = FeatureThread(extractor, stream.stepper, stream.history, config)
        else:
            self._features = SynchronousFeatures(extractor, config.every)
        return stream

    def close(self) -> None:
        """End the encoder's thread, where there is one; may be called twice."""
        if self._features is not None:
            self._features.close()

    @property
    def stream(self) -> WhamStream:
        """The stream of people, for studies of what it says; ``lift`` alone steps it."""
        return self._stream

    @property
    def feature_status(self) -> FeatureStatus:
        """What the image encoder did for the people of the last image."""
        return self._feature_status

    @property
    def camera(self) -> PinholeCamera | None:
        """The camera in use for the last image; ``assumed`` tells whether it was guessed."""
        return self._camera

    @property
    def counters(self) -> dict[str, int]:
        """Running totals of everything unusual, by ``part.name``."""
        merged = {f"pipeline.{name}": count for name, count in dict(self._counters).items()}
        merged |= {f"people.{name}": count for name, count in self._people.counters.items()}
        merged |= {f"inertial.{name}": n for name, n in self.inertial.counters.items()}
        merged |= {f"inertial.{name}": n for name, n in self.imu_watch.counters.items()}
        if self._features is not None:
            counts = dict(self._features.statistics.counts)
            merged |= {f"features.{name}": count for name, count in counts.items()}
        return merged

    def set_camera(self, camera: PinholeCamera) -> None:
        """Use this calibration from the next image on."""
        self._given_camera = camera
        self._camera = None

    def add_imu(self, sample: ImuSample) -> None:
        """Take one IMU sample; samples come in before the image that they precede."""
        admitted = self.imu_watch.admit(sample)
        if admitted is not None:
            self.inertial.add_imu(admitted)

    def add_camera_pose(
        self, stamp_s: float, rotation_world_camera: Array, position_world_camera: Array | None
    ) -> None:
        """Take a camera pose from odometry or TF, z-up world, optical frame."""
        self.inertial.add_camera_pose(stamp_s, rotation_world_camera, position_world_camera)

    def reset(self, reason: str) -> None:
        """Forget all people and the camera's motion; weights and calibration stay."""
        self._forget_images(reason)
        self._forget_motion(reason)

    def _forget_images(self, reason: str) -> None:
        _log.warning("tracking starts anew: %s", reason)
        self._counters["resets"] += 1
        self._people.reset()
        self._background.reset()
        self._stamp_s = None

    def _forget_motion(self, reason: str) -> None:
        self._stream.reset()
        self.inertial.reset(reason)
        self.imu_watch.forget()
        self._published.clear()

    def warm_up(self, width: int = 1280, height: int = 720) -> None:
        """Run every network once on a grey image, so that the first real one is not late.

        Nothing of it stays: neither people nor counters.
        """
        image = np.full((height, width, 3), 127, np.uint8)
        box = np.array([[width * 0.4, height * 0.1, width * 0.6, height * 0.9]])
        self._detector.detect(image)
        keypoints = self._detector.refine(image, box)[0]
        track = Track(1, TrackingState.TRACKED, keypoints, box[0], 0.0, 0.0, 1.0)
        camera = PinholeCamera.assume(width, height)
        stream = WhamStream(self._network, self.body, self.config.stream)
        still = CameraMotionEstimator(self.config.inertial)
        for frame in range(3):
            stream.step([track], still.motion_at(frame / 30.0), camera)

    def wants(self, stamp_s: float) -> bool:
        """Whether an image of this time would be processed, or comes too soon after the last.

        Cameras faster than 45 Hz deliver more images than the networks step; ask before
        an image is decoded.
        """
        return self._stamp_s is None or not 0.0 <= stamp_s - self._stamp_s < MIN_INTERVAL_S

    def process(self, image_bgr: Image, stamp_s: float) -> FrameResult:
        """Process one image.

        Args:
            image_bgr: (H, W, 3) uint8.
            stamp_s: exposure time, seconds, in the IMU's clock.

        Returns:
            People in it, and those who were lost with it.

        Raises:
            FrameRejected: the image or its stamp cannot be used; nothing has changed.
        """
        return self.lift(self.observe(image_bgr, stamp_s))

    def observe(self, image_bgr: Image, stamp_s: float) -> Observation:
        """Find the people of one image: the first half of :meth:`process`.

        Raises:
            FrameRejected: as :meth:`process`.
        """
        restarted = self._check(image_bgr, stamp_s)
        timings: dict[str, float] = {}
        camera = self._camera_for(image_bgr)
        with self._timed("detection", timings):
            tracks = self._people.update(image_bgr, stamp_s)
        background = None
        if self.inertial.hears_imu or self.imu_watch.rates_distrusted:
            with self._timed("background", timings):
                background = self._background.update(
                    image_bgr,
                    stamp_s,
                    [track.box_xyxy for track in tracks],
                    camera,
                    every_image=self.inertial.lost_imu,
                )
        self._stamp_s = stamp_s
        self._late.forget()
        image = image_bgr if self._features is not None else None
        return Observation(stamp_s, tuple(tracks), camera, restarted, timings, image, background)

    def lift(self, observation: Observation) -> FrameResult:
        """Give the people of an observation their motion: the second half of :meth:`process`.

        Args:
            observation: of :meth:`observe`, each once and in order.
        """
        if observation.restarted:
            self._forget_motion("image stamps went back")
        stamp_s, timings = observation.stamp_s, observation.timings_s
        if observation.background is not None:
            self.inertial.add_background(observation.background)
        self._heed_imu_watch()
        motion = self.inertial.motion_at(stamp_s)
        followed = [
            track
            for track in observation.tracks
            if track.state in (TrackingState.TRACKED, TrackingState.OCCLUDED)
            and (track.state is TrackingState.TRACKED or track.track_id in self._published)
        ]
        with self._timed("wham", timings):
            motions = self._step(followed, motion, observation)
        humans = [
            _human_state(track, person, stamp_s)
            for track, person in zip(followed, motions, strict=True)
        ]
        self.imu_watch.look(
            observation.background, self.inertial.state.rotation_camera_imu, _people_up(humans)
        )
        gone = set(self._published) - {track.track_id for track in followed}
        lost = [_lost(self._published[track_id], stamp_s) for track_id in sorted(gone)]
        self._published = {
            track.track_id: human for track, human in zip(followed, humans, strict=True)
        }
        return FrameResult(
            stamp_s=stamp_s,
            humans=(*humans, *lost),
            camera=motion,
            timings_s=timings,
            counters=self.counters,
        )

    def _heed_imu_watch(self) -> None:
        """Hand on what the watch over the IMU has found since the last image."""
        saturated_s, rate_std = self.imu_watch.take_saturated()
        if saturated_s > 0.0:
            self.inertial.doubt_turn(saturated_s, rate_std)
        distrusted = self.imu_watch.rates_distrusted
        if distrusted and not self._imu_distrusted:
            self.inertial.distrust_imu()
        self._imu_distrusted = distrusted

    def _step(
        self, followed: list[Track], motion: CameraMotion, observation: Observation
    ) -> list[PersonMotion]:
        """Step the stream, with what the image encoder says where there is one."""
        source, image = self._features, observation.image_bgr
        if source is None or image is None:
            return self._stream.step(followed, motion, observation.camera)
        stamp_s = observation.stamp_s
        source.correct(self._stream)
        features = source.now(stamp_s, image, followed)
        motions = self._stream.step(followed, motion, observation.camera, features)
        source.stepped(stamp_s, image, followed)
        ids = [track.track_id for track in followed]
        self._feature_status = FeatureStatus(
            mode="loop" if isinstance(source, SynchronousFeatures) else "thread",
            rate_hz=source.statistics.rate_hz(stamp_s),
            ages_s=source.statistics.ages_s(ids, stamp_s),
        )
        return motions

    @contextmanager
    def _timed(self, name: str, timings: dict[str, float]) -> Iterator[None]:
        if self._timer is None:
            yield
            return
        start = self._timer()
        yield
        timings[name] = self._timer() - start

    def _check(self, image_bgr: Image, stamp_s: float) -> bool:
        """Refuse what cannot be used; True where the clock has started anew."""
        try:
            check_image(image_bgr)
        except ValueError as error:
            self._reject("bad_image", str(error))
        if not math.isfinite(stamp_s):
            self._reject("bad_stamp", f"stamp_s must be finite, got {stamp_s}")
        if self._stamp_s is not None and stamp_s <= self._stamp_s:
            back_s = self._stamp_s - stamp_s
            if self._late.starts_anew(stamp_s, self._stamp_s):
                self._forget_images(f"image stamps went back by {back_s:.3f} s")
                return True
            self._reject(
                "stamp_not_newer",
                f"image stamp {stamp_s:.6f} is not after the last one by {-back_s:.6f} s;"
                " check the camera driver's clock",
            )
        return False

    def _reject(self, kind: str, message: str) -> None:
        self._counters[f"rejected_{kind}"] += 1
        raise FrameRejected(kind, message)

    def _camera_for(self, image_bgr: Image) -> PinholeCamera:
        height, width = image_bgr.shape[:2]
        camera = self._camera
        if camera is not None and (camera.width, camera.height) == (width, height):
            return camera
        if camera is not None:
            self._counters["image_size_changes"] += 1
        self._camera = _fit_camera(self._given_camera, width, height)
        if self._camera.assumed:
            self._counters["cameras_assumed"] += 1
            _log.warning(
                "no calibration for %d x %d images: focal length %.0f px is assumed;"
                " give camera_info for true distances",
                width,
                height,
                self._camera.fx,
            )
        return self._camera


def _fit_camera(given: PinholeCamera | None, width: int, height: int) -> PinholeCamera:
    """The given calibration at this image size, or the published assumption."""
    if given is not None:
        scale_x, scale_y = width / given.width, height / given.height
        if abs(scale_x - scale_y) < 0.01 * scale_x:
            fitted = given.scaled(scale_x, scale_y)
            if (fitted.width, fitted.height) == (width, height):
                return fitted
    return PinholeCamera.assume(width, height)


def _joint_confidence(track: Track) -> Array:
    scores = np.clip(track.keypoints[:, 2], 0.0, 1.0)
    return np.array([scores[list(evidence)].mean() for evidence in _JOINT_EVIDENCE])


def _human_state(track: Track, person: PersonMotion, stamp_s: float) -> HumanState:
    return HumanState(
        person_id=person_name(track.track_id),
        stamp_s=stamp_s,
        tracking_state=track.state,
        age_s=track.age_s,
        unseen_s=track.unseen_s,
        betas=person.betas,
        body_pose=person.rotations_camera[1:],
        root_orientation_camera=person.rotations_camera[0],
        root_position_camera=person.joints_camera[0],
        root_orientation_world=person.root_orientation_world,
        root_position_world=person.joints_world[0],
        root_covariance_camera=person.root_covariance_camera,
        root_covariance_world=person.root_covariance_world,
        root_linear_velocity_world=person.linear_velocity_world,
        root_angular_velocity_world=person.angular_velocity_world,
        joints_camera=person.joints_camera,
        joints_world=person.joints_world,
        joint_confidence=_joint_confidence(track),
        coco17_camera=person.coco17_camera,
        contacts=person.contacts,
        contact_positions_world=person.contact_positions_world,
        keypoints_image=np.asarray(track.keypoints, dtype=float),
        box_xyxy=np.asarray(track.box_xyxy, dtype=float),
    )


def _people_up(humans: list[HumanState]) -> list[Array]:
    """(3,) unit vectors from pelvis to neck of the people seen, camera axes."""
    ups = [
        human.joints_camera[_NECK] - human.joints_camera[0]
        for human in humans
        if human.tracking_state is TrackingState.TRACKED
    ]
    return [up / length for up in ups if (length := float(np.linalg.norm(up))) > 0.0]


def _lost(human: HumanState, stamp_s: float) -> HumanState:
    """The last word on a person: the old motion under the new stamp, marked LOST."""
    return replace(
        human,
        stamp_s=stamp_s,
        tracking_state=TrackingState.LOST,
        unseen_s=human.unseen_s + (stamp_s - human.stamp_s),
        joint_confidence=np.zeros(24),
    )
