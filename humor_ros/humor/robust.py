"""Robust losses: Geman-McClure for image points and Tukey's bisquare for surface points."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["bisquare_weights", "geman_mcclure"]

_TUKEY = 4.6851  # 95 % efficiency for normal residuals
_NORMAL_MAD = 0.67449  # median absolute deviation of a standard normal


def geman_mcclure(residual: Tensor, scale: float) -> Tensor:
    """``s^2 r^2 / (s^2 + r^2)``: r^2 for small residuals, at most s^2 (Geman and McClure, 1987).

    Args:
        residual: any shape.
        scale: s, in the residual's unit.
    """
    squared = residual.square()
    return scale * scale * squared / (scale * scale + squared)


def bisquare_weights(residual: Tensor) -> Tensor:
    """Tukey's bisquare weights, each row scaled by its median absolute deviation.

    Args:
        residual: (N, K) residuals >= 0; entries that are not finite get weight 0 and do not
            count in the medians.

    Returns:
        (N, K) weights in [0, 1] without gradient. A row without deviation keeps weight 1.
    """
    residual = residual.detach()
    valid = torch.isfinite(residual)
    known = residual.where(valid, torch.nan)
    # nanmedian takes the lower of two middle values, as the published loss does.
    centre = known.nanmedian(dim=-1, keepdim=True).values
    deviation = (known - centre).abs().nanmedian(dim=-1, keepdim=True).values
    width = _TUKEY * deviation / _NORMAL_MAD
    ratio = torch.where(width > 0, residual / width.clamp(min=torch.finfo(width.dtype).tiny), 0.0)
    weights = torch.where(ratio.abs() < 1, (1 - ratio.square()).square(), 0.0)
    return torch.where(valid, weights, 0.0)
