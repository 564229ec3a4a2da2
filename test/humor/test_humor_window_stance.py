"""Where resting soles stand."""

from __future__ import annotations

import torch

from humor_ros.humor.window_stance import find_stances


def feet(frames: int, speed: float = 0.0) -> torch.Tensor:
    """Toes and heels that move along x, in metres a frame."""
    points = torch.zeros(frames, 4, 3, dtype=torch.float64)
    points[..., 0] = speed * torch.arange(frames, dtype=torch.float64)[:, None]
    return points


def test_a_sliding_sole_in_contact_stands_at_one_place() -> None:
    found = find_stances(feet(9, 0.01), torch.ones(9, 4), torch.zeros(9, 4))
    assert found.resting.all()
    torch.testing.assert_close(found.places, feet(9) + torch.tensor([0.04, 0.0, 0.0]).double())


def test_a_sole_that_was_told_stays_where_it_was_told() -> None:
    told = feet(4) + 0.5
    found = find_stances(feet(9, 0.01), torch.ones(9, 4), torch.zeros(9, 4), told)
    torch.testing.assert_close(found.places, feet(9) + 0.5)


def test_a_fast_sole_does_not_rest_whatever_its_contact() -> None:
    assert not find_stances(feet(9, 0.05), torch.ones(9, 4), torch.zeros(9, 4)).resting.any()


def test_a_still_sole_rests_near_the_ground_alone() -> None:
    height = torch.zeros(9, 4)
    height[:, 1] = 0.3
    found = find_stances(feet(9, 0.002), torch.zeros(9, 4), height)
    assert found.resting[:, [0, 2, 3]].all()
    assert not found.resting[:, 1].any()


def test_a_touch_of_two_frames_is_no_stance() -> None:
    held = torch.zeros(9, 4)
    held[3:5] = 1.0
    assert not find_stances(feet(9, 0.02), held, torch.zeros(9, 4)).resting.any()


def test_a_step_parts_two_stances() -> None:
    points = feet(12)
    points[5, :, 0], points[6:, :, 0] = 0.1, 0.2
    held = torch.ones(12, 4)
    held[5] = 0.0
    found = find_stances(points, held, torch.zeros(12, 4))
    assert not found.resting[5].any()
    torch.testing.assert_close(found.places[0, 0, 0], torch.tensor(0.0).double())
    torch.testing.assert_close(found.places[11, 0, 0], torch.tensor(0.2).double())


def test_one_frame_has_no_stance() -> None:
    assert not find_stances(feet(1), torch.ones(1, 4), torch.zeros(1, 4)).resting.any()
