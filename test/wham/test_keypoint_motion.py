"""Motion of key-points: a turning camera alone moves none, a moving person all."""

from __future__ import annotations

import torch

from humor_ros.geometry.rotation import axis_angle_to_matrix
from humor_ros.wham.keypoint_motion import keypoint_motion

RES = torch.tensor([1280.0, 720.0])
FOCAL = RES.norm()
BBOX = torch.tensor([640.0, 360.0, 2.0])


def project(points: torch.Tensor) -> torch.Tensor:
    return points[..., :2] / points[..., 2:] * FOCAL + RES / 2


def still_points() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(17, 3, generator=generator) * 0.5 + torch.tensor([0.0, 0.0, 4.0])


def test_a_turn_of_the_camera_moves_nothing():
    points = still_points()
    turn = axis_angle_to_matrix(torch.tensor([0.02, -0.05, 0.03]))  # camera now to camera then
    now, then = project(points @ turn), project(points)
    seen = torch.ones(17, dtype=torch.bool)
    moved = keypoint_motion(now, then, seen, turn, FOCAL, RES, BBOX)
    assert float(moved.abs().max()) < 2e-3
    assert float((now - then).abs().max()) > 20.0


def test_a_step_aside_is_told_in_half_boxes_a_second():
    points = still_points() * torch.tensor([1.0, 1.0, 0.0]) + torch.tensor([0.0, 0.0, 4.0])
    now, then = project(points + torch.tensor([0.02, 0.0, 0.0])), project(points)
    seen = torch.ones(17, dtype=torch.bool)
    moved = keypoint_motion(now, then, seen, torch.eye(3), FOCAL, RES, BBOX)
    expected = torch.tensor([30 * 0.02 / 4.0 * float(FOCAL) / 200.0, 0.0]).expand(17, 2)
    assert torch.allclose(moved, expected, atol=2e-3)


def test_what_was_not_seen_twice_did_not_move():
    points = project(still_points())
    seen = torch.arange(17) % 2 == 0
    moved = keypoint_motion(points + 10, points, seen, torch.eye(3), FOCAL, RES, BBOX)
    assert bool((moved[~seen] == 0).all())
    assert torch.allclose(moved[seen], torch.tensor(1.5), atol=1e-3)


def test_a_leap_is_bounded():
    points = project(still_points())
    seen = torch.ones(17, dtype=torch.bool)
    moved = keypoint_motion(points + 5000, points, seen, torch.eye(3), FOCAL, RES, BBOX)
    assert bool((moved == 3.0).all())
