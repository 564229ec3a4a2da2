"""Shorter number types for the encoder, where they are worth it and with a stated bound.

The blocks of the backbone hold 94 % of the parameters and 98 % of the work. Only their linear maps
take the shorter type; norms, the stream of residuals, the patch embedding, and the whole decoder
stay in float32, which costs next to nothing and keeps most of the accuracy.
"""

from __future__ import annotations

import torch
from torch import nn

from humor_ros.features.network import Hmr2Encoder
from humor_ros.features.packed import is_packed

__all__ = ["FEATURE_BOUNDS", "set_precision"]

#: Largest change of the feature over its root mean square, from float64, that each type may make.
#: Held by the tests on the golden network (random weights, 3 blocks); it says nothing about the
#: published weights, which must be measured where they are.
FEATURE_BOUNDS: dict[torch.dtype, float] = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.float16: 3e-3,
    torch.bfloat16: 2e-2,
}


def set_precision(encoder: Hmr2Encoder, dtype: torch.dtype) -> Hmr2Encoder:
    """Convert an encoder in place.

    Args:
        encoder: what to convert, not packed; parameters that have the type already are not
            touched.
        dtype: float32 or float64 for everything; bfloat16 or float16 for the linear maps of the
            backbone's blocks, the rest float32.

    Raises:
        ValueError: another type, or the encoder is packed.
    """
    if is_packed(encoder):
        raise ValueError("encoder is packed; convert it before it is packed, or load it anew")
    if dtype not in FEATURE_BOUNDS:
        known = ", ".join(str(known).removeprefix("torch.") for known in FEATURE_BOUNDS)
        raise ValueError(f"dtype must be one of {known}, got {dtype}")
    short = dtype in (torch.float16, torch.bfloat16)
    inside = {
        module
        for module in encoder.backbone.blocks.modules()
        if short and isinstance(module, nn.Linear)
    }
    for module in encoder.modules():
        kind = dtype if module in inside or not short else torch.float32
        module._apply(
            lambda tensor, kind=kind: tensor.to(kind) if tensor.is_floating_point() else tensor,
            recurse=False,
        )
    return encoder
