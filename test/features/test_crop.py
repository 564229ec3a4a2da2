"""The crop: exact on the published boxes, black outside, errors and refusals by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humor_ros.features.crop import (
    MAX_SIDE_PX,
    crop_corners,
    crop_people,
    cut_out,
    usable_boxes,
)


def test_all_published_boxes_are_cropped_at_the_same_pixels(golden):
    with np.load(golden / "crop_boxes_golden.npz") as file:
        np.testing.assert_array_equal(crop_corners(file["bbox"]), file["ul_br"])


def test_published_crops_are_the_same_to_the_last_bit(golden):
    with np.load(golden / "inputs.npz") as file:
        crops = crop_people(file["image_bgr_uint8"], file["bbox_cx_cy_s"])
        np.testing.assert_array_equal(crops, file["norm_crop"])


coordinates = st.floats(-2000.0, 4000.0)


@given(coordinates, coordinates, st.floats(0.05, 20.0))
def test_corners_are_within_a_pixel_of_the_box(x, y, size):
    corners = crop_corners([[x, y, size]])[0]
    half = 100.0 * size
    assert np.abs(corners - np.array((x - half, y - half, x + half, y + half))).max() <= 0.501


def test_a_box_does_not_depend_on_those_beside_it():
    boxes = np.random.default_rng(0).uniform((0, 0, 0.1), (600, 400, 4), (50, 3))
    alone = np.concatenate([crop_corners(box[None]) for box in boxes])
    np.testing.assert_array_equal(crop_corners(boxes), alone)


def test_colours_are_normalised_red_first():
    image = np.zeros((300, 300, 3), dtype=np.uint8)
    image[..., 2] = 255
    crop = crop_people(image, [[150.0, 150.0, 1.0]])[0]
    middle = crop[:, 128, 128]
    np.testing.assert_allclose(
        middle, ((1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225), rtol=1e-6
    )


def test_outside_the_image_is_black_before_normalisation():
    image = np.full((100, 100, 3), 255, dtype=np.uint8)
    crop = crop_people(image, [[0.0, 50.0, 1.0]])[0]
    np.testing.assert_allclose(
        crop[:, 128, 20], np.array((-0.485, -0.456, -0.406)) / (0.229, 0.224, 0.225), rtol=1e-6
    )


def test_a_box_outside_the_image_gives_a_black_crop():
    image = np.full((100, 100, 3), 255, dtype=np.uint8)
    crop = crop_people(image, [[-500.0, 50.0, 1.0]])[0]
    assert np.ptp(crop, axis=(1, 2)).max() == 0.0
    assert crop[0, 0, 0] == pytest.approx(-0.485 / 0.229)


def test_boxes_that_cannot_be_used_are_told_apart():
    boxes = {
        "inside": ((50.0, 50.0, 0.5), True),
        "partly outside": ((-20.0, 50.0, 0.5), True),
        "around the image": ((50.0, 50.0, 4.0), True),
        "outside": ((-500.0, 50.0, 0.5), False),
        "below": ((50.0, 500.0, 0.5), False),
        "no area": ((50.0, 50.0, 0.0), False),
        "less than a pixel": ((50.25, 50.25, 1e-4), False),
        "negative": ((50.0, 50.0, -1.0), False),
        "not a number": ((np.nan, 50.0, 1.0), False),
        "infinite": ((50.0, 50.0, np.inf), False),
        "too large": ((50.0, 50.0, MAX_SIDE_PX / 200 + 1), False),
        "far away": ((1e300, 50.0, 1.0), False),
    }
    found = usable_boxes([box for box, _ in boxes.values()], 100, 100)
    assert dict(zip(boxes, found, strict=True)) == {name: good for name, (_, good) in boxes.items()}


@given(coordinates, coordinates, st.floats(1e-3, 3.0))
def test_usable_boxes_can_be_cropped_and_show_the_image(x, y, size):
    box = np.array([[x, y, size]])
    image = np.full((60, 80, 3), 255, dtype=np.uint8)
    if usable_boxes(box, 80, 60)[0]:
        left, top, right, bottom = crop_corners(box)[0]
        assert right > left
        assert bottom > top
        assert crop_people(image, box, 16).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("box", [(50.0, 50.0, 0.0), (50.0, 50.0, -2.0), (np.nan, 1.0, 1.0)])
def test_a_box_without_area_is_an_error_that_names_it(box):
    with pytest.raises(ValueError, match=r"boxes\[1\].*side above 0"):
        crop_corners([(1.0, 1.0, 1.0), box])


@pytest.mark.parametrize("boxes", [np.zeros((3,)), np.zeros((2, 4))])
def test_boxes_of_another_shape_are_an_error(boxes):
    with pytest.raises(ValueError, match=r"shape \(people, 3\)"):
        crop_corners(boxes)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), dtype=np.uint8),
        np.zeros((10, 10, 4), dtype=np.uint8),
        np.zeros((10, 10, 3), dtype=np.float32),
        np.zeros((0, 10, 3), dtype=np.uint8),
    ],
)
def test_an_image_of_another_kind_is_an_error(image):
    with pytest.raises(ValueError, match="image_bgr must be"):
        crop_people(image, [(5.0, 5.0, 0.05)])


@pytest.mark.parametrize("corners", [(0, 0, 0, 5), (0, 0, 5, MAX_SIDE_PX + 10)])
def test_a_rectangle_without_area_or_too_long_is_not_cut_out(corners):
    with pytest.raises(ValueError, match="pixels a side"):
        cut_out(np.zeros((10, 10, 3), dtype=np.uint8), corners)
