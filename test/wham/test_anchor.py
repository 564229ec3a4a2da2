"""The world position follows displacements and is tied by what the camera sees."""

from __future__ import annotations

import numpy as np

from humor_ros.wham.anchor import (
    MAX_HIP_ACCELERATION,
    MAX_TIE_SPEED,
    PositionFilter,
    camera_position_covariance,
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
