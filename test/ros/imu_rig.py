"""A camera with an IMU played to the tracker over DDS: the real pipeline, a person painted in.

Stamps run as fast as the tracker works, and so does the clock by which messages arrive: a busy
machine changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from sensor_msgs.msg import Imu
from std_msgs.msg import Header
from tracker_harness import TrackerHarness

from humor_ros.body import BodyModel
from humor_ros.geometry import PinholeCamera
from humor_ros.inertial import LEVEL_WORLD_CAMERA, ImuSimulation, simulate_imu
from humor_ros.inertial.so3 import exp_so3
from humor_ros.pipeline import TrackingPipeline
from humor_ros.ros.configuration import pipeline_config
from humor_ros.ros.outputs import image_message
from humor_ros.ros.time_conversion import stamp_from_seconds
from humor_ros.types import Detection

WIDTH, HEIGHT = 320, 240
IMAGE_S, IMU_HZ = 0.1, 100.0
CAMERA = PinholeCamera.assume(WIDTH, HEIGHT)
#: A real IMU: without noise it would be a stuck one.
NOISE = ImuSimulation(
    rate_hz=IMU_HZ,
    gyroscope_noise_density=2e-4,
    gyroscope_bias=(0.004, -0.003, 0.002),
    accelerometer_noise_density=1.5e-3,
    seed=4,
)
_START_S = 1000.0


class Stage:
    """A detector that sees one person who stands."""

    def __init__(self):
        rotations = torch.eye(3).repeat(1, 24, 1, 1)
        rotations[0, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        points = BodyModel.load()(torch.zeros(1, 10), rotations).keypoints31[0, :17]
        points = points.double().numpy()
        points = points - points[11:13].mean(0) + np.array([0.0, 0.0, 4.0])
        self.points = np.column_stack([CAMERA.project(points), np.full(17, 0.9)])
        self.box = np.concatenate([self.points[:, :2].min(0), self.points[:, :2].max(0)])

    def detect(self, image_bgr):
        return [Detection(self.box, 0.9, self.points.copy())]

    def refine(self, image_bgr, boxes_xyxy):
        return np.repeat(self.points[None], len(boxes_xyxy), 0)


def wobble(t):
    """A hand-held camera: turns of some degrees about all three axes."""
    t = t - _START_S
    vector = 0.13 * np.sin(2.0 * np.pi * np.array([0.55, 0.8, 0.65]) * t + np.array([0, 1.0, 2.0]))
    return LEVEL_WORLD_CAMERA @ exp_so3(vector)


class Scene:
    """Pictures of a textured background, infinitely far, by a camera that turns."""

    def __init__(self):
        random = np.random.default_rng(11)
        size = (1400, 1400)
        noise = random.integers(0, 256, (size[1] // 7, size[0] // 7), np.uint8)
        self._picture = cv2.GaussianBlur(cv2.resize(noise, size), (0, 0), 1.5)
        self._matrix = np.array(CAMERA.matrix)
        self._whole = self._matrix.copy()
        self._whole[0, 2] += (size[0] - WIDTH) / 2
        self._whole[1, 2] += (size[1] - HEIGHT) / 2

    def picture(self, attitude):
        turn = attitude.T @ LEVEL_WORLD_CAMERA
        warp = self._matrix @ turn @ np.linalg.inv(self._whole)
        grey = cv2.warpPerspective(self._picture, warp, (WIDTH, HEIGHT))
        return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)


class ImuRig(TrackerHarness):
    """The tracker with the packaged weights, an IMU and images that belong together.

    Args:
        parameters: of the tracker.
        attitude: time in seconds to camera->world.
        image_s: time from image to image, in stamps.
    """

    def __init__(self, parameters=None, attitude=wobble, image_s=IMAGE_S):
        values = {"imu.wait": 0.2, "background.budget": 1.0} | (parameters or {})
        super().__init__(values, factory=self._make)
        self.attitude = attitude
        self.image_s = image_s
        self.scene = Scene()
        self._now_s = _START_S
        self._sent = 0
        self.modes = []
        self._samples = iter(simulate_imu(attitude, _START_S - 0.5, 1e9, NOISE))
        self._next = next(self._samples)

    def _make(self, values):
        self.pipeline = TrackingPipeline(pipeline_config(values), detector=Stage())
        return self.pipeline

    def activate(self):
        super().activate()
        self.wait(lambda: self.imu.get_subscription_count() > 0)
        clocks = self.node._inputs.clocks
        note_imu, note_image = clocks.imu.note, clocks.note_image
        clocks.imu.note = lambda stamp_s, _: note_imu(stamp_s, self._now_s)
        clocks.note_image = lambda stamp_s, _: note_image(stamp_s, self._now_s)

    def play(self, seconds, change=None, *, imu=True, image_offset_s=0.0, hold_s=0.0):
        """Play on.

        Args:
            seconds: how long, in stamps.
            change: sample to the sample that the driver sends, or None where it sends none.
            imu: whether the IMU sends at all.
            image_offset_s: added to the stamps of the images.
            hold_s: the IMU holds its samples back for so long at the end of which all come.
        """
        held, held_until_s = [], self._now_s + hold_s
        for _ in range(round(seconds / self.image_s)):
            self._now_s += self.image_s
            while self._next.stamp_s <= self._now_s + 0.012:
                sample = self._next if change is None else change(self._next)
                self._next = next(self._samples)
                if imu and sample is not None:
                    held.append(sample)
            if self._now_s >= held_until_s:
                self.send_samples(held)
                held = []
            self.show(self._now_s + image_offset_s)

    def send_samples(self, samples, frame="imu"):
        for sample in samples:
            self.imu.publish(imu_message(sample, frame))
        self._sent += len(samples)
        source = self.node._inputs.imu
        self.wait(lambda: source.received >= self._sent)

    def show(self, stamp_s):
        """One image, until the tracker is done with it, or has left it out."""
        done = self.done
        picture = self.scene.picture(self.attitude(self._now_s))
        message = image_message(picture, Header(stamp=stamp_from_seconds(stamp_s), frame_id="cam"))
        self.wait(
            lambda: self.done > done,
            again=lambda: self.images.publish(message),
            every_s=2.0,
        )
        self.modes.append(self.mode)

    @property
    def done(self):
        """Images that were processed or left out."""
        worker = self.node._worker
        refused = self.node._reporter.counters.get("images_stamp_not_newer", 0)
        return worker.times.processed + worker.skipped + refused

    @property
    def ids(self):
        """Names of the people of the last image."""
        return [human.person_id for human in self.node._worker.last_result.humans]

    @property
    def mode(self):
        """Where the camera's motion came from at the last image."""
        return self.node._worker.last_result.camera.mode.value

    def motion_diagnostics(self):
        """Message and values of the newest status of the camera's motion; empty before it."""
        told = self.received["/diagnostics"]
        if not told or len(told[-1].status) < 2:
            return "", {}
        status = told[-1].status[1]
        return status.message, {item.key: item.value for item in status.values}

    def wait_for_fault(self, name):
        """Until diagnostics tell a fault; returns the message of the status."""
        self.wait(lambda: name in self.motion_diagnostics()[1].get("faults", ""))
        self.wait_for_count(f"inertial.fault_{name.removeprefix('imu_')}")
        self.wait(lambda: name in self.diagnostics()["imu_faults"])
        return self.motion_diagnostics()[0]


def imu_message(sample, frame="imu"):
    message = Imu(header=Header(stamp=stamp_from_seconds(sample.stamp_s), frame_id=frame))
    rate, force = message.angular_velocity, message.linear_acceleration
    rate.x, rate.y, rate.z = (float(v) for v in sample.angular_velocity)
    force.x, force.y, force.z = (float(v) for v in sample.linear_acceleration)
    return message


def rates(change):
    """A driver that changes the rates."""
    return lambda s: replace(s, angular_velocity=change(s.angular_velocity))


def forces(change):
    """A driver that changes the accelerations."""
    return lambda s: replace(s, linear_acceleration=change(s.linear_acceleration))


def both(change):
    """A driver that changes both."""
    return lambda s: forces(change)(rates(change)(s))


def later(offset_s):
    """A driver whose clock is ahead."""
    return lambda s: replace(s, stamp_s=s.stamp_s + offset_s)
