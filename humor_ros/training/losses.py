"""The published training losses of WHAM, term by term.

Shin et al., "WHAM" (CVPR 2024), section 3.5. The numbers and the form of each term follow the
published training where it differs from the paper: which points are centred, what a mean runs
over, and that a term of few labelled clips is scaled by their share of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from humor_ros.body.skeleton import LEFT_HIP, RIGHT_HIP
from humor_ros.geometry.rotation import matrix_to_rotation_6d
from humor_ros.training.published_loss_weights import PublishedLossWeights
from humor_ros.wham.camera_input import camera_angular_velocity
from humor_ros.wham.keypoints import centre_on_hips

__all__ = ["PublishedPrediction", "PublishedTruth", "published_losses"]

_FACE, _TORSO, _LIMB = 0.5, 1.5, 4.0
#: COCO: nose, eyes, ears; shoulders, elbows, wrists; hips, knees, ankles.
_COCO_WEIGHTS = (
    *(_FACE,) * 5,
    *(_TORSO,) * 2,
    *(_LIMB,) * 4,
    *(_TORSO,) * 2,
    *(_LIMB,) * 4,
)
#: The 14 common joints: right leg upwards, left leg, right arm, left arm, neck, head.
_COMMON_WEIGHTS = (
    *(_LIMB, _LIMB, _TORSO, _TORSO, _LIMB, _LIMB),
    *(_LIMB, _LIMB, _TORSO, _TORSO, _LIMB, _LIMB),
    *(_FACE, _FACE),
)
#: Pelvis, feet and hands, of which the data know little.
_LIGHT_JOINTS = (0, 10, 11, 22, 23)
_LIGHT = 0.1
_WEAK_FACTOR = 5.0
_VELOCITY_WINDOWS = (1, 3, 9, 27)
_CASCADE_FACTOR = 0.5
_UNKNOWN_CONTACT = -1.0
_CONTACT = 0.5
_BOX_UNIT = 200.0


@dataclass(frozen=True)
class PublishedPrediction:
    """What the losses need of the network, for B clips of T frames; metres, y-down world.

    Attributes:
        pose: (B, T, 24, 6) raw 6D, root in the camera.
        betas: (B, T, 10).
        contact: (B, T, 4).
        keypoints3d_network: (B, T, 17, 3) of the encoder.
        keypoints3d: (B, T, 31, 3) of the body, camera axes.
        keypoints2d_full: (B, T, 31, 2) pixels of the whole image.
        keypoints2d_weak: (B, T, 31, 2) half crops from the crop's centre.
        vertices: (B, T, V, 3), or None where the surface is not compared.
        root, root_refined: (B, T + 1, 6) raw 6D in the world, from the initial frame on.
        velocity, velocity_refined: (B, T, 3) metres a frame, root frame.
        feet, feet_refined: (B, T, 4, 3) in the world.
        rotation_camera_world: (B, T, 3, 3) that pose and unrefined root imply.
    """

    pose: Tensor
    betas: Tensor
    contact: Tensor
    keypoints3d_network: Tensor
    keypoints3d: Tensor
    keypoints2d_full: Tensor
    keypoints2d_weak: Tensor
    vertices: Tensor | None
    root: Tensor
    root_refined: Tensor
    velocity: Tensor
    velocity_refined: Tensor
    feet: Tensor
    feet_refined: Tensor
    rotation_camera_world: Tensor


@dataclass(frozen=True)
class PublishedTruth:
    """What is known of B clips of T frames; what a mask leaves out may be any finite number.

    Attributes:
        pose: (B, T, 24, 6); betas: (B, T, 10); has_smpl: (B,) bool, guards both.
        vertices: (B, T, V, 3) any origin, or None; has_vertices: (B,) bool.
        keypoints3d: (B, T, 31, 4) camera axes, any origin, and confidence.
        keypoints2d_full: (B, T, 31, 3) pixels and confidence.
        keypoints2d_weak: (B, T, 31, 3) half crops from the crop's centre, and confidence.
        bbox: (B, T, 3) box centre (pixels) and side / 200.
        contact: (B, T, 4), -1 where unknown.
        root: (B, T + 1, 6) in the world; has_root: (B,) bool.
        velocity: (B, T, 3) metres a frame, root frame; has_velocity: (B,) bool.
        rotation_camera_world: (B, T + 1, 3, 3), cam_angvel: (B, T, 6) the network's input;
            has_camera: (B,) bool, guards both.
    """

    pose: Tensor
    betas: Tensor
    has_smpl: Tensor
    vertices: Tensor | None
    has_vertices: Tensor
    keypoints3d: Tensor
    keypoints2d_full: Tensor
    keypoints2d_weak: Tensor
    bbox: Tensor
    contact: Tensor
    root: Tensor
    has_root: Tensor
    velocity: Tensor
    has_velocity: Tensor
    rotation_camera_world: Tensor
    cam_angvel: Tensor
    has_camera: Tensor


def _mean(values: Tensor) -> Tensor:
    """Mean; zero, with a gradient of zero, of nothing."""
    return values.sum() / max(values.numel(), 1)


def _mean_by_share(values: Tensor, known: Tensor) -> Tensor:
    """Mean over the known clips times their share of the batch."""
    return _mean(values[known]) * known.float().mean()


def _by_confidence(distance: Tensor, confidence: Tensor) -> Tensor:
    """Weighted mean of distances (B, T, 17 or 31) times the mean confidence of the batch."""
    weights = distance.new_tensor((*_COCO_WEIGHTS, *_COMMON_WEIGHTS))[: distance.shape[-1]]
    return (distance * confidence * weights).mean() * confidence.mean()


def _pose(prediction: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    weights = prediction.new_ones(24)
    weights[list(_LIGHT_JOINTS)] = _LIGHT
    weights = weights / weights.mean()
    return _mean_by_share((prediction - truth).square() * weights[:, None], known)


def _vertices(prediction: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    error = prediction - truth
    error = error - error.mean(-2, keepdim=True)
    return _mean_by_share(error.abs().sum(-1), known)


def _network_keypoints(prediction: Tensor, points: Tensor, confidence: Tensor) -> Tensor:
    """The encoder's points as they are against points centred on their hips."""
    hips = points[..., [LEFT_HIP, RIGHT_HIP], :].mean(-2, keepdim=True)
    return _by_confidence((prediction - (points - hips)).norm(dim=-1), confidence)


