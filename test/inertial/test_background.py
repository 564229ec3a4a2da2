"""Turns seen in the background: the tracker of corners and the fit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from humor_ros.geometry import PinholeCamera
from humor_ros.inertial.background_tracker import BackgroundConfig, BackgroundTracker
from humor_ros.inertial.so3 import exp_so3, log_so3
from humor_ros.inertial.visual_rotation import fit_turn

CAMERA = PinholeCamera.assume(1280, 720)
NOISE = 0.4 / CAMERA.fx


def texture(seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    small = random.integers(0, 255, (90, 160, 3)).astype(np.uint8)
    return cv2.resize(small, (1280, 720), interpolation=cv2.INTER_CUBIC)


def turned(image: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The image that a camera turned by ``rotation`` (now to then) sees of far walls."""
    homography = CAMERA.matrix @ rotation.T @ np.linalg.inv(CAMERA.matrix)
    return cv2.warpPerspective(image, homography, (1280, 720), borderMode=cv2.BORDER_REFLECT)


def room(seed: int, outliers: float = 0.0, step: float = 0.3, noise: float = NOISE):
    """Rays of 90 points in two images, and the true turn."""
    random = np.random.default_rng(seed)
    rotation = exp_so3(random.normal(size=3) * 0.08)
    way = random.normal(size=3)
    way *= step / np.linalg.norm(way)
    points = random.uniform([-3, -2, 3], [3, 2, 9], (90, 3))
    moved = points + (random.uniform(size=(90, 1)) < outliers) * random.normal(size=(90, 3)) * 0.4
    seen = (moved - way) @ rotation
    rays = [part[:, :2] / part[:, 2:] for part in (points, seen)]
    then, now = (part + random.normal(size=part.shape) * noise for part in rays)
    return then, now, rotation


def test_corners_tell_how_the_camera_turned():
    image = texture()
    tracker = BackgroundTracker(BackgroundConfig(interval_s=0.1))
    rotation = exp_so3(np.array([0.01, 0.03, 0.02]))
    first = tracker.update(image, 0.0, [], CAMERA)
    second = tracker.update(turned(image, rotation), 0.1, [], CAMERA)
    _, then, now = np.intersect1d(first.ids, second.ids, return_indices=True)
    assert len(then) > 40
    found = fit_turn(first.rays[then], second.rays[now], np.eye(3), NOISE)
    assert np.degrees(np.linalg.norm(log_so3(found.rotation @ rotation.T))) < 0.05


def test_no_corner_lies_on_a_person():
    tracker = BackgroundTracker()
    box = np.array([400.0, 100.0, 800.0, 700.0])
    points = tracker.update(texture(1), 0.0, [box], CAMERA)
    pixels = CAMERA.project(np.column_stack((points.rays, np.ones(len(points.rays)))))
    inside = (pixels > box[:2]).all(1) & (pixels < box[2:]).all(1)
    assert len(points.ids) > 30
    assert not inside.any()


def test_images_are_looked_at_no_more_often_than_asked():
    tracker = BackgroundTracker(BackgroundConfig(interval_s=0.1))
    image = texture(2)
    looks = [tracker.update(image, k / 30, [], CAMERA) is not None for k in range(10)]
    assert sum(looks) == 4


def test_a_tracker_that_costs_too_much_ceases():
    clock = iter(np.arange(0.0, 1000.0, 0.5))
    tracker = BackgroundTracker(BackgroundConfig(budget=0.01), timer=lambda: float(next(clock)))
    image = texture(3)
    for k in range(8):
        tracker.update(image, 10.0 * k, [], CAMERA)
    assert tracker.switched_off
    assert tracker.update(image, 1000.0, [], CAMERA) is None


def test_a_grey_wall_has_no_corners():
    points = BackgroundTracker().update(np.full((720, 1280, 3), 90, np.uint8), 0.0, [], CAMERA)
    assert len(points.ids) == 0


@pytest.mark.parametrize("outliers", [0.0, 0.2])
def test_a_step_to_the_side_is_told_from_a_turn(outliers):
    errors = []
    for seed in range(12):
        then, now, rotation = room(seed, outliers)
        guess = exp_so3(np.random.default_rng(seed).normal(size=3) * 0.003) @ rotation
        found = fit_turn(then, now, guess, NOISE)
        assert found.moved
        errors.append(np.degrees(np.linalg.norm(log_so3(found.rotation @ rotation.T))))
    assert np.median(errors) < 0.15


def test_the_covariance_of_a_turn_is_honest():
    inside = 0
    for seed in range(40):
        then, now, rotation = room(seed)
        found = fit_turn(then, now, rotation, NOISE)
        error = log_so3(found.rotation @ rotation.T)
        inside += error @ np.linalg.solve(found.covariance, error) < 7.81
    assert inside >= 34


def test_a_camera_that_only_turns_is_recognised():
    then, now, rotation = room(5, step=1e-6)
    found = fit_turn(then, now, np.eye(3), NOISE)
    assert not found.moved
    assert np.degrees(np.linalg.norm(log_so3(found.rotation @ rotation.T))) < 0.03


def test_too_few_points_and_pure_chance_tell_nothing():
    then, now, rotation = room(6)
    assert fit_turn(then[:8], now[:8], rotation, NOISE) is None
    random = np.random.default_rng(7)
    assert fit_turn(then, random.uniform(-0.4, 0.4, then.shape), rotation, NOISE) is None


def test_without_a_gyroscope_a_step_to_the_side_is_not_taken_for_a_turn():
    errors = []
    for seed in range(20):
        then, now, rotation = room(seed, outliers=0.1)
        guess = exp_so3(np.random.default_rng(seed).normal(size=3) * 0.06) @ rotation
        found = fit_turn(then, now, guess, 2.0 * NOISE, rough=True)
        errors.append(np.degrees(np.linalg.norm(log_so3(found.rotation @ rotation.T))))
    assert np.median(errors) < 0.3
    assert np.sort(errors)[-2] < 1.5


def test_noise_stated_too_large_does_not_hide_a_step_to_the_side():
    found = [
        fit_turn(then, now, rotation, 2.5 * NOISE)
        for then, now, rotation in (room(seed, step=0.05) for seed in range(10))
    ]
    assert sum(turn.moved for turn in found) >= 9
