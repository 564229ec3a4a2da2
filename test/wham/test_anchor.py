"""The world position follows displacements and is tied by what the camera sees."""

from __future__ import annotations

import numpy as np

from humor_ros.wham.anchor import PositionFilter, camera_position_covariance


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
