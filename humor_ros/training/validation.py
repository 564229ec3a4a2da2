"""Scores on unseen clips: the network runs on its own output, as in use, over fixed windows."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from humor_ros.body.model import BodyModel
from humor_ros.evaluation.alignment import similarity_align
from humor_ros.geometry.rotation import rotation_6d_to_matrix
from humor_ros.training.parallel_forward import Prediction, predict_sequence, roll_out
from humor_ros.training.recipe_losses import camera_translation
from humor_ros.training.synthesis import TrainingBatch, WindowSource
from humor_ros.wham.network import WhamNetwork

__all__ = ["run_network", "score", "validate"]

_MM = 1000.0
_FPS = 30.0


def run_network(
    network: WhamNetwork,
    body: BodyModel,
    batch: TrainingBatch,
    *,
    teacher: bool,
    bfloat16: bool,
    trajectory: bool = True,
    recurrent: bool = True,
) -> Prediction:
    """The network's answers to a batch; ``teacher`` tells it the noisy true root."""
    return predict_sequence(
        network,
        body,
        x=batch.x,
        mask=batch.mask,
        cam_angvel=batch.cam_angvel,
        init_kp=batch.init_kp,
        init_smpl=batch.init_smpl,
        init_root=batch.init_root,
        root_feedback=batch.root_feedback if teacher else None,
        bfloat16=bfloat16,
        gravity=batch.gravity,
        motion=batch.motion,
        trajectory=trajectory,
        recurrent=recurrent,
    )


def score(prediction: Prediction, truth: TrainingBatch) -> dict[str, float]:
    """Errors of one batch.

    Returns:
        ``pa_mpjpe_mm`` and ``mpjpe_mm`` over the 24 joints (hips-centred), ``coco_*`` over the
        body's 17 COCO key-points, ``accel_ms2``, ``contact_accuracy``, ``velocity_mm`` a frame
        (refined), ``rte_percent`` of the path (rigidly aligned; windows with more than 1 m of
        way), ``root_deg`` (camera), ``tilt_deg`` (world), ``camera_mm`` and ``depth_percent``
        of the mid-hip, ``sliding_mm`` a frame, ``betas``.
    """
    joints, true_joints = prediction.joints, truth.joints
    coco, true_coco = prediction.keypoints31[:, :, :17], truth.keypoints31[:, :, :17]

    def mean_distance(a: Tensor, b: Tensor) -> float:
        return float((a - b).norm(dim=-1).mean())

    def second_difference(values: Tensor) -> Tensor:
        return values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]

    placed = camera_translation(prediction.cam, truth.bbox, truth.image_size, truth.focal)
    resting = truth.contact > 0.5
    held = resting[:, 1:] & resting[:, :-1]
    feet = prediction.feet_world_refined
    slide = (feet[:, 1:] - feet[:, :-1]).norm(dim=-1)
    way = roll_out(truth.root_world, truth.root_velocity)
    path = truth.root_velocity.norm(dim=-1).sum(1)
    refined = rotation_6d_to_matrix(prediction.root_6d_refined)[:, 1:]
    down = refined.mT[..., :, 1], truth.root_world[:, 1:].mT[..., :, 1]
    turn = prediction.rotations[:, :, 0] @ truth.rotations[:, :, 0].mT
    cosine = ((turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1)
    aligned = similarity_align(prediction.translation_world_refined, way, with_scale=False)
    rte = (aligned - way).norm(dim=-1).mean(1) / path.clamp_min(1e-3) * 100
    scores = {
        "pa_mpjpe_mm": mean_distance(similarity_align(joints, true_joints), true_joints) * _MM,
        "mpjpe_mm": mean_distance(joints, true_joints) * _MM,
        "coco_pa_mpjpe_mm": mean_distance(similarity_align(coco, true_coco), true_coco) * _MM,
        "coco_mpjpe_mm": mean_distance(coco, true_coco) * _MM,
        "encoder_mpjpe_mm": mean_distance(prediction.kp3d, true_coco) * _MM,
        "accel_ms2": mean_distance(second_difference(joints), second_difference(true_joints))
        * _FPS**2,
        "contact_accuracy": float(((prediction.contact > 0.5) == resting).float().mean()),
        "velocity_mm": mean_distance(prediction.velocity_refined, truth.root_velocity) * _MM,
        "rte_percent": float(rte[path > 1.0].mean()) if bool((path > 1.0).any()) else float("nan"),
        "root_deg": float(torch.rad2deg(cosine.acos()).mean()),
        "tilt_deg": float(torch.rad2deg((down[0] * down[1]).sum(-1).clamp(-1, 1).acos()).mean()),
        "camera_mm": mean_distance(placed, truth.translation) * _MM,
        "depth_percent": float(
            (placed[..., 2] / truth.translation[..., 2].clamp_min(0.3) - 1).abs().mean() * 100
        ),
        "sliding_mm": float((slide * held).sum() / held.sum().clamp_min(1)) * _MM,
        "betas": float((prediction.betas - truth.betas[:, None]).abs().mean()),
    }
    return scores


@torch.no_grad()
def validate(
    network: WhamNetwork,
    source: WindowSource,
    *,
    windows: int,
    frames: int,
    seed: int,
    batch_size: int = 48,
    recurrent: bool = True,
) -> dict[str, float]:
    """Mean scores over windows that depend on the seed alone."""
    fixed = WindowSource(
        source.library,
        source.body,
        replace(source.data, window_frames=frames),
        source.camera,
        source.noise,
        augment=False,
    )
    generator = torch.Generator().manual_seed(seed)
    was_training = network.training
    network.eval()
    total: dict[str, float] = {}
    done = 0
    try:
        while done < windows:
            size = min(batch_size, windows - done)
            batch = fixed.batch(size, generator)
            answer = run_network(
                network,
                source.body,
                batch,
                teacher=False,
                bfloat16=False,
                recurrent=recurrent,
            )
            for name, value in score(answer, batch).items():
                total[name] = total.get(name, 0.0) + value * size
            done += size
    finally:
        network.train(was_training)
    return {name: value / windows for name, value in total.items()}
