"""A pipeline that sees one walking person in every image that is not black; it costs nothing."""

from __future__ import annotations

from collections import Counter

import numpy as np
from synthetic_people import make_human, make_result

from humor_ros.features.feature_report import FeatureStatus
from humor_ros.geometry import PinholeCamera
from humor_ros.late_images import LateImages
from humor_ros.pipeline import FrameRejected
from humor_ros.types import CameraMotionMode, TrackingState


class FakeInertial:
    """Notes how the IMU is mounted."""

    state = None

    def __init__(self):
        self.rotation_camera_imu = None
        self.fields = []

    def set_extrinsics(self, rotation):
        self.rotation_camera_imu = np.array(rotation)

    def add_magnetic_field(self, stamp_s, field):
        self.fields.append((stamp_s, field))


class FakeWatch:
    """Finds no fault."""

    faults = ()


class FakePipeline:
    """The face of ``TrackingPipeline`` without its networks."""

    def __init__(self, people=("abcde",)):
        self.people = people
        self.inertial = FakeInertial()
        self.imu_watch = FakeWatch()
        self.camera = None
        self.given_camera = None
        self.samples = []
        self.poses = []
        self.stamps = []
        self.lifted = []
        self.shapes = []
        self.fail_with = None
        self._counts = Counter()
        self._here = False
        self._late = LateImages()

    @property
    def counters(self):
        return {f"pipeline.{name}": count for name, count in self._counts.items()} | {
            "inertial.imu_invalid": self._counts["imu_invalid"]
        }

    @property
    def feature_status(self):
        return FeatureStatus()

    def close(self):
        self.closed = True

    def set_camera(self, camera):
        self.given_camera = camera

    def add_imu(self, sample):
        if not np.isfinite(sample.angular_velocity).all():
            self._counts["imu_invalid"] += 1
        self.samples.append(sample)

    def add_camera_pose(self, stamp_s, rotation, position):
        self.poses.append((stamp_s, rotation, position))

    def reset(self, reason):
        self._counts["resets"] += 1
        self.stamps.clear()

    def wants(self, stamp_s):
        return True

    def observe(self, image_bgr, stamp_s):
        if self.fail_with is not None:
            error, self.fail_with = self.fail_with, None
            raise error
        if self.stamps and stamp_s <= self.stamps[-1]:
            if self._late.starts_anew(stamp_s, self.stamps[-1]):
                self.reset("stamps went back")
            else:
                self._counts["rejected_stamp_not_newer"] += 1
                raise FrameRejected("stamp_not_newer", "image stamp is not after the last one")
        self.stamps.append(stamp_s)
        self._late.forget()
        height, width = image_bgr.shape[:2]
        self.shapes.append((width, height))
        self.camera = self.given_camera or PinholeCamera.assume(width, height)
        seen = bool(image_bgr.max() > 10)
        humans = []
        if seen or self._here:
            state = TrackingState.TRACKED if seen else TrackingState.LOST
            humans = [
                make_human(name, stamp_s, seed=i, position=(i, 0, 3), state=state)
                for i, name in enumerate(self.people)
            ]
        self._here = seen
        return stamp_s, humans

    def lift(self, observation):
        stamp_s, humans = observation
        self.lifted.append(stamp_s)
        known = self.samples and self.inertial.rotation_camera_imu is not None
        mode = CameraMotionMode.IMU if known else CameraMotionMode.STATIC
        return make_result(humans, stamp_s, mode=mode)
