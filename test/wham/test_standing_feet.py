"""Standing feet hold the hips; feet in the air leave the network's displacement alone."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.wham.standing_feet import held_displacement, standing_weights

FEET = np.array([[0.1, 0.2, -0.9], [0.1, 0.0, -0.9], [-0.1, 0.2, -0.9], [-0.1, 0.0, -0.9]])


def test_a_standing_foot_does_not_slide():
    moved = FEET + np.array([[-0.03, 0.01, 0.0]] * 2 + [[0.2, 0.0, 0.1]] * 2)
    weights = np.array([1.0, 1.0, 0.0, 0.0])
    step = held_displacement(np.array([0.01, 0.0, 0.02]), moved, FEET, weights)
    np.testing.assert_allclose((moved - FEET)[:2] + step, 0.0, atol=1e-12)


def test_without_a_standing_foot_the_network_is_believed():
    network = np.array([0.03, 0.01, -0.02])
    assert np.array_equal(held_displacement(network, FEET + 0.1, FEET, np.zeros(4)), network)


def test_two_feet_that_disagree_share_the_slip():
    moved = FEET.copy()
    moved[:2] += [0.02, 0.0, 0.0]
    step = held_displacement(np.zeros(3), moved, FEET, np.ones(4))
    np.testing.assert_allclose(step, [-0.01, 0.0, 0.0], atol=1e-12)


def test_half_a_contact_takes_half_of_the_slip_out():
    moved = FEET + np.array([0.02, 0.0, 0.0])
    step = held_displacement(np.zeros(3), moved, FEET, np.array([0.5, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(step, [-0.01, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize(
    ("now", "before", "expected"), [(0.9, 0.9, 1.0), (0.9, 0.1, 0.0), (0.5, 0.8, 0.5), (-3, 9, 0)]
)
def test_a_foot_stands_if_it_did_so_at_both_images(now, before, expected):
    assert standing_weights(np.array([now]), np.array([before])) == pytest.approx(expected)
