"""The vision transformer of HMR2.0: a crop of a person in, 192 tokens out.

Goel et al., "Humans in 4D" (ICCV 2023), section 3; the design is ViTPose's (Xu et al., NeurIPS
2022): pre-norm blocks, padded patches, no class token. Parameters have the published names.

Linear maps inside the blocks may be of a shorter type than the rest (``precision``): each casts
its input, and the stream of residuals keeps its own type. They may also be packed (``packed``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from humor_ros.features.config import VitConfig

__all__ = ["Attention", "Backbone", "Block", "Linear", "Perceptron"]

_EPS = 1e-6
_PADDING = 2


class Linear(nn.Linear):
    """A linear map that casts its input to the type of its weights."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) to (..., out), of the weights' type."""
        return super().forward(input.to(self.weight.dtype))


class Attention(nn.Module):
    """Self-attention among all tokens."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv = Linear(config.embed_dim, 3 * config.embed_dim)
        self.proj = Linear(config.embed_dim, config.embed_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        parts = self.qkv(tokens).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    """Two linear maps with an exact GELU between them."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.fc1 = Linear(config.embed_dim, config.hidden_dim)
        self.act = nn.GELU()
        self.fc2 = Linear(config.hidden_dim, config.embed_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        return self.fc2(self.act(self.fc1(tokens)))


class Block(nn.Module):
    """Attention and perceptron, each on normalised tokens and added to the stream."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=_EPS)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=_EPS)
        self.mlp = Perceptron(config)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class PatchEmbedding(nn.Module):
    """One token a patch; patch (i, j) covers pixels 16 i - 2 to 16 i + 13, zero outside."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        size = config.patch_size
        self.proj = nn.Conv2d(3, config.embed_dim, size, stride=size, padding=_PADDING)

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, N, C), row by row."""
        return self.proj(crops).flatten(2).transpose(1, 2)


class Backbone(nn.Module):
    """The transformer.

    ``pos_embed`` has one row more than there are tokens: its first row, once the class token's,
    is added to every token.
    """

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        rows, columns = config.grid
        self.patch_embed = PatchEmbedding(config)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + rows * columns, config.embed_dim))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.last_norm = nn.LayerNorm(config.embed_dim, eps=_EPS)

    def forward(self, crops: Tensor) -> Tensor:
        """Encode crops.

        Args:
            crops: (B, 3, H, W) normalised RGB of the configured size.

        Returns:
            (B, N, C) tokens after the last norm, row by row of the grid.

        Raises:
            ValueError: the crops are of another size (the network cannot interpolate).
        """
        expected = (3, *self.config.img_size)
        if crops.ndim != 4 or tuple(crops.shape[1:]) != expected:
            raise ValueError(
                f"crops must have shape (B, {', '.join(map(str, expected))}), "
                f"got {tuple(crops.shape)}"
            )
        tokens = self.patch_embed(crops)
        tokens = tokens + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            tokens = block(tokens)
        return self.last_norm(tokens)
