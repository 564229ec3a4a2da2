"""The token decoder of HMR2.0: one learned query reads the image tokens and tells a body.

Goel et al., "Humans in 4D" (ICCV 2023), section 3.1. The query's last state is the feature that
WHAM integrates; linear read-outs of it are pose, shape and camera. Parameters have the published
names, those without effect (the query's own attention weights) included.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from humor_ros.features.config import DecoderConfig

__all__ = ["N_BETAS", "N_CAMERA", "N_POSE", "SmplHead", "TokenDecoder"]

#: Sizes of the read-outs: 24 rotations of 6 numbers, shape, weak-perspective camera.
N_POSE, N_BETAS, N_CAMERA = 144, 10, 3


class PreNorm(nn.Module):
    """A branch on the normalised token; the caller adds it to the stream."""

    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, token: Tensor, *context: Tensor) -> Tensor:
        """(B, 1, D) to (B, 1, D)."""
        return self.fn(self.norm(token), *context)


class SelfAttention(nn.Module):
    """Attention of the one token to itself, which is its value: queries and keys are dead."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(config.dim, 3 * config.inner_dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(config.inner_dim, config.dim))

    def forward(self, token: Tensor) -> Tensor:
        """(B, 1, D) to (B, 1, D)."""
        values = self.to_qkv.weight.chunk(3)[2]
        return self.to_out(functional.linear(token, values))


class CrossAttention(nn.Module):
    """Attention of the token to the image.

    With one query it is cheaper to take the query to the image tokens' space than all image
    tokens to the keys' and values': (W_k c) . q = c . (W_k^T q), and likewise for the values.
    """

    def __init__(self, config: DecoderConfig, context_dim: int) -> None:
        super().__init__()
        self.heads, self.dim_head = config.heads, config.dim_head
        self.to_kv = nn.Linear(context_dim, 2 * config.inner_dim, bias=False)
        self.to_q = nn.Linear(config.dim, config.inner_dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(config.inner_dim, config.dim))

    def forward(self, token: Tensor, context: Tensor) -> Tensor:
        """(B, 1, D) and image tokens (B, N, C) to (B, 1, D)."""
        keys, values = (
            half.unflatten(0, (self.heads, self.dim_head)) for half in self.to_kv.weight.chunk(2)
        )
        query = self.to_q(token)[:, 0].unflatten(-1, (self.heads, self.dim_head))
        query = torch.bmm(query.transpose(0, 1), keys).transpose(0, 1)  # (B, heads, C)
        weights = (query @ context.transpose(1, 2) * self.dim_head**-0.5).softmax(dim=-1)
        pooled = weights @ context  # (B, heads, C)
        mixed = torch.bmm(pooled.transpose(0, 1), values.transpose(1, 2)).transpose(0, 1)
        return self.to_out(mixed.flatten(1)[:, None])


class FeedForward(nn.Module):
    """Two linear maps with an exact GELU between them; the indices are the published ones."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(config.dim, config.mlp_dim),
            nn.GELU(),
            nn.Identity(),
            nn.Linear(config.mlp_dim, config.dim),
        )

    def forward(self, token: Tensor) -> Tensor:
        """(B, 1, D) to (B, 1, D)."""
        return self.net(token)


class Layers(nn.Module):
    """The decoder's layers: self-attention, cross-attention, perceptron."""

    def __init__(self, config: DecoderConfig, context_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                (
                    PreNorm(config.dim, SelfAttention(config)),
                    PreNorm(config.dim, CrossAttention(config, context_dim)),
                    PreNorm(config.dim, FeedForward(config)),
                )
            )
            for _ in range(config.depth)
        )

    def forward(self, token: Tensor, context: Tensor) -> Tensor:
        """(B, 1, D) and image tokens (B, N, C) to (B, 1, D)."""
        for layer in self.layers:
            own, cross, perceptron = layer.children()
            token = token + own(token)
            token = token + cross(token, context)
            token = token + perceptron(token)
        return token


class TokenDecoder(nn.Module):
    """The query and its layers; the query is constant, its input being zero."""

    def __init__(self, config: DecoderConfig, context_dim: int) -> None:
        super().__init__()
        self.to_token_embedding = nn.Linear(1, config.dim)
        self.pos_embedding = nn.Parameter(torch.zeros(1, 1, config.dim))
        nn.init.normal_(self.pos_embedding)
        self.transformer = Layers(config, context_dim)

    def forward(self, context: Tensor) -> Tensor:
        """Image tokens (B, N, C) to the query's last state (B, 1, D)."""
        query = self.to_token_embedding.bias + self.pos_embedding
        return self.transformer(query.expand(len(context), -1, -1), context)


class SmplHead(nn.Module):
    """Token decoder and read-outs; the means that they are added to come with the weights."""

    init_body_pose: Tensor
    init_betas: Tensor
    init_cam: Tensor

    def __init__(self, config: DecoderConfig, context_dim: int) -> None:
        super().__init__()
        self.transformer = TokenDecoder(config, context_dim)
        self.decpose = nn.Linear(config.dim, N_POSE)
        self.decshape = nn.Linear(config.dim, N_BETAS)
        self.deccam = nn.Linear(config.dim, N_CAMERA)
        self.register_buffer("init_body_pose", torch.zeros(1, N_POSE))
        self.register_buffer("init_betas", torch.zeros(1, N_BETAS))
        self.register_buffer("init_cam", torch.zeros(1, N_CAMERA))

    def read_out(self, feature: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the feature (B, D) says: pose (B, 144), betas (B, 10), camera (B, 3)."""
        return (
            self.decpose(feature) + self.init_body_pose,
            self.decshape(feature) + self.init_betas,
            self.deccam(feature) + self.init_cam,
        )

    def forward(self, context: Tensor) -> Tensor:
        """Image tokens (B, N, C) to the feature (B, D)."""
        return self.transformer(context)[:, 0]
