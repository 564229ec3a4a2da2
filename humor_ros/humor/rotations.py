"""The published form of Rodrigues' formula, for rotation changes that the decoder writes."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["rodrigues"]

_OFFSET = 1e-8


def rodrigues(axis_angle: Tensor) -> Tensor:
    """Make rotation matrices of rotation vectors as the published network does.

    The angle is the norm of ``axis_angle + 1e-8``, so results differ from
    :func:`humor_ros.geometry.axis_angle_to_matrix` by about 1e-8; weights were trained so, and
    gradients at zero are finite.

    Args:
        axis_angle: (..., 3) rad.

    Returns:
        (..., 3, 3) rotation matrices.

    Raises:
        ValueError: the last axis is not 3.
    """
    if axis_angle.shape[-1] != 3:
        raise ValueError(f"axis_angle must have shape (..., 3), got {tuple(axis_angle.shape)}")
    angle = torch.linalg.vector_norm(axis_angle + _OFFSET, dim=-1, keepdim=True)
    x, y, z = (axis_angle / angle).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).unflatten(-1, (3, 3))
    angle = angle[..., None]
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + torch.sin(angle) * cross + (1.0 - torch.cos(angle)) * (cross @ cross)
