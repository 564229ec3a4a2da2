"""The pinhole camera projects, straightens lenses, and refuses what it cannot use."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humor_ros.geometry import PinholeCamera

MATRIX = np.array([[910.0, 0.0, 655.0], [0.0, 905.0, 350.0], [0.0, 0.0, 1.0]])
LENSES = {
    "none": ("plumb_bob", ()),
    "zeros": ("plumb_bob", (0.0,) * 5),
    "plumb_bob": ("plumb_bob", (-0.3, 0.1, 0.001, -0.002, 0.02)),
    "plumb_bob_4": ("plumb_bob", (0.05, -0.1, 0.001, -0.002)),
    "rational": ("rational_polynomial", (0.2, -0.3, 0.001, 5e-4, 0.05, 0.4, -0.2, 0.03)),
    "equidistant": ("equidistant", (-0.02, 0.003, -0.001, 0.0002)),
    "equidistant_plain": ("equidistant", ()),
}

lenses = pytest.mark.parametrize("lens", LENSES)


def camera(lens: str = "none") -> PinholeCamera:
    model, distortion = LENSES[lens]
    return PinholeCamera(1280, 720, MATRIX, distortion, model)


def pixels(count: int = 200) -> np.ndarray:
    return np.random.default_rng(0).uniform([0, 0], [1280, 720], (count, 2))


@lenses
def test_projection_undoes_undistortion(lens: str) -> None:
    rays = camera(lens).undistort(pixels())
    places = np.column_stack((rays, np.ones(len(rays)))) * 3.7
    np.testing.assert_allclose(camera(lens).project(places), pixels(), rtol=0, atol=1e-5)


@lenses
def test_virtual_pixels_return(lens: str) -> None:
    there = camera(lens).to_virtual(pixels())
    np.testing.assert_allclose(camera(lens).from_virtual(there), pixels(), rtol=0, atol=1e-5)


def test_projection_equals_the_pinhole_formula() -> None:
    np.testing.assert_allclose(
        camera().project([[0.5, -0.25, 2.0]]), [[655 + 910 * 0.25, 350 - 905 * 0.125]]
    )


@pytest.mark.parametrize("lens", ["plumb_bob", "rational"])
def test_projection_equals_opencv(lens: str) -> None:
    model_camera = camera(lens)
    places = np.random.default_rng(1).uniform([-1, -1, 2], [1, 1, 5], (50, 3))
    expected, _ = cv2.projectPoints(
        places[:, None], np.zeros(3), np.zeros(3), MATRIX, np.array(model_camera.distortion)
    )
    np.testing.assert_allclose(model_camera.project(places), expected[:, 0], rtol=0, atol=1e-9)


def test_equidistant_radius_is_focal_length_times_angle() -> None:
    angle = 0.9
    place = [[np.sin(angle), 0.0, np.cos(angle)]]
    projected = camera("equidistant_plain").project(place)
    np.testing.assert_allclose(projected, [[655 + 910 * angle, 350]], rtol=0, atol=1e-6)


def test_points_behind_the_camera_project_to_nan() -> None:
    projected = camera().project([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert np.isnan(projected[:2]).all()
    np.testing.assert_array_equal(projected[2], [655, 350])


@lenses
def test_nan_pixels_stay_nan_without_touching_others(lens: str) -> None:
    given_pixels = pixels(3)
    given_pixels[1] = np.nan
    rays = camera(lens).undistort(given_pixels)
    assert np.isnan(rays[1]).all()
    np.testing.assert_allclose(rays[[0, 2]], camera(lens).undistort(pixels(3))[[0, 2]])


def test_pixels_that_no_ray_reaches_are_nan() -> None:
    assert np.isnan(camera("equidistant").undistort([[20000.0, 350.0]])).all()


@lenses
def test_no_points_give_no_points(lens: str) -> None:
    assert camera(lens).undistort(np.zeros((0, 2))).shape == (0, 2)
    assert camera(lens).project(np.zeros((0, 3))).shape == (0, 2)


def test_assumed_camera_has_the_diagonal_as_focal_length() -> None:
    assumed = PinholeCamera.assume(1280, 720)
    assert assumed.assumed
    assert assumed.fx == assumed.fy == pytest.approx(np.hypot(1280, 720))
    assert (assumed.cx, assumed.cy) == (640, 360)


def test_virtual_of_the_assumed_camera_changes_nothing() -> None:
    np.testing.assert_allclose(
        PinholeCamera.assume(1280, 720).to_virtual(pixels()), pixels(), rtol=0, atol=1e-9
    )


def test_virtual_follows_the_affine_formula() -> None:
    focal = np.hypot(1280, 720)
    u, v = 100.0, 600.0
    expected = [focal * (u - 655) / 910 + 640, focal * (v - 350) / 905 + 360]
    np.testing.assert_allclose(camera().to_virtual([u, v]), expected)


def test_virtual_keeps_leading_axes() -> None:
    assert camera().to_virtual(np.zeros((4, 17, 2))).shape == (4, 17, 2)


@given(scale=st.floats(0.1, 4.0), x=st.floats(-1, 1), y=st.floats(-1, 1))
@settings(deadline=None)
def test_scaled_camera_sees_the_resized_image(scale: float, x: float, y: float) -> None:
    place = [[x, y, 2.0]]
    resized = scale * (camera().project(place) + 0.5) - 0.5
    np.testing.assert_allclose(camera().scaled(scale).project(place), resized, rtol=0, atol=1e-7)


def test_cropped_camera_sees_shifted_pixels() -> None:
    place = [[0.2, 0.1, 2.0]]
    cropped = camera("plumb_bob").cropped(100, 50, 640, 480)
    assert (cropped.width, cropped.height) == (640, 480)
    np.testing.assert_allclose(
        cropped.project(place), camera("plumb_bob").project(place) - [100, 50], atol=1e-9
    )


def test_region_is_cut_before_binning() -> None:
    sent = camera().with_binning_and_roi(2, 2, (200, 100, 800, 400))
    assert (sent.width, sent.height) == (400, 200)
    place = [[0.0, 0.0, 1.0]]
    expected = (camera().project(place) - [200, 100] + 0.5) / 2 - 0.5
    np.testing.assert_allclose(sent.project(place), expected)


def test_zero_binning_and_region_mean_the_full_image() -> None:
    sent = camera().with_binning_and_roi(0, 0, (0, 0, 0, 0))
    np.testing.assert_array_equal(sent.matrix, camera().matrix)
    assert (sent.width, sent.height) == (1280, 720)


def test_matrix_is_copied_and_read_only() -> None:
    source = MATRIX.copy()
    held = PinholeCamera(1280, 720, source)
    source[0, 0] = 1.0
    assert held.fx == 910.0
    assert not held.matrix.flags.writeable


def test_flat_matrix_of_a_message_is_taken() -> None:
    np.testing.assert_array_equal(PinholeCamera(10, 10, MATRIX.ravel()).matrix, MATRIX)


def changed(row: int, column: int, value: float) -> np.ndarray:
    matrix = MATRIX.copy()
    matrix[row, column] = value
    return matrix


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1280, 720, changed(0, 0, 0.0)), "K has fx = 0"),
        ((1280, 720, changed(1, 1, -5.0)), "fy = -5"),
        ((1280, 720, np.zeros((3, 3))), "not calibrated"),
        ((1280, 720, changed(0, 0, np.nan)), "K holds NaN"),
        ((1280, 720, changed(2, 2, 0.5)), r"K must be \[\[fx"),
        ((1280, 720, np.eye(4)), r"K must have shape \(3, 3\)"),
        ((0, 720, MATRIX), "width must be a positive"),
        ((1280, -1, MATRIX), "height must be a positive"),
        ((1280, 720, MATRIX, (0.1, 0.2)), "4 or 5 coefficients, got 2"),
        ((1280, 720, MATRIX, (0.1,) * 5, "equidistant"), "4 coefficients, got 5"),
        ((1280, 720, MATRIX, (0.1, np.inf, 0, 0)), "D holds NaN"),
        ((1280, 720, MATRIX, (), "omnidirectional"), "unknown distortion model 'omnidirectional'"),
    ],
)
def test_unusable_calibration_is_refused_by_name(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PinholeCamera(*arguments)


def test_wrong_point_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"points must have shape \(N, 2\)"):
        camera().undistort(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"points must have shape \(N, 3\)"):
        camera().project(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"points must have shape \(\.\.\., 2\)"):
        camera().to_virtual(np.zeros((2, 3)))


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
def test_impossible_scale_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale_x must be a positive number"):
        camera().scaled(scale)
