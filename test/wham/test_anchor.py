"""The world position follows displacements and is tied by what the camera sees."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.wham.anchor import (
    COAST_S,
    MAX_HIP_ACCELERATION,
    MAX_TIE_SPEED,
    MAX_UNSEEN_SPEED,
    PositionFilter,
    camera_position_covariance,
    coast,
    limited_displacement,
    orientation_covariance,
)


def test_the_seen_position_is_least_certain_along_the_ray() -> None:
    position = np.array([1.0, 0.2, 4.0])
    values, vectors = np.linalg.eigh(camera_position_covariance(position))
    ray = position / np.linalg.norm(position)
    assert abs(vectors[:, -1] @ ray) > 0.999
    assert values[-1] > 4 * values[0]


def test_displacements_add_up_exactly_without_sight() -> None:
    place = PositionFilter.start(np.zeros(3), 0.01 * np.eye(3))
    for _ in range(100):
        place = place.move(np.array([0.01, 0.0, 0.0]), 1 / 30)
    np.testing.assert_allclose(place.position, [1.0, 0.0, 0.0], atol=1e-12)


def test_uncertainty_grows_without_sight_and_faster_when_occluded() -> None:
    place = PositionFilter.start(np.zeros(3), 0.01 * np.eye(3))
    seen = place.move(np.zeros(3), 1.0)
    hidden = place.move(np.zeros(3), 1.0, seen=False)
    assert np.trace(place.covariance) < np.trace(seen.covariance) < np.trace(hidden.covariance)


def test_a_drifting_displacement_stays_near_what_is_seen() -> None:
    rng = np.random.default_rng(1)
    covariance = camera_position_covariance(np.array([0.0, 0.0, 4.0]))
    place = PositionFilter.start(np.array([0.0, 0.0, 4.0]), covariance)
    for _ in range(900):
        place = place.move(np.array([0.002, 0.0, 0.0]), 1 / 30)  # 1.8 m of drift in all
        seen = np.array([0.0, 0.0, 4.0]) + 0.02 * rng.standard_normal(3)
        place = place.see(seen, covariance)
    assert abs(place.position[0]) < 0.3


def test_covariances_stay_symmetric_and_positive() -> None:
    covariance = camera_position_covariance(np.array([0.5, 0.0, 3.0]))
    place = PositionFilter.start(np.zeros(3), covariance)
    for _ in range(50):
        place = place.move(np.zeros(3), 1 / 30).see(np.ones(3), covariance)
    np.testing.assert_allclose(place.covariance, place.covariance.T, atol=1e-12)
    assert np.linalg.eigvalsh(place.covariance).min() > 0


def test_a_jump_of_the_seen_position_moves_a_person_by_a_bounded_step_and_is_stated() -> None:
    covariance = camera_position_covariance(np.array([0.0, 0.0, 4.0]))
    place = PositionFilter.start(np.zeros(3), covariance)
    jumped = np.array([2.0, 0.0, 0.0])
    largest, inside = 0.0, []
    for _ in range(240):
        before = place.position
        place = place.move(np.zeros(3), 1 / 30).see(jumped, covariance, 1 / 30)
        largest = max(largest, float(np.linalg.norm(place.position - before)))
        error = place.position - jumped
        inside.append(float(error @ np.linalg.solve(place.covariance, error)) < 16.0)
    assert largest <= MAX_TIE_SPEED / 30 + 1e-9
    assert np.linalg.norm(place.position - jumped) < 0.1
    assert np.mean(inside) > 0.9


def test_hips_are_not_thrown_by_one_wrong_contact() -> None:
    before = np.array([0.5, 0.0, 0.0])
    told = limited_displacement(np.array([0.2, 0.1, 0.0]), 1 / 30, before)
    change = np.linalg.norm(told * 30 - before) * 30
    np.testing.assert_allclose(change, MAX_HIP_ACCELERATION)
    usual = before / 30 + np.array([0.0, 0.01, 0.0])
    np.testing.assert_array_equal(limited_displacement(usual, 1 / 30, before), usual)
    np.testing.assert_array_equal(limited_displacement(usual, 0.0, before), usual)


def test_a_person_s_turn_about_the_vertical_is_the_least_certain() -> None:
    variances = np.diag(orientation_covariance(0.1))
    np.testing.assert_allclose(variances.mean(), 0.01, rtol=0.02)
    assert variances[1] > 2.0 * variances[0]


def test_who_comes_into_sight_again_stands_there_at_once() -> None:
    place = PositionFilter.start(np.zeros(3), 1e-4 * np.eye(3))
    for _ in range(30):
        place = place.move(np.zeros(3), 1 / 30, seen=False)
    far = np.array([1.5, 0.0, 0.0])
    seen = place.see(far, 1e-3 * np.eye(3), 1 / 30)
    np.testing.assert_allclose(seen.position, far, atol=0.1)
    # The allowance is spent: nobody who stays in sight is thrown about.
    for _ in range(20):
        seen = seen.move(np.zeros(3), 1 / 30).see(seen.position, 1e-3 * np.eye(3), 1 / 30)
    later = seen.see(np.zeros(3), 1e-3 * np.eye(3), 1 / 30)
    assert np.linalg.norm(later.position - seen.position) < MAX_TIE_SPEED / 30 + 0.01


def test_nobody_is_moved_further_than_they_may_have_gone_unseen() -> None:
    place = PositionFilter.start(np.zeros(3), 1e-4 * np.eye(3))
    place = place.move(np.zeros(3), 0.1, seen=False)
    seen = place.see(np.array([3.0, 0.0, 0.0]), 1e-3 * np.eye(3), 1 / 30)
    assert seen.position[0] <= 0.1 * MAX_UNSEEN_SPEED + MAX_TIE_SPEED / 30 + 1e-9


def test_unseen_people_keep_up_their_way_and_slow_down() -> None:
    going = None
    for frame in range(60):  # a stride sways about the way
        sway = 0.5 * np.sin(2 * np.pi * frame / 15)
        going = coast(np.array([1.0 + sway, 0.0, 0.0]), going, 1 / 30, True)
    assert going[0] == pytest.approx(1.0, abs=0.15)
    speeds = []
    for _ in range(60):
        going = coast(np.array([9.0, 9.0, 9.0]), going, 1 / 30, False)
        speeds.append(going[0])
    assert going[1] == 0.0
    assert np.diff(speeds).max() < 0
    assert speeds[-1] == pytest.approx(speeds[0] * np.exp(-59 / 30 / COAST_S))
    np.testing.assert_array_equal(coast(np.ones(3), None, 1 / 30, False), np.ones(3))


def test_depth_is_less_sure_of_who_is_half_seen_and_direction_is_not() -> None:
    position = np.array([0.0, 0.0, 4.0])
    whole = np.diag(camera_position_covariance(position))
    half = np.diag(camera_position_covariance(position, missing=5))
    assert half[2] > 4.0 * whole[2]
    np.testing.assert_allclose(half[:2], whole[:2])
