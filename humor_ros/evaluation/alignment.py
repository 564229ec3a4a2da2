"""Least-squares alignment of point sets: the similarity or rigid map of Umeyama (1991)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["similarity_align", "similarity_transform"]


def similarity_transform(
    source: Tensor, target: Tensor, *, with_scale: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Find scale, rotation and translation that carry ``source`` nearest to ``target``.

    Args:
        source: (..., N, 3).
        target: (..., N, 3).
        with_scale: False keeps the scale at 1.

    Returns:
        scale (..., 1, 1), rotation (..., 3, 3), translation (..., 3) with
        ``target ~ scale * rotation @ source + translation``.
    """
    mean_source = source.mean(-2, keepdim=True)
    mean_target = target.mean(-2, keepdim=True)
    a, b = source - mean_source, target - mean_target
    u, s, vt = torch.linalg.svd(b.mT @ a)
    sign = torch.ones_like(s)
    sign[..., -1] = torch.det(u @ vt).sign()
    rotation = (u * sign[..., None, :]) @ vt
    if with_scale:
        variance = a.square().sum((-1, -2)).clamp_min(torch.finfo(a.dtype).tiny)
        scale = ((s * sign).sum(-1) / variance)[..., None, None]
    else:
        scale = torch.ones_like(s[..., :1, None])
    translation = mean_target[..., 0, :] - (scale * (rotation @ mean_source.mT))[..., 0]
    return scale, rotation, translation


def similarity_align(source: Tensor, target: Tensor, *, with_scale: bool = True) -> Tensor:
    """Carry ``source`` (..., N, 3) onto ``target`` by :func:`similarity_transform`."""
    scale, rotation, translation = similarity_transform(source, target, with_scale=with_scale)
    return scale * (source @ rotation.mT) + translation[..., None, :]
