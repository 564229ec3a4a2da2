"""The fit of the network's pose to the key-points of one image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from humor_ros.body import BodyModel
from humor_ros.wham import pose_fit
from humor_ros.wham.checkpoint import load_network, save_safetensors
from humor_ros.wham.config import WhamConfig
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.pose_fit import FITTED_JOINTS, FITTED_POINTS, PoseCorrection, fit_pose

PLACE = np.array([0.2, -0.1, 4.0])
SIZE = 3 * len(FITTED_JOINTS)
POSE_ERROR = np.diag(np.full(SIZE, 0.2**2))
POINTS = list(FITTED_POINTS)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load().double()


def posed(body: BodyModel, rotations):
    """Joints (24, 3) and fitted points (12, 3) from the mid-hip."""
    output = body(torch.zeros(1, 10, dtype=torch.float64), torch.from_numpy(rotations)[None])
    coco = output.keypoints31[0, :17].numpy()
    hips = coco[11:13].mean(0)
    return output.joints[0].numpy() - hips, (coco - hips)[POINTS]


def standing(rng, spread_rad: float):
    """A person who faces the camera, bent at random, (24, 3, 3)."""
    vectors = spread_rad * rng.standard_normal((24, 3))
    rotations = Rotation.from_rotvec(vectors).as_matrix()
    rotations[0] = Rotation.from_euler("x", np.pi).as_matrix() @ rotations[0]
    return rotations


def rays_of(points, place=PLACE):
    return (points + place)[:, :2] / (points + place)[:, 2:]


def fitted(body, said, rays, confidence=None, correction=None, sigma=0.002):
    joints, points = posed(body, said)
    return fit_pose(
        said,
        joints,
        points,
        rays,
        np.ones(12) if confidence is None else confidence,
        PLACE,
        correction=correction or PoseCorrection.unknown(POSE_ERROR),
        translation_covariance=0.1 * np.eye(3),
        ray_sigma=sigma,
    )


def test_a_pose_that_explains_the_keypoints_stays(body):
    said = standing(np.random.default_rng(0), 0.2)
    rotations, correction = fitted(body, said, rays_of(posed(body, said)[1]))
    np.testing.assert_allclose(rotations, said, atol=1e-9)
    np.testing.assert_allclose(correction.mean, 0.0, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_a_wrong_pose_moves_onto_the_keypoints_and_towards_the_truth(body, seed):
    rng = np.random.default_rng(seed)
    true = standing(rng, 0.25)
    said = true.copy()
    error = 0.2 * rng.standard_normal((len(FITTED_JOINTS), 3))
    said[list(FITTED_JOINTS)] = said[list(FITTED_JOINTS)] @ Rotation.from_rotvec(-error).as_matrix()
    truth = posed(body, true)[1]
    rotations, _ = fitted(body, said, rays_of(truth))
    before, after = posed(body, said)[1], posed(body, rotations)[1]
    missed = [np.linalg.norm((points - truth)[:, :2], axis=1).mean() for points in (before, after)]
    assert missed[1] < 0.3 * missed[0]
    assert (
        np.linalg.norm(after - truth, axis=1).mean() < np.linalg.norm(before - truth, axis=1).mean()
    )


def test_slopes_are_those_of_the_body(body):
    said = standing(np.random.default_rng(3), 0.3)
    joints, points = posed(body, said)
    turns = pose_fit._global(said)
    slopes = pose_fit._slopes(turns, joints, points)
    step = 1e-6
    for column, joint in enumerate(FITTED_JOINTS):
        if joint in (13, 14):  # the shoulder's skin follows the collar only for the most part
            continue
        for axis in range(3):
            turned = said.copy()
            turned[joint] = said[joint] @ Rotation.from_rotvec(step * np.eye(3)[axis]).as_matrix()
            there = posed(body, turned)
            hips = slopes[6:8, :, 3 * column + axis].mean(0)
            expected = (there[1] - points) / step
            found = slopes[:, :, 3 * column + axis] - hips
            np.testing.assert_allclose(found, expected, atol=0.06)


def test_what_is_seen_is_known_better(body):
    said = standing(np.random.default_rng(1), 0.2)
    _, correction = fitted(body, said, rays_of(posed(body, said)[1]))
    spread = np.linalg.eigvalsh(correction.covariance)
    assert spread.min() > 0.0
    assert np.all(np.diag(correction.covariance) <= np.diag(POSE_ERROR) + 1e-12)
    assert np.trace(correction.covariance) < 0.8 * np.trace(POSE_ERROR)


def test_without_keypoints_the_last_correction_fades(body):
    said = standing(np.random.default_rng(2), 0.2)
    known = PoseCorrection(np.full(SIZE, 0.1), 0.01 * np.eye(SIZE))
    later = known.after(0.3, POSE_ERROR, 0.3)
    np.testing.assert_allclose(later.mean, 0.1 / np.e)
    assert np.all(np.diag(later.covariance) > 0.01)
    rotations, kept = fitted(body, said, np.zeros((12, 2)), np.zeros(12), later)
    assert kept is later
    turned = Rotation.from_matrix(said[18].T @ rotations[18]).as_rotvec()
    np.testing.assert_allclose(turned, 0.1 / np.e, atol=1e-9)


def test_one_gross_error_hardly_counts(body):
    said = standing(np.random.default_rng(4), 0.2)
    rays = rays_of(posed(body, said)[1])
    rays[4] += 0.5  # a wrist, 2 m away
    rotations, _ = fitted(body, said, rays)
    moved = np.linalg.norm(posed(body, rotations)[1] - posed(body, said)[1], axis=1)
    assert moved.max() < 0.1


def test_weights_carry_how_they_err(tmp_path):
    config = WhamConfig(d_embed=16, n_layers=1, n_refiner_layers=1, d_feat=4, d_integrator=8)
    assert "pose_error" not in WhamNetwork(config).state_dict()
    network = WhamNetwork(replace(config, pose_error=True))
    network.pose_error.copy_(torch.from_numpy(POSE_ERROR))
    save_safetensors(network, tmp_path / "weights.safetensors", half=True)
    again = load_network(tmp_path / "weights.safetensors")
    torch.testing.assert_close(
        again.pose_error.double(), torch.from_numpy(POSE_ERROR), atol=1e-4, rtol=0
    )
