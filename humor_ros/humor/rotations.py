"""Rotation vectors in the published forms, exact to the last digit where networks need it.

They differ from :mod:`humor_ros.geometry` by 1e-8, for matrices that are rotations but for that
much: the decoder's weights were trained so, and the published fit stores its rotations so.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

__all__ = ["rodrigues", "rotation_vector"]

_OFFSET = 1e-8
_LOW = 1e-6  #: least last diagonal entry for a quaternion by z or w


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
    generators, identity = _constants(axis_angle.dtype, axis_angle.device)
    cross = ((axis_angle / angle) @ generators).unflatten(-1, (3, 3))
    angle = angle[..., None]
    return identity + torch.sin(angle) * cross + (1.0 - torch.cos(angle)) * (cross @ cross)


@cache
def _constants(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The map (3, 9) of a vector to its cross-product matrix, and the identity (3, 3)."""
    generators = [
        [0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0],
        [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]
    with torch.inference_mode(False):
        return (
            torch.tensor(generators, dtype=dtype, device=device),
            torch.eye(3, dtype=dtype, device=device),
        )


def rotation_vector(matrix: Tensor) -> Tensor:
    """Undo :func:`rodrigues`, by the quaternion of the branch that the diagonal's signs choose.

    Mike Day, "Converting a Rotation Matrix to a Quaternion", Insomniac Games, 2015. Gradients
    are finite everywhere, at the identity too.

    Args:
        matrix: (..., 3, 3) rotation matrices.

    Returns:
        (..., 3) unit axis times angle of at most pi, rad.

    Raises:
        ValueError: the last two axes are not (3, 3).
    """
    if matrix.shape[-2:] != (3, 3):
        raise ValueError(f"matrix must have shape (..., 3, 3), got {tuple(matrix.shape)}")
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in matrix.unbind(-2))
    low = zz < _LOW
    by_x, by_y = low & (xx > yy), low & ~(xx > yy)
    by_z = ~low & (xx < -yy)
    one = torch.ones_like(xx)
    trace = (
        1.0
        + torch.where(by_y | by_z, -one, one) * xx
        + torch.where(by_x | by_z, -one, one) * yy
        + torch.where(by_x | by_y, -one, one) * zz
    )
    rows = {
        "x": (trace, xy + yx, xz + zx, zy - yz),
        "y": (xy + yx, trace, yz + zy, xz - zx),
        "z": (xz + zx, yz + zy, trace, yx - xy),
        "w": (zy - yz, xz - zx, yx - xy, trace),
    }
    x, y, z, w = (torch.stack(row, dim=-1) for row in rows.values())
    doubled = torch.where(
        by_x[..., None],
        x,
        torch.where(by_y[..., None], y, torch.where(by_z[..., None], z, w)),
    )
    quaternion = doubled * 0.5 / trace[..., None].sqrt()
    vector, scalar = quaternion[..., :3], quaternion[..., 3:]
    squared = vector.square().sum(dim=-1, keepdim=True)
    turned = squared > 0
    sine = torch.where(turned, squared, 1.0).sqrt()
    sign = torch.where(scalar < 0, -1.0, 1.0)
    angle = 2.0 * torch.atan2(sign * sine, sign * scalar)
    return vector * torch.where(turned, angle / sine, 2.0)
