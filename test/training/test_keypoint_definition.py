"""Where a simulated detector means a joint to be."""

from __future__ import annotations

import torch

from humor_ros.geometry.rotation import axis_angle_to_matrix
from humor_ros.training.keypoint_definition import definition_offsets

UPRIGHT = torch.eye(3).expand(2000, 1, 24, 3, 3)


def _offsets(rotations, strength=1.0):
    return definition_offsets(rotations, strength, torch.Generator().manual_seed(3))


def test_shoulders_and_hips_are_about_two_centimetres_uncertain():
    size = _offsets(UPRIGHT).std((0, 1, 3))
    assert torch.allclose(size[[5, 6]], torch.tensor(0.018), rtol=0.05)
    assert torch.allclose(size[[11, 12]], torch.tensor(0.020), rtol=0.05)
    assert size.min() > 0.005


def test_sides_are_mirror_images_for_the_most_part():
    offsets = _offsets(UPRIGHT)[:, 0]
    for left, right in ((5, 6), (9, 10), (11, 12), (15, 16)):
        shared = (offsets[:, left] * offsets[:, right]).mean(0) / offsets[:, left].var(0)
        assert torch.allclose(shared, torch.tensor([-0.75, 0.75, 0.75]), atol=0.08)


def test_offsets_turn_with_the_limb_and_stay_over_a_window():
    still = UPRIGHT[:8].expand(8, 3, 24, 3, 3).clone()
    turn = axis_angle_to_matrix(torch.tensor([0.3, -1.0, 0.4]))
    bent = still.clone()
    bent[:, 2, 16] = turn  # the left upper arm, and with it what is below
    before, after = _offsets(still), _offsets(bent)
    torch.testing.assert_close(before[:, 0], before[:, 1])
    torch.testing.assert_close(after[:, 2, [7, 9]], before[:, 2, [7, 9]] @ turn.mT)
    torch.testing.assert_close(after[:, 2, [5, 8, 13]], before[:, 2, [5, 8, 13]])
    torch.testing.assert_close(after[:, :2], before[:, :2])


def test_strength_scales_the_offsets():
    torch.testing.assert_close(_offsets(UPRIGHT, 0.5), 0.5 * _offsets(UPRIGHT))
