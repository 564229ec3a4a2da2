"""Contact labels from the speed of toes and heels."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["CONTACT_SPEED", "contact_labels"]

#: Speed at which a foot is as likely to stand as to move, metres a frame at 30 frames a second
#: (published value).
CONTACT_SPEED = 0.01
_STEEPNESS = 5.0 / CONTACT_SPEED


def contact_labels(feet: Tensor, speed: float = CONTACT_SPEED) -> Tensor:
    """Probability that each point rests, from its central difference over two frames.

    Args:
        feet: (..., T, K, 3) positions in the world, metres, 30 frames a second, T >= 3.
        speed: speed of probability one half, metres a frame.

    Returns:
        (..., T, K) in [0, 1]; the first and last frame copy their neighbour.

    Raises:
        ValueError: fewer than three frames are given.
    """
    if feet.shape[-3] < 3:
        raise ValueError(f"feet must have at least 3 frames, got {feet.shape[-3]}")
    moved = (feet[..., 2:, :, :] - feet[..., :-2, :, :]).norm(dim=-1) / 2.0
    label = torch.sigmoid(_STEEPNESS * (speed - moved))
    return torch.cat((label[..., :1, :], label, label[..., -1:, :]), dim=-2)
