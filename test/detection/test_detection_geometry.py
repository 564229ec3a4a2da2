"""Boxes, similarities, crops and postures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humor_ros.detection.boxes import (
    box_iou,
    check_boxes,
    keypoint_box,
    keypoint_similarity,
    person_score,
)
from humor_ros.detection.crops import MMPOSE_GRID, UDP_GRID, Crop, PixelGrid
from humor_ros.detection.posture import upright_turns

GRIDS = [MMPOSE_GRID, UDP_GRID, PixelGrid(0.22), PixelGrid(0.5)]


def test_iou_of_a_box_with_itself_is_one_and_with_a_far_one_zero():
    boxes = np.array([[0.0, 0.0, 10.0, 20.0], [100.0, 0.0, 110.0, 20.0]])
    np.testing.assert_allclose(box_iou(boxes, boxes), np.eye(2), atol=1e-12)


def test_iou_of_half_shifted_boxes_is_a_third():
    first, second = np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]])
    assert box_iou(first, second)[0, 0] == pytest.approx(1 / 3)


def test_similarity_of_equal_keypoints_is_one_and_falls_with_distance():
    keypoints = np.column_stack([np.random.default_rng(0).uniform(0, 100, (17, 2)), np.ones(17)])
    moved = [keypoints + np.array([shift, 0.0, 0.0]) for shift in (0.0, 3.0, 10.0, 60.0)]
    values = [keypoint_similarity(keypoints, other, 100.0) for other in moved]
    assert values[0] == 1.0
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.05


def test_similarity_without_common_joints_is_zero():
    keypoints = np.column_stack([np.zeros((17, 2)), np.zeros(17)])
    assert keypoint_similarity(keypoints, keypoints, 100.0) == 0.0


def test_score_of_a_person_half_out_of_the_image_is_that_of_the_half_seen():
    keypoints = np.zeros((17, 3))
    keypoints[:8, 2] = 0.9
    assert person_score(keypoints) == pytest.approx(0.9)


def test_box_of_keypoints_leaves_out_the_unseen():
    keypoints = np.column_stack([np.full((17, 2), 50.0), np.ones(17)])
    keypoints[:4, :2] = [(0, 0), (0, 100), (100, 0), (100, 100)]
    keypoints[16] = (900.0, 900.0, 0.05)
    np.testing.assert_array_equal(keypoint_box(keypoints), [0, 0, 100, 100])


@pytest.mark.parametrize("boxes", [[[0, 0, np.nan, 1]], [[5, 0, 1, 1]], [[0, 0, 1]]])
def test_wrong_boxes_are_named(boxes):
    with pytest.raises(ValueError, match="boxes_xyxy"):
        check_boxes(np.array(boxes, dtype=float))


def test_a_wrong_number_of_turns_is_named():
    with pytest.raises(ValueError, match="quarter_turns"):
        check_boxes(np.array([[0.0, 0, 1, 1]]), [0, 1])


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(60, 140),
    y=st.floats(50, 110),
    width=st.floats(20, 90),
    height=st.floats(20, 90),
    turns=st.integers(-1, 5),
    grid=st.sampled_from(GRIDS),
)
def test_what_the_network_sees_maps_back_to_where_it_was(x, y, width, height, turns, grid):
    """An image whose colours are its coordinates, cut and mapped back, gives them again."""
    columns, rows = np.meshgrid(np.arange(200), np.arange(160))
    image = np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8)
    box = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    crop = Crop.around(box, padding=1.0, aspect=0.75, quarter_turns=turns)
    seen = crop.cut(image, 48, 64, grid)
    i, j = np.meshgrid(np.arange(2, 46, 8), np.arange(2, 62, 10))
    cells = np.stack([i, j], axis=-1)
    places = (cells + grid.offset) / (np.array([48, 64]) - grid.trim)
    expected = crop.to_image(places)
    inside = ((expected > 3) & (expected < [196, 156])).all(axis=-1)
    found = seen[cells[..., 1], cells[..., 0], :2].astype(float)
    np.testing.assert_allclose(found[inside], expected[inside], atol=1.6)


def test_a_crop_outside_the_image_is_black():
    image = np.full((50, 50, 3), 255, np.uint8)
    crop = Crop.around(np.array([500.0, 500, 520, 540]), padding=1.3)
    assert crop.cut(image, 64, 64, MMPOSE_GRID).max() == 0


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (180, 2), (270, 3)])
def test_turns_set_a_leaning_torso_upright(degrees, turns):
    assert upright_turns(leaning(degrees)) == turns


def test_a_lean_of_a_quarter_and_a_bit_does_not_flicker():
    assert upright_turns(leaning(50), current=0) == 0
    assert upright_turns(leaning(50), current=1) == 1


def test_an_unseen_torso_keeps_the_turns():
    keypoints = leaning(180)
    keypoints[5:13, 2] = 0.1
    assert upright_turns(keypoints, current=3) == 3


def leaning(degrees):
    """Key-points of a torso that leans clockwise, as seen, from upright."""
    keypoints = np.column_stack([np.zeros((17, 2)), np.full(17, 0.9)])
    angle = np.radians(degrees)
    keypoints[5:7, :2] = 50.0 * np.array([np.sin(angle), -np.cos(angle)])
    return keypoints
