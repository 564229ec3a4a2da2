"""Heat maps, SimCC vectors and MultiPose heads decode to where their peaks were put."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humor_ros.detection.crops import MMPOSE_GRID, UDP_GRID
from humor_ros.detection.multipose_decode import STRIDE, decode_multipose
from humor_ros.detection.topdown import decode_heat_maps, decode_simcc


def gaussian(x, y, width=48, height=64, spread=2.0):
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2)).astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(x=st.floats(6, 41), y=st.floats(6, 57))
def test_a_heat_map_is_decoded_finer_than_its_cells(x, y):
    places, _ = decode_heat_maps(gaussian(x, y)[None, None], UDP_GRID)
    np.testing.assert_allclose(places[0, 0] * [47, 63], [x, y], atol=0.05)


def test_grids_differ_as_their_definitions_say():
    maps = gaussian(20, 30)[None, None]
    udp, plain = (decode_heat_maps(maps, grid)[0][0, 0] for grid in (UDP_GRID, MMPOSE_GRID))
    np.testing.assert_allclose(udp, [20 / 47, 30 / 63], atol=1e-6)
    np.testing.assert_allclose(plain, [20 / 48, 30 / 64], atol=1e-6)


@pytest.mark.parametrize("corner", [(0, 0), (47, 0), (0, 63), (47, 63)])
def test_a_peak_at_the_edge_stays_there(corner):
    places, _ = decode_heat_maps(gaussian(*corner)[None, None], UDP_GRID)
    np.testing.assert_array_equal(places[0, 0] * [47, 63], corner)


def test_an_empty_heat_map_has_no_confidence_and_finite_places():
    places, confidence = decode_heat_maps(np.zeros((1, 17, 64, 48), np.float32), UDP_GRID)
    assert np.isfinite(places).all()
    assert confidence.max() == 0.0


def test_simcc_peaks_are_places_over_the_bins():
    x, y = np.zeros((1, 1, 384), np.float32), np.zeros((1, 1, 512), np.float32)
    x[0, 0, 96], y[0, 0, 384] = 0.8, 0.6
    places, confidence = decode_simcc(x, y)
    np.testing.assert_allclose(places[0, 0], [0.25, 0.75])
    assert confidence[0, 0] == pytest.approx(0.6)


def multipose_heads(people, height=40, width=64):
    """Heads that say: at each (row, column), a person whose joints are on a ring around it."""
    centre = np.full((height, width, 1), -8.0, np.float32)
    joints = np.full((height, width, 17), -8.0, np.float32)
    regression = np.zeros((height, width, 34), np.float32)
    offset = np.full((height, width, 34), 0.25, np.float32)
    ring = np.stack(
        [np.sin(np.arange(17) * 0.37) * 8, np.cos(np.arange(17) * 0.37) * 4], axis=1
    ).round()
    for row, column in people:
        centre[row, column] = 3.0
        regression[row, column] = (ring + 0.4).ravel()
        for joint, (dy, dx) in enumerate(ring.astype(int)):
            joints[row + dy, column + dx, joint] = 4.0
    return [centre, joints, regression, offset, offset[..., :2], offset[..., :2]], ring


def test_multipose_finds_each_person_and_joint():
    heads, ring = multipose_heads([(12, 16), (24, 48)])
    people = decode_multipose(heads, pixels_per_input=2.0, threshold=0.2, max_people=10)
    assert len(people) == 2
    found = sorted(people, key=lambda p: p.box_xyxy[0])[1].keypoints
    expected = (ring + [24, 48] + 0.25) * STRIDE * 2.0
    np.testing.assert_allclose(found[:, :2], expected[:, ::-1], atol=1e-4)


def test_multipose_gives_at_most_the_people_asked_for():
    heads, _ = multipose_heads([(12, 12), (12, 30), (12, 50), (28, 12), (28, 30)])
    people = decode_multipose(heads, pixels_per_input=1.0, threshold=0.2, max_people=3)
    assert len(people) == 3


def test_multipose_of_weak_centres_finds_nobody():
    heads, _ = multipose_heads([])
    assert decode_multipose(heads, pixels_per_input=1.0, threshold=0.2, max_people=3) == []
