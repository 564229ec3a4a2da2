"""Synthetic batches: cameras agree with the pinhole model, targets agree with each other."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.geometry.rotation import (
    axis_angle_to_matrix,
    geodesic_distance,
    rotation_6d_to_matrix,
)
from humor_ros.training.augmentation import mirror_motion
from humor_ros.training.parallel_forward import roll_out
from humor_ros.training.recipe_losses import camera_translation, weak_camera_targets
from humor_ros.training.synthesis import WindowSource
from humor_ros.training.synthesis_config import CameraConfig, DataConfig, NoiseConfig
from humor_ros.training.virtual_camera import place_cameras, project
from humor_ros.wham.camera_input import camera_angular_velocity, camera_turn
from humor_ros.wham.contacts import contact_labels
from humor_ros.wham.keypoints import normalise_keypoints

QUIET = NoiseConfig(
    bias_std=0,
    drift_std=0,
    jitter_std=0,
    common_std=0,
    hip_bias_std=0,
    peak_probability=0,
    gross_probability=0,
    swap_probability=0,
    mask_probability=0,
    burst_probability=0,
    limb_mask_probability=0,
    lower_body_probability=0,
)


@pytest.fixture(scope="module")
def source(library, body):
    return WindowSource(library, body, DataConfig(window_frames=20), CameraConfig(), NoiseConfig())


@pytest.fixture(scope="module")
def batch(source):
    return source.batch(16, torch.Generator().manual_seed(3))


def test_everything_is_finite(batch):
    for field in fields(batch):
        assert torch.isfinite(getattr(batch, field.name).float()).all(), field.name


def test_the_same_generator_gives_the_same_batch(source):
    first, second = (source.batch(4, torch.Generator().manual_seed(5)) for _ in range(2))
    for field in fields(first):
        assert torch.equal(getattr(first, field.name), getattr(second, field.name)), field.name


def test_projection_is_that_of_the_pinhole_camera():
    camera = PinholeCamera.assume(1280, 720)
    points = np.random.default_rng(0).normal(size=(5, 3)) + np.array([0, 0, 4])
    size = torch.tensor([[1280.0, 720.0]])
    pixels = project(torch.tensor(points).float()[None, None], size.norm(dim=-1), size)
    assert np.allclose(pixels[0, 0].numpy(), camera.project(points), atol=1e-2)


def test_a_perfect_detector_sees_the_projection(library, body):
    source = WindowSource(library, body, DataConfig(window_frames=20), CameraConfig(), QUIET)
    batch = source.batch(16, torch.Generator().manual_seed(4))
    points = batch.keypoints31[:, :, :17] + batch.translation[:, :, None]
    pixels = project(points, batch.focal, batch.image_size)
    expected = normalise_keypoints(pixels, batch.bbox, batch.image_size)
    seen = ~batch.mask
    error = (batch.x - expected)[..., :34].reshape(16, 20, 17, 2).abs().amax(-1)
    assert float(error[seen].median()) < 1e-4
    assert torch.allclose(batch.x[..., 34:], expected[..., 34:])


def test_the_weak_camera_gives_the_place_back(batch):
    cam = weak_camera_targets(batch.translation, batch.bbox, batch.image_size, batch.focal)
    placed = camera_translation(cam, batch.bbox, batch.image_size, batch.focal)
    usual = cam[..., 0] > 0.1
    assert torch.allclose(placed[usual], batch.translation[usual], atol=1e-3)


def test_camera_and_world_orientation_agree(batch):
    seen = batch.rotation_camera_world[:, 1:] @ batch.root_world[:, 1:]
    assert torch.allclose(seen, batch.rotations[:, :, 0], atol=1e-5)


def test_camera_motion_is_that_of_the_cameras(library, body):
    exact = CameraConfig(gyro_noise_rad_s=0, gyro_bias_rad_s=0, moving_share=1)
    source = WindowSource(library, body, DataConfig(window_frames=20), exact, QUIET)
    batch = source.batch(4, torch.Generator().manual_seed(1))
    turn = batch.rotation_camera_world
    expected = camera_angular_velocity(turn[:, :-1] @ turn[:, 1:].mT)
    assert torch.allclose(batch.cam_angvel, expected, atol=1e-4)


def test_small_angular_velocity_has_the_documented_form():
    omega = torch.tensor([0.1, 0.2, 0.3])
    value = camera_angular_velocity(axis_angle_to_matrix(omega / 30))
    expected = torch.tensor([0, -0.3, 0.2, 0.3, 0, -0.1])
    assert torch.allclose(value, expected, atol=3e-3)


def test_a_static_camera_without_gyroscope_says_zero(library, body):
    still = CameraConfig(moving_share=0, gyro_noise_rad_s=0, gyro_bias_rad_s=0)
    source = WindowSource(library, body, DataConfig(window_frames=8), still, NoiseConfig())
    batch = source.batch(8, torch.Generator().manual_seed(1))
    assert float(batch.cam_angvel.abs().max()) < 1e-4


def test_true_velocities_roll_out_to_the_true_way(batch):
    way = roll_out(batch.root_world, batch.root_velocity)
    walked = (way[:, -1] - way[:, 0]).norm(dim=-1)
    assert float(walked.max()) < 0.05 * 20 * 1.6
    assert float(walked.max()) > 0.05


def test_people_are_in_front_of_the_camera_and_mostly_seen(batch):
    assert float(batch.translation[..., 2].min()) > 0.5
    assert float(batch.mask.float().mean()) < 0.4


def test_initial_root_is_near_the_true_one(source, batch):
    angle = geodesic_distance(rotation_6d_to_matrix(batch.init_root[:, 0]), batch.root_world[:, 0])
    assert 0.05 < float(angle.mean()) < 0.9


def test_mirroring_twice_is_nothing():
    rotations = axis_angle_to_matrix(torch.randn(3, 24, 3, generator=torch.manual_seed(0)))
    root = torch.randn(3, 3)
    back, root_back = mirror_motion(*mirror_motion(rotations, root))
    assert torch.allclose(back, rotations, atol=1e-6)
    assert torch.equal(root_back, root)


def test_a_mirrored_body_is_the_mirrored_points(body):
    rotations = axis_angle_to_matrix(0.4 * torch.randn(2, 24, 3, generator=torch.manual_seed(1)))
    mirrored, _ = mirror_motion(rotations, torch.zeros(2, 3))
    betas = torch.zeros(2, 10)
    one, two = body(betas, rotations).centred(), body(betas, mirrored).centred()
    flip = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    sign = torch.tensor([-1.0, 1.0, 1.0])
    assert torch.allclose(two.coco17, one.coco17[:, flip] * sign, atol=0.02)


def test_the_cameras_turn_comes_back_from_the_input_that_tells_it():
    turn = axis_angle_to_matrix(0.1 * torch.randn(5, 3, generator=torch.manual_seed(1)))
    assert torch.allclose(camera_turn(camera_angular_velocity(turn)), turn, atol=1e-6)


def test_resting_feet_are_in_contact_and_moving_feet_are_not():
    feet = torch.zeros(1, 10, 4, 3)
    feet[:, :, 2:, 0] = 0.05 * torch.arange(10)[None, :, None]
    label = contact_labels(feet, one_sided_ends=True)
    assert float(label[..., :2].min()) > 0.9
    assert float(label[..., 2:].max()) < 0.01


def test_cameras_follow_the_request_for_distance():
    near = CameraConfig(near_share=0, far_share=0, middle_m=(3.0, 3.0), moving_share=0)
    camera = place_cameras(torch.zeros(8, 5, 3), near, torch.Generator().manual_seed(0))
    assert torch.allclose(camera.translation[..., 2], torch.tensor(3.0))


def test_windows_without_augmentation_keep_their_speed(library, body):
    data = replace(DataConfig(), window_frames=20)
    source = WindowSource(library, body, data, CameraConfig(), QUIET, augment=False)
    batch = source.batch(8, torch.Generator().manual_seed(0))
    assert float(batch.root_velocity[:, 0].norm(dim=-1).max()) < 1e-6
