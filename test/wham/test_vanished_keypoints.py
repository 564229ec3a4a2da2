"""Key-points that vanish for a moment are carried along, and what they hold up stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from wham_cases import still_camera

from humor_ros.body import BodyModel
from humor_ros.geometry import PinholeCamera
from humor_ros.types import Track, TrackingState
from humor_ros.wham.initialisation import neutral_rotations
from humor_ros.wham.keypoint_memory import KeypointMemory
from humor_ros.wham.models import load_models
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.observation import smoothed_boxes, tight_box
from humor_ros.wham.person import PersonMotion
from humor_ros.wham.stream import StreamConfig, WhamStream

CAMERA = PinholeCamera.assume(1280, 720)
STEP_S = 1.0 / 30.0
STILL = np.eye(3)
ANKLES, LEGS, NOSE = (15, 16), (13, 14, 15, 16), 0


@pytest.fixture(scope="module")
def models() -> tuple[WhamNetwork, BodyModel]:
    return load_models(None, None)


def standing(body: BodyModel) -> np.ndarray:
    """(17, 3) key-points of somebody who stands 4 m away and faces the camera."""
    points = body(torch.zeros(1, 10), neutral_rotations(1)).keypoints31[0, :17].double().numpy()
    points = points - points[11:13].mean(0) + np.array([0.0, 0.0, 4.0])
    return np.column_stack((CAMERA.project(points), np.full(17, 0.9)))


def person() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.column_stack((rng.uniform((600, 200), (700, 600), (17, 2)), np.full(17, 0.9)))


def without(keypoints: np.ndarray, joints: tuple[int, ...]) -> np.ndarray:
    """What a detector tells that does not find these joints: somewhere else, and unsure."""
    lost = keypoints.copy()
    lost[list(joints)] = (5.0, 5.0, 0.1)
    return lost


def carry(keypoints: np.ndarray, joints: tuple[int, ...], images: int) -> KeypointMemory:
    memory = KeypointMemory.start(keypoints)
    for _ in range(images):
        memory = memory.after(without(keypoints, joints), STILL, CAMERA, STEP_S)
    return memory


def test_the_box_of_a_person_whose_ankles_vanish_keeps_its_size(models) -> None:
    keypoints = standing(models[1])
    box = tight_box(keypoints)
    told = carry(keypoints, ANKLES, 10).told(0.5)
    assert tight_box(without(keypoints, ANKLES))[2] < 0.85 * box[2]
    np.testing.assert_allclose(smoothed_boxes(box, told[None], 0.3)[-1], box, atol=1e-9)


def test_what_is_not_seen_moves_as_what_is_seen_around_it() -> None:
    before = person()
    now = before + np.array([12.0, -7.0, 0.0])
    memory = KeypointMemory.start(before).after(without(now, LEGS), STILL, CAMERA, STEP_S)
    np.testing.assert_allclose(memory.told(0.5), now, atol=1e-9)


def test_near_key_points_count_more_than_far_ones() -> None:
    before = person()
    before[:, :2] = np.column_stack((np.full(17, 640.0), np.linspace(100.0, 600.0, 17)))
    now = before.copy()
    now[9:, 0] += 20.0  # the lower half steps aside
    memory = KeypointMemory.start(before).after(without(now, (2, 16)), STILL, CAMERA, STEP_S)
    assert abs(memory.points[2, 0] - 640.0) < 4.0
    assert abs(memory.points[16, 0] - 660.0) < 4.0


def test_a_turn_of_the_camera_carries_what_is_not_seen() -> None:
    turn = Rotation.from_rotvec([0.01, -0.03, 0.02]).as_matrix()  # camera now to camera then
    rays = (person()[:, :2] - [640.0, 360.0]) / CAMERA.fx
    then = np.column_stack((rays, np.ones(17))) * 3.0
    before = np.column_stack((CAMERA.project(then), np.full(17, 0.9)))
    now = np.column_stack((CAMERA.project(then @ turn), np.full(17, 0.9)))
    memory = KeypointMemory.start(before).after(without(now, LEGS), turn, CAMERA, STEP_S)
    np.testing.assert_allclose(memory.points, now, atol=1e-6)


def test_a_key_point_is_carried_for_a_while_and_the_heads_for_one_image() -> None:
    keypoints, lost = person(), (NOSE, *ANKLES)
    assert (carry(keypoints, lost, 1).told(0.5)[list(lost), 2] == 0.9).all()
    later = carry(keypoints, lost, 10).told(0.5)
    assert later[NOSE, 2] == 0.0
    assert (later[list(ANKLES), 2] == 0.9).all()
    assert (carry(keypoints, lost, 20).told(0.5)[list(lost), 2] == 0.0).all()


def test_what_was_never_seen_is_not_told() -> None:
    keypoints = person()
    memory = KeypointMemory.start(without(keypoints, LEGS))
    memory = memory.after(without(keypoints, LEGS), STILL, CAMERA, STEP_S)
    assert (memory.told(0.5)[list(LEGS), 2] == 0.0).all()
    assert np.isinf(memory.unseen_s[list(LEGS)]).all()


def test_nothing_is_told_of_who_is_hidden() -> None:
    memory = carry(person(), tuple(range(2, 17)), 1)
    told = memory.told(0.5)
    np.testing.assert_array_equal(np.flatnonzero(told[:, 2]), [0, 1])


def test_without_memory_the_network_gets_what_is_seen() -> None:
    told = carry(person(), LEGS, 1).told(0.0)
    seen = np.setdiff1d(np.arange(17), LEGS)
    np.testing.assert_array_equal(told[seen], person()[seen])
    assert (told[list(LEGS), 2] == 0.0).all()


def test_what_is_all_seen_is_told_as_measured() -> None:
    keypoints = person()
    np.testing.assert_array_equal(carry(keypoints, (), 3).told(0.5), keypoints)


def test_a_negative_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="keypoint_memory_s"):
        StreamConfig(keypoint_memory_s=-0.1)


def watch(
    models: tuple[WhamNetwork, BodyModel], images: list[np.ndarray], config: StreamConfig
) -> list[PersonMotion]:
    """What the stream tells of one person, from a level camera whose place is known."""
    stream = WhamStream(*models, config)
    motions = []
    for index, keypoints in enumerate(images):
        seen = keypoints[keypoints[:, 2] > 0.3, :2]
        box = np.concatenate((seen.min(0), seen.max(0)))
        track = Track(1, TrackingState.TRACKED, keypoints, box, index * STEP_S, 0.0, 0.9)
        motions += stream.step([track], still_camera(index, STEP_S), CAMERA)
    return motions


def depths(motions: list[PersonMotion]) -> np.ndarray:
    return np.array([motion.joints_camera[0, 2] for motion in motions])


def test_flickering_key_points_hardly_change_how_far_somebody_is(models) -> None:
    keypoints, rng = standing(models[1]), np.random.default_rng(0)
    flicker = [keypoints] + [
        without(keypoints, tuple(np.flatnonzero(rng.random(17) < 0.3))) for _ in range(40)
    ]
    whole = depths(watch(models, [keypoints] * 41, StreamConfig()))[10:]
    carried = depths(watch(models, flicker, StreamConfig()))[10:]
    masked = depths(watch(models, flicker, StreamConfig(keypoint_memory_s=0.0)))[10:]
    assert np.abs(carried / whole - 1.0).max() < 0.03
    assert np.abs(masked / whole - 1.0).max() > 2.0 * np.abs(carried / whole - 1.0).max()


def test_the_place_of_a_newcomer_half_seen_at_first_soon_mends(models) -> None:
    keypoints = standing(models[1])
    half = without(keypoints, (8, 11, *LEGS))
    whole = watch(models, [keypoints] * 30, StreamConfig())
    late = watch(models, [half] + [keypoints] * 29, StreamConfig())
    unsure = late[0].root_covariance_camera[2, 2] / whole[0].root_covariance_camera[2, 2]
    assert unsure > 4.0
    pairs = zip(whole, late, strict=True)
    errors = [float(np.linalg.norm(a.joints_world[0] - b.joints_world[0])) for a, b in pairs]
    assert max(errors) > 0.1
    assert errors[-1] < max(errors) / 3.0
