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
    sliding = feet(9, 0.01)
    found = find_stances(sliding, torch.ones(9, 4), torch.zeros(9, 4))
    assert found.resting.all()
    assert len(found) == 4
    middle = torch.tensor([0.04, 0.0, 0.0]).double().expand(4, 3)
    torch.testing.assert_close(found.places(sliding, 0.01, 0.02), middle)


def test_a_place_is_between_what_was_told_and_what_is_seen() -> None:
    found = find_stances(feet(9), torch.ones(9, 4), torch.zeros(9, 4), feet(4) + 0.5)
    torch.testing.assert_close(found.told, torch.full((4, 3), 0.5).double())
    # Nine frames of deviation 3 weigh as much as what was told with deviation 1.
    torch.testing.assert_close(found.places(feet(9), 3.0, 1.0), torch.full((4, 3), 0.25).double())
    near = found.places(feet(9), 3.0, 1e-4)
    torch.testing.assert_close(near, torch.full((4, 3), 0.5).double())


def test_stretches_that_were_not_told_know_no_place() -> None:
    held = torch.ones(12, 4)
    held[5] = 0.0
    points = feet(12)
    points[5:, :, 0] += 0.3
    points[5, :, 0] -= 0.15
    found = find_stances(points, held, torch.zeros(12, 4), feet(4))
    assert found.known.tolist() == [1.0, 0.0] * 4
    assert found.cut(0, 5).owner.amax() < len(found)


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
    places = found.places(points, 0.01, 0.02)
    torch.testing.assert_close(places[found.owner[0, 0], 0], torch.tensor(0.0).double())
    torch.testing.assert_close(places[found.owner[11, 0], 0], torch.tensor(0.2).double())


def test_one_frame_has_no_stance() -> None:
    assert not find_stances(feet(1), torch.ones(1, 4), torch.zeros(1, 4)).resting.any()
