"""Where a detector means a joint to be: offsets in the body that turn with the limbs.

Annotators, detectors and body models place "the shoulder" or "the hip" centimetres apart, on both
sides alike. In an image that looks like another proportion of the body, not like noise: taken at
its word, a shoulder that is too wide or too narrow becomes a turn of the trunk in depth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.body.kinematics import global_rotations
from humor_ros.body.skeleton import COCO17_FLIP

__all__ = ["definition_offsets"]

#: SMPL joint with whose limb each COCO-17 key-point turns: head, collars, arms, pelvis, legs.
_LIMB = (15, 15, 15, 15, 15, 13, 14, 16, 17, 18, 19, 0, 0, 1, 2, 4, 5)
#: Standard deviation along each axis, metres: the body's sides agree to a part (assumed: surface
#: markers, joint centres and annotators' points lie 1-3 cm apart).
_STD_M = (
    *(0.010, 0.010, 0.010, 0.012, 0.012),
    *(0.018, 0.018, 0.012, 0.012, 0.012, 0.012),
    *(0.020, 0.020, 0.015, 0.015, 0.015, 0.015),
)
#: Share of the variance that both sides have in common.
_SYMMETRIC_SHARE = 0.75


def definition_offsets(rotations: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Draw what a detector's joints differ by, constant over a window in the limbs' frames.

    Args:
        rotations: (B, T, 24, 3, 3) joint rotations, the root's in the frame of the answer.
        strength: factor on the sizes.
        generator: source of all chance.

    Returns:
        (B, T, 17, 3) metres.
    """
    batch = len(rotations)
    common = torch.randn(batch, 17, 3, generator=generator)
    # Mirrored in the plane x = 0 of the body, as its other side is.
    mirrored = common[:, list(COCO17_FLIP)] * common.new_tensor([-1.0, 1.0, 1.0])
    left = torch.tensor([joint <= other for joint, other in enumerate(COCO17_FLIP)])
    common = torch.where(left[:, None], common, mirrored)
    single = torch.randn(batch, 17, 3, generator=generator)
    offsets = _SYMMETRIC_SHARE**0.5 * common + (1 - _SYMMETRIC_SHARE) ** 0.5 * single
    offsets = strength * torch.tensor(_STD_M)[:, None] * offsets
    turns = global_rotations(rotations)[:, :, list(_LIMB)]
    return (turns @ offsets[:, None, :, :, None])[..., 0]
