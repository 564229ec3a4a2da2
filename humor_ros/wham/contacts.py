"""Contact labels from the speed of toes and heels."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["CONTACT_SPEED", "contact_labels"]

#: Speed at which a foot is as likely to stand as to move, metres a frame at 30 frames a second
#: (published value).
CONTACT_SPEED = 0.01
_STEEPNESS = 5.0 / CONTACT_SPEED


def contact_labels(
    feet: Tensor, speed: float = CONTACT_SPEED, *, one_sided_ends: bool = False
) -> Tensor:
    """Probability that each point rests, from its central difference over two frames.

    Args:
        feet: (..., T, K, 3) positions in the world, metres, 30 frames a second; T >= 3 if not
            ``one_sided_ends``.
        speed: speed of probability one half, metres a frame.
        one_sided_ends: the first and the last frame are labelled by their own step, not by
            their neighbour's label (training's windows; the published code copies).

    Returns:
        (..., T, K) in [0, 1].

    Raises:
        ValueError: fewer than three frames are given, and the ends are to be copied.
    """
    if feet.shape[-3] < 3 and not one_sided_ends:
        raise ValueError(f"feet must have at least 3 frames, got {feet.shape[-3]}")
    around = torch.cat((feet[..., :1, :, :], feet, feet[..., -1:, :, :]), dim=-3)
    moved = (around[..., 2:, :, :] - around[..., :-2, :, :]).norm(dim=-1) / 2.0
    if one_sided_ends:
        moved[..., [0, -1], :] *= 2.0
    else:
        moved[..., [0, -1], :] = moved[..., [1, -2], :]
    return torch.sigmoid(_STEEPNESS * (speed - moved))
