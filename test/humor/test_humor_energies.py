"""Energies, robust losses and the ground."""

from __future__ import annotations

import pytest
import torch
from humor_cases import DTYPE, UPRIGHT, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor.energies import (
    ImageProjection,
    bone_length_energy,
    contact_height_energy,
    contact_velocity_energy,
    image_energy,
    point_energy,
    smoothness_energy,
    surface_energy,
    transition_energy,
    velocity_difference_energy,
)
from humor_ros.humor.ground import plane_from_point, plane_to_point, prior_frame
from humor_ros.humor.networks import LatentGaussian
from humor_ros.humor.robust import bisquare_weights, geman_mcclure


def test_missing_points_pull_at_nothing() -> None:
    points = noise(2, 3, 4, 3).requires_grad_()
    observed = noise(2, 3, 4, 3, seed=1)
    observed[0, 1, 2], observed[1, 0, 0] = torch.inf, torch.nan
    point_energy(points, observed).backward()
    assert bool(torch.isfinite(points.grad).all())
    assert not points.grad[0, 1, 2].any()
    torch.testing.assert_close(points.grad[1, 1], (points - observed)[1, 1].detach())


def test_missing_keypoints_pull_at_nothing() -> None:
    points = (noise(1, 2, 25, 3) + torch.tensor([0.0, 0.0, 5.0], dtype=DTYPE)).requires_grad_()
    observed = noise(1, 2, 25, 3, seed=1).abs()
    observed[0, 0, 3, :2] = torch.nan
    observed[0, 0, 4, 2] = 0.0
    camera = ImageProjection(torch.full((1, 2), 900.0, dtype=DTYPE), torch.zeros(1, 2, dtype=DTYPE))
    image_energy(points, observed, camera).backward()
    assert bool(torch.isfinite(points.grad).all())
    assert not points.grad[0, 0, 3:5].any()
    assert not points.grad[0, :, [1, 9, 12]].any()
    assert points.grad[0, 1, 3].any()


def test_missing_surface_points_pull_at_nothing() -> None:
    points, observed = noise(1, 2, 30, 3).requires_grad_(), noise(1, 2, 12, 3, seed=1)
    value = surface_energy(points, observed)
    padded = torch.cat((observed, torch.full((1, 2, 5, 3), torch.nan, dtype=DTYPE)), dim=2)
    torch.testing.assert_close(surface_energy(points, padded), value)
    surface_energy(points, padded).backward()
    assert bool(torch.isfinite(points.grad).all())


def test_a_surface_without_observations_is_free() -> None:
    observed = torch.full((1, 2, 5, 3), torch.nan, dtype=DTYPE)
    assert float(surface_energy(noise(1, 2, 30, 3), observed)) == 0.0


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(0.5, 500))
def test_geman_mcclure_is_bounded_and_quadratic_near_zero(residual: float, scale: float) -> None:
    value = float(geman_mcclure(torch.tensor(residual, dtype=DTYPE), scale))
    assert 0 <= value <= min(residual**2, scale**2) * (1 + 1e-12)


def test_bisquare_gives_outliers_no_weight() -> None:
    residual = torch.linspace(0.9, 1.1, 21, dtype=DTYPE).repeat(2, 1)
    residual[0, 4] = 50.0
    weights = bisquare_weights(residual)
    assert weights[0, 4] == 0
    assert not weights.requires_grad


def test_bisquare_keeps_rows_without_deviation() -> None:
    assert bool((bisquare_weights(torch.ones(1, 4, dtype=DTYPE)) == 1).all())


def test_bisquare_leaves_missing_out_of_the_scale() -> None:
    residual = noise(1, 9).abs()
    padded = torch.cat((residual, torch.full((1, 4), torch.nan, dtype=DTYPE)), dim=1)
    torch.testing.assert_close(bisquare_weights(padded)[:, :9], bisquare_weights(residual))
    assert not bisquare_weights(padded)[:, 9:].any()


def test_a_still_body_has_no_motion_energy() -> None:
    still = noise(2, 1, 22, 3).expand(2, 5, 22, 3)
    contacts = torch.ones(2, 5, 22, dtype=DTYPE)
    energies = (
        smoothness_energy(still),
        bone_length_energy(still),
        contact_velocity_energy(still, contacts),
        velocity_difference_energy(still, still + 1.0),
    )
    assert all(float(energy) == 0.0 for energy in energies)