def _body_keypoints(prediction: Tensor, points: Tensor, confidence: Tensor) -> Tensor:
    """Both centred, the COCO points and the common joints each on their own hips."""
    error = centre_on_hips(prediction) - centre_on_hips(points)
    return _by_confidence(error.norm(dim=-1), confidence)


def _keypoints2d(prediction: PublishedPrediction, truth: PublishedTruth) -> Tensor:
    full, weak = truth.keypoints2d_full, truth.keypoints2d_weak
    pixels = (prediction.keypoints2d_full - full[..., :2]).norm(dim=-1)
    side = truth.bbox[..., 2:] * _BOX_UNIT
    crops = (prediction.keypoints2d_weak - weak[..., :2]).norm(dim=-1)
    return _by_confidence(pixels / side, full[..., 2]) + _WEAK_FACTOR * _by_confidence(
        crops, weak[..., 2]
    )


def _root(
    root: Tensor, velocity: Tensor, truth: PublishedTruth, weights: PublishedLossWeights
) -> Tensor:
    rotation = (root[:, 1:] - truth.root[:, 1:])[truth.has_root].square()
    error = (velocity - truth.velocity)[truth.has_velocity]
    batch, frames = velocity.shape[:2]
    bound = min(batch, frames) if weights.velocity_bound == "batch" else frames
    total = error.new_zeros(())
    for window in _VELOCITY_WINDOWS:
        for start in range(0, bound - window + 1, window):
            total = total + _mean(error[:, start : start + window].sum(1).norm(dim=-1))
    return weights.root_velocity * total + weights.root_rotation * _mean(rotation)


def _sliding(feet: Tensor, contact: Tensor) -> Tensor:
    moved = (feet[:, 1:] - feet[:, :-1]).norm(dim=-1)
    return (moved * (contact[:, 1:] > _CONTACT)).mean()


def _camera(prediction: Tensor, truth: PublishedTruth) -> Tensor:
    implied = prediction[truth.has_camera]
    rotation = matrix_to_rotation_6d(implied) - matrix_to_rotation_6d(
        truth.rotation_camera_world[truth.has_camera, 1:]
    )
    told = camera_angular_velocity(implied[:, :-1] @ implied[:, 1:].mT)
    rate = told - truth.cam_angvel[truth.has_camera, 1:]
    return _mean(rotation.square()) + _mean(rate.square())


def published_losses(
    prediction: PublishedPrediction,
    truth: PublishedTruth,
    weights: PublishedLossWeights,
    epoch: int,
) -> dict[str, Tensor]:
    """All terms with their weights; their sum is the loss.

    Args:
        prediction: of the network.
        truth: of the same clips.
        weights: of the stage.
        epoch: number of the epoch, from 0; the camera's term may begin later.

    Returns:
        Scalars by the names of the terms. ``velocity_bound`` "batch" makes the root's terms
        depend on the number of clips, as published.
    """
    known3d = truth.keypoints3d[..., 3]
    points3d = truth.keypoints3d[..., :3]
    contact_known = truth.contact != _UNKNOWN_CONTACT
    zero = prediction.pose.new_zeros(())
    terms = {
        "pose": weights.pose * _pose(prediction.pose, truth.pose, truth.has_smpl),
        "betas": weights.betas
        * _mean_by_share((prediction.betas - truth.betas).square(), truth.has_smpl),
        "keypoints2d": weights.keypoints2d * _keypoints2d(prediction, truth),
        "keypoints3d": weights.keypoints3d
        * _body_keypoints(prediction.keypoints3d, points3d, known3d),
        "keypoints3d_network": weights.keypoints3d_network
        * _network_keypoints(
            prediction.keypoints3d_network, points3d[:, :, :17], known3d[:, :, :17]
        ),
        "cascade": weights.cascade
        * _CASCADE_FACTOR
        * _network_keypoints(
            prediction.keypoints3d_network,
            prediction.keypoints3d[:, :, :17],
            known3d[:, :, :17],
        ),
        "vertices": zero
        if prediction.vertices is None or truth.vertices is None
        else weights.vertices * _vertices(prediction.vertices, truth.vertices, truth.has_vertices),
        "contact": weights.contact
        * _mean((prediction.contact - truth.contact)[contact_known].square()),
        "root": _root(prediction.root, prediction.velocity, truth, weights),
        "root_refined": _root(prediction.root_refined, prediction.velocity_refined, truth, weights),
        "sliding": weights.sliding * _sliding(prediction.feet, truth.contact),
        "sliding_refined": weights.sliding * _sliding(prediction.feet_refined, truth.contact),
        "camera": zero
        if epoch < weights.camera_from_epoch
        else weights.camera * _camera(prediction.rotation_camera_world, truth),
    }
    return {name: weights.total * term for name, term in terms.items()}
