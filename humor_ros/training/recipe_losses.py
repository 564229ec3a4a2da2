"""Losses of the packaged weights: what a robot needs of a skeleton, in metres where possible.

They differ from the published ones (spec of WHAM, section 6) in what counts: smooth
motion (differences of first and second order), the absolute place in the camera, and steady body
shapes; and they are distances rather than squares, which noisy key-points call for.
"""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.geometry.rotation import matrix_to_rotation_6d, rotation_6d_to_matrix
from humor_ros.training.config import LossConfig
from humor_ros.training.parallel_forward import Prediction
from humor_ros.training.synthesis import TrainingBatch
from humor_ros.training.virtual_camera import project

__all__ = ["camera_translation", "recipe_losses", "weak_camera_targets", "weighted_sum"]

_LOW_WEIGHT_JOINTS = (10, 11, 20, 21, 22, 23)
_ROOT_WEIGHT = 3.0
_WINDOWS = (1, 3, 9, 27)


def camera_translation(cam: Tensor, bbox: Tensor, image_size: Tensor, focal: Tensor) -> Tensor:
    """Mid-hip in the camera from the weak camera of a box (spec of WHAM, section 1.6).

    Args:
        cam: (B, T, 3) scale s, tx, ty.
        bbox: (B, T, 3) centre px and side / 200.
        image_size: (B, 2) W, H px.
        focal: (B,) px.

    Returns:
        (B, T, 3) metres. The scale is kept above 0.1 so that a raw network has gradients.
    """
    side = bbox[..., 2] * 200
    scale = cam[..., 0].clamp_min(0.1)
    offset = bbox[..., :2] - image_size[:, None] / 2
    plane = cam[..., 1:] + 2 * offset / (scale * side)[..., None]
    depth = 2 * focal[:, None] / (side * scale)
    return torch.cat([plane, depth[..., None]], -1)


def weak_camera_targets(
    translation: Tensor, bbox: Tensor, image_size: Tensor, focal: Tensor
) -> Tensor:
    """The inverse of :func:`camera_translation`: (B, T, 3) s, tx, ty."""
    depth = translation[..., 2:]
    scale = 2 * focal[:, None, None] / (bbox[..., 2:] * 200 * depth)
    offset = (bbox[..., :2] - image_size[:, None] / 2) * depth / focal[:, None, None]
    return torch.cat([scale, translation[..., :2] - offset], -1)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).norm(dim=-1).mean()


def _mean_of(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean over the windows (B,) that are chosen; 0 where there is none."""
    return (values.flatten(1).mean(1) * chosen).sum() / chosen.sum().clamp_min(1)


def _change(values: Tensor) -> Tensor:
    return values[:, 1:] - values[:, :-1]


def _root_terms(root_6d: Tensor, truth: Tensor) -> Tensor:
    raw = (root_6d[:, 1:] - matrix_to_rotation_6d(truth[:, 1:])).square().mean()
    matrix = rotation_6d_to_matrix(root_6d[:, 1:])
    return raw + (matrix - truth[:, 1:]).abs().mean()


def _velocity_terms(velocity: Tensor, truth: Tensor) -> Tensor:
    error = velocity - truth
    total = error.new_zeros(())
    for window in _WINDOWS:
        if window <= error.shape[1]:
            summed = error.unfold(1, window, 1).sum(-1)
            total = total + summed.norm(dim=-1).mean() / window**0.5
    return total / len(_WINDOWS)


def _sliding(feet_world: Tensor, contact: Tensor) -> Tensor:
    resting = (contact[:, 1:] > 0.5) & (contact[:, :-1] > 0.5)
    moved = _change(feet_world).norm(dim=-1)
    return (moved * resting).sum() / resting.sum().clamp_min(1)


def recipe_losses(prediction: Prediction, truth: TrainingBatch) -> dict[str, Tensor]:
    """All terms, unweighted, by the names of :class:`~humor_ros.training.config.LossConfig`.

    Args:
        prediction: of the network.
        truth: the batch that it saw.

    Returns:
        Scalars.
    """
    joint_weight = prediction.rotations.new_ones(24)
    joint_weight[list(_LOW_WEIGHT_JOINTS)] = 0.1
    joint_weight[0] = _ROOT_WEIGHT
    rotation = (prediction.rotations - truth.rotations).abs().mean((-1, -2))
    # Raw 6D values near orthonormal: they are what is fed back and saved.
    raw = (prediction.pose_6d - matrix_to_rotation_6d(truth.rotations)).square().mean()
    points = torch.cat([prediction.keypoints31, prediction.feet], 2)
    true_points = torch.cat([truth.keypoints31, truth.feet], 2)
    change, true_change = _change(points), _change(true_points)
    target = weak_camera_targets(truth.translation, truth.bbox, truth.image_size, truth.focal)
    # Where the person fills a box that is cut off, the scale says little: bound the error.
    depth = (prediction.cam[..., 0] / target[..., 0].clamp_min(0.05) - 1).clamp(-3, 3).abs().mean()
    placed = camera_translation(prediction.cam, truth.bbox, truth.image_size, truth.focal)
    step = (_change(placed) - _change(truth.translation)) / truth.translation[:, 1:, 2:].clamp_min(
        0.5
    )
    half = (truth.bbox[..., 2] * 100)[..., None]
    true_pixels = project(
        truth.keypoints31 + truth.translation[:, :, None], truth.focal, truth.image_size
    )
    centre = placed[..., :2], placed[..., 2:].clamp(0.5, 30.0)
    pixels = project(
        prediction.keypoints31 + torch.cat(centre, -1)[:, :, None], truth.focal, truth.image_size
    )
    reprojection = ((pixels - true_pixels).norm(dim=-1) / half).clamp(max=2.0)
    return {
        "pose": (rotation * joint_weight).mean() + raw,
        "betas": (prediction.betas - truth.betas[:, None]).abs().mean(),
        "betas_change": _change(prediction.betas).abs().mean(),
        "keypoints_network": _distance(prediction.kp3d, truth.keypoints31[:, :, :17]),
        "keypoints_body": _distance(points, true_points),
        "joints_body": _distance(prediction.joints, truth.joints),
        "velocity": _distance(change, true_change),
        "acceleration": _distance(_change(change), _change(true_change)),
        "reprojection": reprojection.mean(),
        "camera_direction": (prediction.cam[..., 1:] - target[..., 1:]).abs().clamp(max=2).mean(),
        "camera_depth": depth,
        "camera_velocity": step.abs().clamp(max=1.0).mean(),
        "contact": _mean_of((prediction.contact - truth.contact).square(), truth.physical),
        "root": _root_terms(prediction.root_6d, truth.root_world),
        "root_refined": _root_terms(prediction.root_6d_refined, truth.root_world),
        "root_velocity": _velocity_terms(prediction.velocity, truth.root_velocity),
        "root_velocity_refined": _velocity_terms(prediction.velocity_refined, truth.root_velocity),
        "sliding": _sliding(prediction.feet_world, truth.contact),
        "sliding_refined": _sliding(prediction.feet_world_refined, truth.contact),
    }


def weighted_sum(terms: dict[str, Tensor], config: LossConfig) -> Tensor:
    """Total of the terms with the weights of the configuration; weight 0 leaves a term out."""
    weights = {name: getattr(config, name) for name in terms}
    return torch.stack([weights[name] * terms[name] for name in terms if weights[name]]).sum()
