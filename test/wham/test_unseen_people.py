"""People who are hidden for a while: pose, way and return, of the packaged weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from wham_cases import still_camera

from humor_ros.body import BodyModel
from humor_ros.geometry import ROTATION_FLU_OPTICAL, PinholeCamera
from humor_ros.types import Track, TrackingState
from humor_ros.wham.initialisation import neutral_rotations
from humor_ros.wham.models import load_models
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.person import PersonMotion
from humor_ros.wham.stream import StreamConfig, WhamStream

CAMERA = PinholeCamera.assume(1280, 720)
STEP_S = 1.0 / 30.0
SEEN, HIDDEN = 30, 40


@pytest.fixture(scope="module")
def models() -> tuple[WhamNetwork, BodyModel]:
    return load_models(None, None)


def watch(models: tuple[WhamNetwork, BodyModel], config: StreamConfig) -> list[PersonMotion]:
    """Somebody who stands 4 m away, hides, and comes into sight again a metre to the right."""
    points = models[1](torch.zeros(1, 10), neutral_rotations(1)).keypoints31[0, :17]
    local = points.double().numpy() - points[11:13].double().numpy().mean(0)
    stream = WhamStream(*models, config)
    motions = []
    for index in range(SEEN + HIDDEN + 15):
        hidden = SEEN <= index < SEEN + HIDDEN
        place = np.array([1.0 if index >= SEEN + HIDDEN else 0.0, 0.0, 4.0])
        pixels = CAMERA.project(local + place)
        keypoints = np.column_stack((pixels, np.full(17, 0.0 if hidden else 0.9)))
        box = np.concatenate((pixels.min(0), pixels.max(0)))
        state = TrackingState.OCCLUDED if hidden else TrackingState.TRACKED
        track = Track(1, state, keypoints, box, index * STEP_S, 0.0, 0.9)
        motions += stream.step([track], still_camera(index, STEP_S), CAMERA)
    return motions


def bent(motions: list[PersonMotion], first: PersonMotion) -> np.ndarray:
    """Mean distance of joints about the root from those of a moment, metres."""
    before = first.joints_world - first.joints_world[0]
    return np.array(
        [
            np.linalg.norm(m.joints_world - m.joints_world[0] - before, axis=-1).mean()
            for m in motions
        ]
    )


def test_who_is_hidden_keeps_pose_and_heading(models: tuple[WhamNetwork, BodyModel]) -> None:
    told = watch(models, StreamConfig())
    hidden = told[SEEN : SEEN + HIDDEN]
    assert bent(hidden, told[SEEN - 1]).max() < 1e-4
    assert max(np.linalg.norm(m.angular_velocity_world) for m in hidden[1:]) < 1e-3
    free = watch(models, StreamConfig(hold_unseen_pose=False))
    assert bent(free[SEEN : SEEN + HIDDEN], free[SEEN - 1]).max() > 0.02


def test_who_stood_still_is_not_carried_away(models: tuple[WhamNetwork, BodyModel]) -> None:
    told = watch(models, StreamConfig())
    way = told[SEEN + HIDDEN - 1].joints_world[0] - told[SEEN - 1].joints_world[0]
    assert np.linalg.norm(way) < 0.1
    spread = [
        np.trace(told[i].root_covariance_world[:3, :3]) for i in (SEEN - 1, SEEN + HIDDEN - 1)
    ]
    assert spread[1] > 2.0 * spread[0]


def test_who_comes_back_stands_where_they_are_seen(models: tuple[WhamNetwork, BodyModel]) -> None:
    told = watch(models, StreamConfig())
    before, back = told[SEEN - 1].joints_world[0], told[SEEN + HIDDEN + 4].joints_world[0]
    right = ROTATION_FLU_OPTICAL @ np.array([1.0, 0.0, 0.0])
    assert (back - before) @ right == pytest.approx(1.0, abs=0.15)
    assert bent(told[-1:], told[SEEN - 1])[0] < 0.12
