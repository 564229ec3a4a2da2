"""The backbone's linear maps packed for the processor, once, in place of at every call.

oneDNN multiplies blocked matrices. Given plain ones it blocks the weights anew each time, which at
a batch of one takes as long as the product itself, or longer in bfloat16.
"""

from __future__ import annotations

import logging
from typing import cast

import torch
from torch import Tensor, nn

from humor_ros.features.network import Hmr2Encoder
from humor_ros.features.vit import Block, Linear

__all__ = ["PackedLinear", "is_packed", "pack"]

_log = logging.getLogger(__name__)

_KINDS = (torch.float32, torch.bfloat16)


class PackedLinear(nn.Module):
    """A :class:`Linear` with blocked weights; it has no parameters and stays on the CPU.

    Args:
        linear: what to pack; it is not kept.
        rows: rows of the inputs to expect, which choose the blocks; others work too.
        gelu: whether an exact GELU follows, which is then part of the product.
    """

    def __init__(self, linear: Linear, rows: int, *, gelu: bool = False) -> None:
        super().__init__()
        weight, bias = linear.weight.detach(), linear.bias.detach()
        self._dtype = weight.dtype
        # Blocked tensors know no conversion, so they are no buffers.
        self._blocked = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        self._bias = bias.clone()
        self._after = "gelu" if gelu else "none"

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        values = input.to(self._dtype).contiguous()
        return torch.ops.mkldnn._linear_pointwise(
            values, self._blocked, self._bias, self._after, [], "none"
        )


def is_packed(encoder: Hmr2Encoder) -> bool:
    """Whether an encoder was packed; it then keeps its type and stays on the CPU."""
    return any(isinstance(module, PackedLinear) for module in encoder.modules())


def pack(encoder: Hmr2Encoder, batch: int = 1) -> bool:
    """Pack an encoder in place, for evaluation on the CPU.

    One map at a time is packed and its plain weights are dropped, so there is never a second copy
    of all; what stays plain is copied, so that a file that was mapped is let go. A
    packed encoder has no complete ``state_dict`` and cannot change its type or device.

    Args:
        encoder: what to pack; one that is packed already is left as it is.
        batch: crops at a time to expect.

    Returns:
        Whether it is packed. Not in float64 or float16, nor where PyTorch or the processor lacks
        the means; the encoder then works as it did.
    """
    if is_packed(encoder):
        return True
    blocks = [cast(Block, block) for block in encoder.backbone.blocks]
    rows = batch * (encoder.backbone.pos_embed.shape[1] - 1)
    if not _possible(blocks[0].attn.qkv, rows):
        return False
    for block in blocks:
        block.attn.qkv = PackedLinear(block.attn.qkv, rows)  # type: ignore[assignment]
        block.attn.proj = PackedLinear(block.attn.proj, rows)  # type: ignore[assignment]
        block.mlp.fc1 = PackedLinear(block.mlp.fc1, rows, gelu=True)  # type: ignore[assignment]
        block.mlp.act = nn.Identity()  # type: ignore[assignment]
        block.mlp.fc2 = PackedLinear(block.mlp.fc2, rows)  # type: ignore[assignment]
    for tensor in (*encoder.parameters(), *encoder.buffers()):
        tensor.data = tensor.data.clone()
    return True


def _possible(linear: Linear, rows: int) -> bool:
    """Whether a map can be packed here and gives what it gave."""
    weight = linear.weight
    if weight.dtype not in _KINDS or weight.device.type != "cpu":
        return False
    try:
        with torch.inference_mode():
            sample = torch.linspace(-1.0, 1.0, rows * weight.shape[1]).view(rows, -1)
            expected = linear(sample).float()
            found = PackedLinear(linear, rows)(sample).float()
    except (AttributeError, RuntimeError) as error:
        _log.info("linear maps stay unpacked, which is slower: %s", str(error).split("\n")[0])
        return False
    scale = expected.abs().max().clamp_min(1e-6)
    limit = 0.02 if weight.dtype is torch.bfloat16 else 1e-4
    return bool(((found - expected).abs().max() / scale) < limit)