def test_contacts_count_from_the_later_frame() -> None:
    joints = torch.zeros(1, 3, 22, 3, dtype=DTYPE)
    joints[0, 1:, 7, 0] = 0.1
    contacts = torch.zeros(1, 3, 22, dtype=DTYPE)
    contacts[0, 1, 7] = 0.5
    assert float(contact_velocity_energy(joints, contacts)) == pytest.approx(0.5 * 0.5 * 0.01)


@pytest.mark.parametrize(("height", "energy"), [(0.05, 0.0), (0.10, 0.02), (-0.10, 0.02)])
def test_contact_height_begins_at_eight_centimetres(height: float, energy: float) -> None:
    joints = torch.zeros(1, 1, 22, 3, dtype=DTYPE)
    joints[0, 0, 10, 2] = height
    contacts = torch.ones(1, 1, 22, dtype=DTYPE)
    assert float(contact_height_energy(joints, contacts)) == pytest.approx(energy)


def test_the_transition_energy_is_a_normal_density() -> None:
    z, mean, variance = noise(2, 3, 5), noise(2, 3, 5, seed=1), noise(2, 3, 5, seed=2).exp()
    reference = -torch.distributions.Normal(mean, variance.sqrt()).log_prob(z).sum()
    torch.testing.assert_close(transition_energy(z, LatentGaussian(mean, variance)), reference)


def test_planes_come_back_from_their_points() -> None:
    plane = torch.tensor([[0.1, -0.99, 0.05, -0.7], [0.0, -1.0, 0.0, 0.4]], dtype=DTYPE)
    plane[:, :3] = torch.nn.functional.normalize(plane[:, :3], dim=-1)
    torch.testing.assert_close(plane_from_point(plane_to_point(plane)), plane)


def test_normals_of_planes_point_up() -> None:
    assert bool((plane_from_point(noise(50, 3))[:, 1] <= 0).all())


def camera_upright(yaw: torch.Tensor) -> torch.Tensor:
    """Root rotations of exactly upright bodies in a camera: SMPL's y axis along minus y."""
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=DTYPE))
    zero = torch.zeros_like(yaw)
    return flip @ axis_angle_to_matrix(torch.stack((zero, yaw, zero), dim=-1))


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_an_exactly_upright_body_has_a_frame_and_gradients(batch: int) -> None:
    floor = torch.tensor([0.0, 0.9, 0.0], dtype=DTYPE).repeat(batch, 1).requires_grad_()
    root = camera_upright(torch.linspace(-2, 2, batch, dtype=DTYPE)).requires_grad_()
    trans = torch.tensor([0.1, 0.2, 3.0], dtype=DTYPE).repeat(batch, 1)
    frame = prior_frame(plane_from_point(floor), trans, root, trans)
    in_prior = frame.orient_to_prior(root[:, None])[:, 0]
    torch.testing.assert_close(in_prior, UPRIGHT.expand(batch, 3, 3))
    torch.testing.assert_close(frame.root_height, torch.full((batch, 1), 0.7, dtype=DTYPE))
    (frame.rotation.sum() + frame.root_height.sum()).backward()
    assert bool(torch.isfinite(floor.grad).all())
    assert bool(torch.isfinite(root.grad).all())


def test_frames_of_prior_and_camera_undo_each_other() -> None:
    plane = plane_from_point(torch.tensor([[0.05, 0.9, -0.1]], dtype=DTYPE))
    trans = noise(1, 4, 3) + torch.tensor([0.0, 0.0, 4.0], dtype=DTYPE)
    root = axis_angle_to_matrix(noise(1, 4, 3, seed=1))
    rest = noise(1, 3, seed=2, scale=0.1)
    frame = prior_frame(plane, trans[:, 0], root[:, 0], trans[:, 0] + rest)
    there = frame.trans_to_prior(trans, rest)
    torch.testing.assert_close(frame.trans_to_camera(there), trans)
    torch.testing.assert_close(frame.orient_to_camera(frame.orient_to_prior(root)), root)
    torch.testing.assert_close(there[:, 0, 2:] + rest[:, 2:], frame.root_height)
