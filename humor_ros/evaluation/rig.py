"""A virtual rig: camera way, IMU, background, odometry and people, streamed as a robot would.

Everything follows from the scenario and the seed. What comes out are the inputs of the real
objects (:class:`~humor_ros.inertial.CameraMotionEstimator`, ``TrackingPipeline.lift``), in the
order of arrival, and the truth beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import make_interp_spline

from humor_ros.body import BodyModel
from humor_ros.evaluation.rig_background import BackgroundErrors, RigBackground
from humor_ros.evaluation.rig_imu import ImuErrors, RigImu
from humor_ros.evaluation.rig_motion import CAMERA_WAYS
from humor_ros.evaluation.rig_odometry import OdometryErrors, RigOdometry
from humor_ros.evaluation.rig_people import RigPerson, detect_person, draw_person
from humor_ros.geometry import PinholeCamera
from humor_ros.inertial.background import BackgroundPoints
from humor_ros.inertial.gravity import heading
from humor_ros.inertial.so3 import rotation_about_z
from humor_ros.training.mocap import MOCAP_FPS, MocapLibrary
from humor_ros.types import Array, ImuSample, Track

__all__ = ["RigFrame", "RigScenario", "VirtualRig"]

#: An image is asked about this long after its exposure, seconds: detection takes longer.
_LATENCY_S = 0.02


@dataclass(frozen=True)
class RigScenario:
    """What is simulated.

    Attributes:
        name: for the command line.
        title: for people.
        way: key of :data:`~humor_ros.evaluation.rig_motion.CAMERA_WAYS`.
        duration_s: length.
        imu: errors of the IMU.
        background: what is seen of the room; None for a bare wall.
        odometry: errors of the robot's odometry; None without.
        people: how many.
        image_size: W, H in pixels; the focal length is sqrt(W² + H²).
    """

    name: str
    title: str
    way: str = "hand-held"
    duration_s: float = 60.0
    imu: ImuErrors = field(default_factory=ImuErrors)
    background: BackgroundErrors | None = None
    odometry: OdometryErrors | None = None
    people: int = 1
    image_size: tuple[int, int] = (1280, 720)


@dataclass(frozen=True, eq=False)
class RigFrame:
    """One image of the rig and what arrived since the last one.

    Attributes:
        index: number of the image.
        stamp_s: exposure time.
        samples: IMU samples that arrived meanwhile.
        tracks: people found.
        background: points followed, where they were looked at.
        pose: rotation (3, 3) and position (3,) of the camera in ``odom``, or None.
    """

    index: int
    stamp_s: float
    samples: list[ImuSample]
    tracks: tuple[Track, ...]
    background: BackgroundPoints | None
    pose: tuple[Array, Array] | None


class VirtualRig:
    """One run of a scenario.

    Args:
        scenario: what to simulate.
        seed: of everything.
        library, body: mocap clips and body; without them nobody is in the room.

    Attributes:
        stamps_s: (T,) of the images.
        rotation_world_camera: (T, 3, 3) truth, heading zero where the first image looked.
        position_world_camera: (T, 3) truth, origin at the first camera.
        people: true motion in the same world.
        imu: the IMU, with its true mounting.
    """

    def __init__(
        self,
        scenario: RigScenario,
        seed: int,
        library: MocapLibrary | None = None,
        body: BodyModel | None = None,
    ) -> None:
        self.scenario = scenario
        streams = np.random.default_rng(seed).spawn(6)
        frames = int(scenario.duration_s * MOCAP_FPS)
        self.stamps_s: Array = np.arange(frames) / MOCAP_FPS
        people: list[RigPerson] = []
        if library is not None and body is not None:
            # People stand beside each other, all in view.
            for k in range(scenario.people):
                person = draw_person(library, body, frames, streams[0])
                side = (k - 0.5 * (scenario.people - 1)) * 1.2
                people.append(person.moved(np.array([0.0, side, 0.0])))
        way = CAMERA_WAYS[scenario.way](
            streams[1], scenario.duration_s, _Target(self.stamps_s, people)
        )
        self.imu = RigImu(way, scenario.imu, scenario.duration_s, streams[2])
        self.camera = PinholeCamera.assume(*scenario.image_size)
        self._background = None
        if scenario.background is not None:
            self._background = RigBackground(
                way, self.camera, scenario.background, scenario.duration_s, streams[3]
            )
        rotation, position = way.rotation(self.stamps_s), way.position(self.stamps_s)
        self._poses: RigOdometry | None = None
        if scenario.odometry is not None:
            self._poses = RigOdometry(rotation, position, scenario.odometry, streams[4])
        self._tracks = [
            detect_person(person, way, self.camera, k + 1, int(streams[5].integers(2**31)))
            for k, person in enumerate(people)
        ]
        turn = rotation_about_z(-heading(rotation[0]))
        origin = position[0]
        self.rotation_world_camera: Array = turn @ rotation
        self.position_world_camera: Array = (position - origin) @ turn.T
        self.people = [
            replace(
                person,
                root_rotation=turn @ person.root_rotation,
                joints=(person.joints - origin) @ turn.T,
                coco17=(person.coco17 - origin) @ turn.T,
                feet=(person.feet - origin) @ turn.T,
            )
            for person in people
        ]

    @property
    def odometry(self) -> RigOdometry | None:
        """The camera in ``odom`` as the robot tells it."""
        return self._poses

    def frames(self) -> Iterator[RigFrame]:
        """The images in order; once, because the tracker of the background has a memory."""
        samples, arrivals = self.imu.samples, self.imu.arrival_s
        done = 0
        every = 1 if self.scenario.background is None else self.scenario.background.interval_frames
        for index, stamp in enumerate(self.stamps_s.tolist()):
            until = int(np.searchsorted(arrivals, stamp + _LATENCY_S, side="right"))
            tracks = tuple(t for track in self._tracks if (t := track[index]) is not None)
            background = None
            lost = any(a <= stamp < b + 0.1 for a, b in self.scenario.imu.lost)
            if self._background is not None and (lost or index % every == 0):
                background = self._background.look(stamp, [track.box_xyxy for track in tracks])
            pose = None if self._poses is None else self._poses.at(index)
            yield RigFrame(index, stamp, samples[done:until], tracks, background, pose)
            done = until


class _Target:
    """What the camera looks at: the middle of the people, followed calmly."""

    def __init__(self, stamps_s: Array, people: list[RigPerson]) -> None:
        middle: Array = np.tile([0.0, 0.0, 0.9], (len(stamps_s), 1))
        if people:
            middle = np.mean([person.hips for person in people], 0)
        width = int(1.5 * MOCAP_FPS)
        window = np.hanning(width) / np.hanning(width).sum()
        padded = np.pad(middle, ((width, width), (0, 0)), mode="edge")
        smooth = np.stack([np.convolve(column, window, "same") for column in padded.T], 1)
        self._spline = make_interp_spline(stamps_s, smooth[width:-width], k=3)
        self._last_s = float(stamps_s[-1])

    def __call__(self, times_s: Array) -> Array:
        return np.asarray(self._spline(np.clip(times_s, 0.0, self._last_s)))
