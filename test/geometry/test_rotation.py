"""Rotations obey the group's axioms, round trips and the stated conventions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation
from torch import Tensor

from humor_ros.geometry import (
    axis_angle_to_matrix,
    axis_angle_to_quaternion_xyzw,
    geodesic_distance,
    matrix_to_axis_angle,
    matrix_to_quaternion_xyzw,
    matrix_to_rotation_6d,
    project_to_rotation,
    quaternion_xyzw_to_axis_angle,
    quaternion_xyzw_to_matrix,
    rotation_6d_to_matrix,
)

DTYPES = [torch.float32, torch.float64]
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-11}

coordinates = st.floats(-3.0, 3.0, allow_nan=False, width=64)
vectors = arrays(np.float64, (3,), elements=coordinates)


def random_rotations(count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.from_numpy(Rotation.random(count, random_state=3).as_matrix()).to(dtype)


def assert_close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=TOLERANCE[actual.dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@given(vector=vectors)
@settings(deadline=None)
def test_rodrigues_matrix_is_orthonormal_and_right_handed(
    dtype: torch.dtype, vector: np.ndarray
) -> None:
    matrix = axis_angle_to_matrix(torch.from_numpy(vector).to(dtype))
    assert_close(matrix @ matrix.T, torch.eye(3, dtype=dtype))
    assert float(torch.linalg.det(matrix)) == pytest.approx(1.0, abs=1e-5)


@given(vector=vectors)
@settings(deadline=None)
def test_opposite_vector_gives_the_inverse(vector: np.ndarray) -> None:
    forward = axis_angle_to_matrix(torch.from_numpy(vector))
    backward = axis_angle_to_matrix(torch.from_numpy(-vector))
    assert_close(forward @ backward, torch.eye(3, dtype=torch.float64))


@given(axis=vectors, first=coordinates, second=coordinates)
@settings(deadline=None)
def test_turns_about_one_axis_add(axis: np.ndarray, first: float, second: float) -> None:
    unit = torch.from_numpy(axis / max(1e-3, float(np.linalg.norm(axis))))
    product = axis_angle_to_matrix(first * unit) @ axis_angle_to_matrix(second * unit)
    torch.testing.assert_close(
        product, axis_angle_to_matrix((first + second) * unit), rtol=0, atol=2e-6
    )


@given(vector=vectors)
@settings(deadline=None)
def test_rodrigues_equals_scipy(vector: np.ndarray) -> None:
    matrix = axis_angle_to_matrix(torch.from_numpy(vector))
    np.testing.assert_allclose(
        matrix.numpy(), Rotation.from_rotvec(vector).as_matrix(), rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("there", "back"),
    [
        (matrix_to_axis_angle, axis_angle_to_matrix),
        (matrix_to_quaternion_xyzw, quaternion_xyzw_to_matrix),
        (matrix_to_rotation_6d, rotation_6d_to_matrix),
        (project_to_rotation, project_to_rotation),
    ],
)
def test_round_trip_returns_the_matrix(dtype: torch.dtype, there, back) -> None:
    matrices = random_rotations(500, dtype)
    assert_close(back(there(matrices)), matrices)


def test_round_trip_holds_at_half_turns() -> None:
    half_turns = torch.diag_embed(
        torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64)
    )
    assert_close(axis_angle_to_matrix(matrix_to_axis_angle(half_turns)), half_turns)
    assert_close(quaternion_xyzw_to_matrix(matrix_to_quaternion_xyzw(half_turns)), half_turns)


def test_quaternions_equal_scipy_up_to_sign_and_have_positive_w() -> None:
    matrices = random_rotations(500)
    quaternions = matrix_to_quaternion_xyzw(matrices).numpy()
    expected = Rotation.from_matrix(matrices.numpy()).as_quat()
    expected *= np.sign((expected * quaternions).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(quaternions, expected, rtol=0, atol=1e-12)
    assert (quaternions[:, 3] >= 0).all()


def test_quaternion_length_and_sign_do_not_matter() -> None:
    matrices = random_rotations(50)
    quaternions = matrix_to_quaternion_xyzw(matrices)
    assert_close(quaternion_xyzw_to_matrix(-2.5 * quaternions), matrices)


def test_axis_angle_and_quaternion_agree() -> None:
    matrices = random_rotations(100)
    vectors = matrix_to_axis_angle(matrices)
    quaternions = axis_angle_to_quaternion_xyzw(vectors)
    assert_close(quaternion_xyzw_to_matrix(quaternions), matrices)
    assert_close(quaternion_xyzw_to_axis_angle(3.0 * quaternions), vectors)


def test_rotation_6d_is_the_first_two_rows() -> None:
    matrix = random_rotations(1)[0]
    expected = torch.cat((matrix[0], matrix[1]))
    assert torch.equal(matrix_to_rotation_6d(matrix), expected)


def test_rotation_6d_ignores_length_and_skew_of_the_rows() -> None:
    matrix = random_rotations(1)[0]
    skewed = torch.cat((2.0 * matrix[0], 0.5 * matrix[1] + 3.0 * matrix[0]))
    assert_close(rotation_6d_to_matrix(skewed), matrix)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "trailing"),
    [
        (axis_angle_to_matrix, (3,)),
        (matrix_to_axis_angle, (3, 3)),
        (quaternion_xyzw_to_matrix, (4,)),
        (matrix_to_quaternion_xyzw, (3, 3)),
        (rotation_6d_to_matrix, (6,)),
        (matrix_to_rotation_6d, (3, 3)),
        (project_to_rotation, (3, 3)),
    ],
)
def test_batch_axes_and_dtype_are_kept(dtype: torch.dtype, function, trailing) -> None:
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(2, 5, *trailing, generator=generator, dtype=dtype)
    result = function(value)
    assert result.dtype == dtype
    assert result.shape[:2] == (2, 5)
    assert function(value[0, :0]).shape[0] == 0
    torch.testing.assert_close(result[1, 2], function(value[1, 2]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "identity"),
    [
        (axis_angle_to_matrix, torch.zeros(3)),
        (axis_angle_to_quaternion_xyzw, torch.zeros(3)),
        (matrix_to_axis_angle, torch.eye(3)),
        (matrix_to_quaternion_xyzw, torch.eye(3)),
        (quaternion_xyzw_to_matrix, torch.tensor([0.0, 0, 0, 1])),
        (quaternion_xyzw_to_axis_angle, torch.tensor([0.0, 0, 0, 1])),
        (rotation_6d_to_matrix, torch.tensor([1.0, 0, 0, 0, 1, 0])),
        (matrix_to_rotation_6d, torch.eye(3)),
    ],
)
def test_gradient_is_finite_at_the_identity(dtype: torch.dtype, function, identity) -> None:
    value = identity.to(dtype, copy=True).requires_grad_()
    weights = torch.arange(1.0, 1.0 + function(value).numel(), dtype=dtype)
    (function(value).flatten() * weights).sum().backward()
    assert torch.isfinite(value.grad).all()
    assert value.grad.abs().max() > 0


def test_gradient_of_the_distance_is_finite_between_equal_rotations() -> None:
    matrix = torch.eye(3, requires_grad=True)
    geodesic_distance(matrix, torch.eye(3)).backward()
    assert torch.isfinite(matrix.grad).all()


@pytest.mark.parametrize("function", [rotation_6d_to_matrix, axis_angle_to_matrix])
def test_gradient_equals_finite_differences(function) -> None:
    size = 6 if function is rotation_6d_to_matrix else 3
    generator = torch.Generator().manual_seed(1)
    value = torch.randn(4, size, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (value,))


def test_distance_is_the_angle_between() -> None:
    start = random_rotations(20)
    axis = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    angles = torch.linspace(0.0, math.pi - 1e-3, 20, dtype=torch.float64)
    end = start @ axis_angle_to_matrix(angles[:, None] * axis)
    torch.testing.assert_close(geodesic_distance(start, end), angles, rtol=0, atol=1e-7)


def test_projection_never_gives_a_reflection() -> None:
    reflection = torch.diag(torch.tensor([1.0, 1.0, -1.0]))
    assert float(torch.linalg.det(project_to_rotation(reflection))) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("function", "shape", "name"),
    [
        (rotation_6d_to_matrix, (2, 5), "rotation_6d"),
        (axis_angle_to_matrix, (4,), "axis_angle"),
        (quaternion_xyzw_to_matrix, (3,), "quaternion_xyzw"),
        (matrix_to_axis_angle, (3, 4), "matrix"),
        (matrix_to_rotation_6d, (9,), "matrix"),
    ],
)
def test_wrong_shape_is_named(function, shape, name) -> None:
    with pytest.raises(ValueError, match=rf"{name} must have shape .* got"):
        function(torch.zeros(shape))


@pytest.mark.shared
def test_conversions_equal_the_golden_arrays(shared_golden: Path) -> None:
    golden = np.load(shared_golden / "wham" / "preproc_golden.npz")
    raw = torch.from_numpy(golden["in/d6_raw"])
    matrices = rotation_6d_to_matrix(raw)
    np.testing.assert_allclose(matrices, golden["out/rotation_6d_to_matrix"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        matrix_to_rotation_6d(matrices), golden["out/matrix_to_rotation_6d"], rtol=0, atol=1e-6
    )
    # The golden vectors and quaternions (wxyz) may choose the long way round.
    expected = torch.from_numpy(golden["out/rotation_6d_to_matrix"])
    by_vector = axis_angle_to_matrix(torch.from_numpy(golden["out/matrix_to_axis_angle"]))
    wxyz = torch.from_numpy(golden["out/matrix_to_quaternion"])
    by_quaternion = quaternion_xyzw_to_matrix(wxyz[:, [1, 2, 3, 0]])
    assert float(geodesic_distance(by_vector, expected).max()) < 2e-3
    assert_close(by_quaternion, expected)
    back = matrix_to_axis_angle(expected)
    assert_close(axis_angle_to_matrix(back), expected)
