"""Scores by which the published training chooses its best weights."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from humor_ros.body.model import BodyModel
from humor_ros.evaluation.metrics import mpjpe_mm, pa_mpjpe_mm
from humor_ros.training.losses import published_losses
from humor_ros.training.published_batch import PublishedBatch
from humor_ros.training.published_forward import predict_clips, true_clips
from humor_ros.training.published_loss_weights import PublishedLossWeights
from humor_ros.training.published_mixture import ClipSource
from humor_ros.wham.keypoints import centre_on_hips
from humor_ros.wham.network import WhamNetwork

__all__ = ["fixed_clips", "validation_scores"]

_COMMON = slice(17, 31)


def fixed_clips(source: ClipSource, clips: int, size: int, seed: int) -> Iterator[PublishedBatch]:
    """The same batches for the same seed, ``clips`` clips in all."""
    generator = torch.Generator().manual_seed(seed)
    while clips > 0:
        yield source.batch(min(size, clips), generator)
        clips -= size


@torch.no_grad()
def validation_scores(
    network: WhamNetwork,
    body: BodyModel,
    batches: Iterator[PublishedBatch],
    weights: PublishedLossWeights,
    device: torch.device,
) -> dict[str, float]:
    """Errors of the 14 common joints, and the loss without the surface.

    Args:
        network: set to evaluation and back to what it was.
        body: neutral body model.
        batches: what to score.
        weights: of the loss.
        device: where network and body are.

    Returns:
        ``pa_mpjpe_mm`` (similarity of each frame), ``mpjpe_mm`` (hips-centred), mean over the
        frames whose joints are all known (NaN where there is none), and ``loss``.
    """
    training = network.training
    network.eval()
    aligned: list[Tensor] = []
    centred: list[Tensor] = []
    losses: list[tuple[float, int]] = []
    for batch in batches:
        batch = batch.to(device)
        answer = predict_clips(network, body, batch, vertices=False)
        truth = true_clips(batch, {"neutral": body}, vertices=False)
        terms = published_losses(answer, truth, weights, weights.camera_from_epoch)
        losses.append((float(torch.stack(list(terms.values())).sum()), len(batch)))
        known = (batch.keypoints3d[:, :, _COMMON, 3] > 0).all(-1)
        said = centre_on_hips(answer.keypoints3d)[:, :, _COMMON][known]
        true = centre_on_hips(batch.keypoints3d[..., :3])[:, :, _COMMON][known]
        if len(true):
            aligned.append(pa_mpjpe_mm(said, true))
            centred.append(mpjpe_mm(said, true))
    network.train(training)
    total = sum(n for _, n in losses)
    return {
        "pa_mpjpe_mm": float(torch.cat(aligned).mean()) if aligned else float("nan"),
        "mpjpe_mm": float(torch.cat(centred).mean()) if centred else float("nan"),
        "loss": sum(loss * n for loss, n in losses) / max(total, 1),
    }
