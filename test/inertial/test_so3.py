"""The NumPy rotation helpers against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from humor_ros.inertial.so3 import (
    exp_so3,
    interpolate_rotation,
    log_so3,
    nearest_rotation,
    orthonormalised,
    rotation_about_z,
    rotation_aligning,
    twist_about_z,
)

component = st.floats(-4.0, 4.0)
vectors = st.tuples(component, component, component).map(np.array)


@given(vectors, st.sampled_from([1.0, 1e-3, 1e-5, 1e-9]))
def test_exp_is_the_rotation_of_scipy(vector, scale):
    np.testing.assert_allclose(
        exp_so3(vector * scale), Rotation.from_rotvec(vector * scale).as_matrix(), atol=1e-12
    )


def test_exp_of_a_batch_is_the_batch_of_exps():
    batch = np.random.default_rng(0).normal(size=(2, 5, 3))
    each = [[exp_so3(vector) for vector in row] for row in batch]
    np.testing.assert_allclose(exp_so3(batch), each, atol=1e-15)


@given(vectors)
def test_log_undoes_exp_up_to_a_full_turn(vector):
    rotation = exp_so3(vector)
    logarithm = log_so3(rotation)
    assert np.linalg.norm(logarithm) <= math.pi + 1e-9
    np.testing.assert_allclose(exp_so3(logarithm), rotation, atol=1e-7)


@pytest.mark.parametrize("angle", [math.pi, math.pi - 1e-9, math.pi - 1e-7, math.pi - 1e-5])
@pytest.mark.parametrize("axis", [[1, 0, 0], [0, -1, 0], [1, 2, -3], [-0.1, 0.0, 5.0]])
def test_log_holds_near_half_a_turn(axis, angle):
    vector = np.array(axis) / np.linalg.norm(axis) * angle
    np.testing.assert_allclose(exp_so3(log_so3(exp_so3(vector))), exp_so3(vector), atol=1e-6)


def test_interpolation_is_slerp():
    pair = Rotation.from_rotvec([[0.1, 0.2, 0.3], [1.0, -0.5, 2.0]])
    expected = Slerp([0, 1], pair)(0.3).as_matrix()
    first, second = pair.as_matrix()
    np.testing.assert_allclose(interpolate_rotation(first, second, 0.3), expected, atol=1e-12)


@given(vectors, vectors)
def test_aligning_turns_the_source_to_the_target(source, target):
    if min(np.linalg.norm(source), np.linalg.norm(target)) < 1e-3:
        return
    source, target = source / np.linalg.norm(source), target / np.linalg.norm(target)
    rotation = rotation_aligning(source, target)
    np.testing.assert_allclose(rotation @ source, target, atol=1e-7)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)


def test_aligning_opposite_vectors_is_half_a_turn():
    rotation = rotation_aligning(np.array([0.0, 0.0, -1.0]), np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(rotation @ [0.0, 0.0, -1.0], [0.0, 0.0, 1.0], atol=1e-12)


@given(st.floats(-3.0, 3.0), st.floats(-1.5, 1.5), st.floats(-3.0, 3.0))
def test_twist_finds_the_turn_under_a_tilt(turn, tilt, direction):
    axis = np.array([math.cos(direction), math.sin(direction), 0.0])
    rotation = rotation_about_z(turn) @ exp_so3(axis * tilt)
    assert twist_about_z(rotation) == pytest.approx(turn, abs=1e-9)


def test_nearest_rotation_is_proper():
    assert np.linalg.det(nearest_rotation(np.diag([1.0, 1.0, -1.0]))) == pytest.approx(1.0)


def test_orthonormalised_takes_rounding_out():
    rotation = exp_so3(np.array([0.3, 0.4, -0.5])) + 1e-6
    clean = orthonormalised(rotation)
    assert np.abs(clean.T @ clean - np.eye(3)).max() < 1e-10
