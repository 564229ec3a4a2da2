"""What the packaged weights must be able to do, on simulated people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from humor_ros.body import BodyModel
from humor_ros.geometry import PinholeCamera
from humor_ros.inertial import ImuSimulation, simulate_imu, static_camera
from humor_ros.pipeline import PipelineConfig, TrackingPipeline
from humor_ros.types import Array, Detection, FrameResult, Image
from humor_ros.wham.initialisation import neutral_rotations
from humor_ros.wham.stream import StreamConfig

CAMERA = PinholeCamera.assume(1280, 720)
BLANK = np.zeros((720, 1280, 3), np.uint8)
BODY = BodyModel.load()
#: Maps the SMPL root frame (x left, y up, z forward) of a person who faces along -x of the world.
FACING_BACK = np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]])


@dataclass
class Walker:
    """A standing person on a given way, seen by a given camera, as a detector.

    Attributes:
        way: mid-hip in the z-up world over time, metres.
        rotation_world_camera: (3, 3).
    """

    way: Callable[[float], Array]
    rotation_world_camera: Array
    now_s: float = 0.0
    orientation: Array = field(default_factory=lambda: FACING_BACK)

    def joints_world(self) -> Array:
        rotations = neutral_rotations(1)
        rotations[0, 0] = torch.as_tensor(self.orientation, dtype=torch.float32)
        output = BODY(torch.zeros(1, 10), rotations)
        points = output.keypoints31[0, :17].double().numpy()
        return points - points[11:13].mean(0) + self.way(self.now_s)

    def keypoints(self) -> Array:
        pixels = CAMERA.project(self.joints_world() @ self.rotation_world_camera)
        return np.concatenate([pixels, np.full((17, 1), 0.9)], axis=1)

    def detect(self, image_bgr: Image) -> list[Detection]:
        points = self.keypoints()
        box = np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])
        return [Detection(box, 0.9, points)]

    def refine(self, image_bgr: Image, boxes_xyxy: Array) -> Array:
        return np.repeat(self.keypoints()[None], len(boxes_xyxy), axis=0)


def track(walker: Walker, stamps: Array, seed: int = 0) -> list[FrameResult]:
    pipeline = TrackingPipeline(detector=walker)
    pipeline.set_camera(CAMERA)
    attitude = walker.rotation_world_camera
    samples = simulate_imu(
        lambda _: attitude, stamps[0] - 0.5, stamps[-1] + 0.1, ImuSimulation(seed=seed)
    )
    for sample in samples:
        pipeline.add_imu(sample)
    results = []
    for stamp in stamps:
        walker.now_s = float(stamp)
        if pipeline.wants(stamp):
            results.append(pipeline.process(BLANK, float(stamp)))
    return results


def standing_at(x: float, y: float = 0.0, z: float = 0.0) -> Callable[[float], Array]:
    return lambda _: np.array([x, y, z])


@pytest.mark.parametrize("pitch_deg", [0.0, 20.0])
@pytest.mark.parametrize("turn_deg", [0.0, 90.0, 180.0])
def test_a_standing_person_is_upright_in_the_world(pitch_deg: float, turn_deg: float) -> None:
    turn = Rotation.from_euler("z", turn_deg, degrees=True).as_matrix()
    pitch = np.radians(pitch_deg)
    in_the_middle = standing_at(4.0, 0.0, -4.0 * np.tan(pitch))
    walker = Walker(in_the_middle, static_camera(pitch)(0.0), orientation=turn @ FACING_BACK)
    human = track(walker, 100.0 + np.arange(60) / 30)[-1].humans[0]
    tilt = np.degrees(np.arccos(np.clip(human.root_orientation_world[2, 1], -1, 1)))
    assert tilt < 15
    error = Rotation.from_matrix(human.root_orientation_world @ walker.orientation.T)
    assert np.degrees(error.magnitude()) < 35


def test_a_standing_person_is_where_the_person_stands() -> None:
    walker = Walker(standing_at(4.0, 0.5), static_camera(np.radians(10))(0.0))
    human = track(walker, 100.0 + np.arange(60) / 30)[-1].humans[0]
    hips = human.coco17_camera[11:13].mean(0)
    truth = walker.rotation_world_camera.T @ walker.way(0.0)
    assert np.linalg.norm(hips - truth) < 0.6
    assert np.linalg.norm((hips - truth)[:2]) < 0.15


def test_joints_of_a_standing_person_are_near() -> None:
    walker = Walker(standing_at(4.0), static_camera()(0.0))
    human = track(walker, 100.0 + np.arange(60) / 30)[-1].humans[0]
    truth = walker.joints_world() @ walker.rotation_world_camera
    error = human.coco17_camera - human.coco17_camera[11:13].mean(0)
    error = error - (truth - truth[11:13].mean(0))
    assert np.linalg.norm(error[5:], axis=1).mean() < 0.1


def test_feet_of_a_standing_person_are_in_contact() -> None:
    human = track(Walker(standing_at(4.0), static_camera()(0.0)), 100.0 + np.arange(60) / 30)[-1]
    assert (human.humans[0].contacts > 0.5).all()


def test_bone_lengths_settle() -> None:
    results = track(Walker(standing_at(4.0), static_camera()(0.0)), 100.0 + np.arange(90) / 30)
    joints = np.array([result.humans[0].joints_camera for result in results[45:]])
    thigh = np.linalg.norm(joints[:, 4] - joints[:, 1], axis=1)
    assert thigh.std() < 0.005


def _stamps(kind: str) -> Array:
    rng = np.random.default_rng(5)
    rates = {"15 Hz": 15, "25 Hz": 25, "30 Hz": 30, "60 Hz": 60}
    if kind in rates:
        return 100.0 + np.arange(int(3 * rates[kind])) / rates[kind]
    stamps = 100.0 + np.arange(90) / 30
    if kind == "jitter":
        return stamps + rng.uniform(-0.008, 0.008, 90)
    return np.delete(stamps, rng.choice(np.arange(10, 80), 15, replace=False))  # dropped images


@pytest.mark.parametrize("kind", ["15 Hz", "25 Hz", "60 Hz", "jitter", "dropped"])
def test_the_pose_does_not_depend_on_the_frame_rate(kind: str) -> None:
    def way(stamp_s: float) -> Array:
        return np.array([4.0, 0.6 * np.sin(1.5 * (stamp_s - 100.0)), 0.0])

    answers = []
    for name in ("30 Hz", kind):
        result = track(Walker(way, static_camera()(0.0)), _stamps(name))[-1].humans[0]
        answers.append(result.joints_camera - result.joints_camera[0])
    assert np.linalg.norm(answers[0] - answers[1], axis=1).mean() < 0.06


def test_the_published_trajectory_decoder_stays_upright() -> None:
    walker = Walker(standing_at(4.0), static_camera()(0.0))
    pipeline = TrackingPipeline(
        PipelineConfig(stream=StreamConfig(world_mode="wham")), detector=walker
    )
    for stamp in 100.0 + np.arange(90) / 30:
        result = pipeline.process(BLANK, float(stamp))
    tilt = np.degrees(np.arccos(np.clip(result.humans[0].root_orientation_world[2, 1], -1, 1)))
    assert tilt < 25
