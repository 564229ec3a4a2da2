"""What makes up for the pull of energies in metres toward small and near bodies.

A camera does not tell a body from a smaller, nearer one that moves less far. Defects of transitions
and slips of resting feet are weighed in metres, so the smaller one costs less, and the likeliest
motion is too near; the likeliest size is not, for a small body's motions fill less volume. With N
residuals of variance one the volume goes with distance to the power N, and their energy is N / 2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.humor.window_normal import NormalEquations
from humor_ros.humor.window_values import WindowObservations

__all__ = ["add_volume", "volume_energy"]


def volume_energy(root: Tensor, seen: WindowObservations, metric: float) -> Tensor:
    """Minus the logarithm of the volume, counted from the tracker's distances.

    Args:
        root: (T, 3) places, metres.
        seen: the tracker's ones, and the camera.
        metric: energy in metres, without gradient; 0 where the camera's place is not known, since
            nothing can be nearer then.
    """
    if not (metric and seen.camera_known):
        return root.new_zeros(())
    distance = (root - seen.camera_position).norm(dim=-1)
    told = (seen.root - seen.camera_position).norm(dim=-1)
    return -2.0 * metric * (distance / told).log().mean()


@torch.no_grad()
def add_volume(
    root: Tensor, seen: WindowObservations, metric: float, normal: NormalEquations
) -> None:
    """Add the slope of :func:`volume_energy` to normal equations; it has no curvature to speak of.

    Args:
        root: (T, 3) metres.
        seen: the tracker's places, and the camera.
        metric: energy in metres.
        normal: what is added to.
    """
    if not (metric and seen.camera_known):
        return
    sight = root - seen.camera_position
    slope = -2.0 * metric / seen.frames * sight / sight.square().sum(-1, keepdim=True)
    normal.gradient[: normal.anchors, :3] += slope[: normal.anchors]
