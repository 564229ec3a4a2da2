"""Prior and decoder of a network that learns no more, for one step after the other.

Tensors of a roll-out are small and its steps serial, so it costs what its operations cost. Group
normalisation needs no mean here, because that of each group is taken off the weights before it;
all that a transition adds to the decoder is one product; and what is not a product of matrices is
NumPy's, whose calls cost less than PyTorch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from humor_ros.humor.config import HumorConfig
from humor_ros.humor.networks import HumorNetwork, Mlp

__all__ = ["FrozenNetwork"]


@dataclass(frozen=True, eq=False)
class _Norm:
    """Group normalisation of values whose groups have no mean, and the ReLU after it."""

    groups: int
    epsilon: float
    scale: Tensor
    shift: Tensor

    def __call__(self, hidden: Tensor) -> Tensor:
        """Normalise (B, width); it is overwritten."""
        grouped = hidden.numpy().reshape(len(hidden), self.groups, -1)
        variance = np.einsum("bgc,bgc->bg", grouped, grouped)
        variance /= grouped.shape[2]
        variance += self.epsilon
        grouped *= np.reciprocal(np.sqrt(variance))[..., None]
        return torch.addcmul(self.shift, hidden, self.scale).relu_()


@dataclass(frozen=True, eq=False)
class _Layers:
    """Linear layers (in, out) with a norm after each but the last.

    The layers' own inputs alone: ``terms`` (n_skip, sum of out) is what a skipped input adds to
    all of them, side by side, and ``bias`` (sum of out) goes with it. ``direct`` (in, out) is a
    linear map from the first input to the output.
    """

    weights: tuple[Tensor, ...]
    norms: tuple[_Norm, ...]
    terms: Tensor
    bias: Tensor
    sizes: tuple[int, ...]
    direct: Tensor | None

    @classmethod
    def of(cls, mlp: Mlp, reads: Sequence[int], writes: Sequence[int]) -> _Layers:
        """Copy the numbers ``reads`` of the input and ``writes`` of the output."""
        linears = [layer for layer in mlp.net if isinstance(layer, nn.Linear)]
        norms = [layer for layer in mlp.net if isinstance(layer, nn.GroupNorm)]
        own, skipped, biases = [], [], []
        for number, linear in enumerate(linears):
            weight, bias = linear.weight.detach().double().T, linear.bias.detach().double()
            if number < len(norms):
                weight = _centred(weight, norms[number].num_groups)
                bias = _centred(bias, norms[number].num_groups)
            else:
                weight, bias = weight[:, list(writes)], bias[list(writes)]
            n_own = len(weight) - mlp.n_skip
            own.append(weight[list(reads)] if number == 0 else weight[:n_own])
            skipped.append(weight[n_own:])
            biases.append(bias)
        kind = linears[0].weight.dtype
        direct = None if mlp.direct is None else mlp.direct.detach().T[list(reads)][:, list(writes)]
        return cls(
            weights=tuple(weight.to(kind).contiguous() for weight in own),
            norms=tuple(
                _Norm(
                    norm.num_groups,
                    norm.eps,
                    norm.weight.detach().clone(),
                    norm.bias.detach().clone(),
                )
                for norm in norms
            ),
            terms=torch.cat(skipped, dim=1).to(kind).contiguous(),
            bias=torch.cat(biases).to(kind),
            sizes=tuple(len(bias) for bias in biases),
            direct=None if direct is None else direct.contiguous(),
        )

    def __call__(self, rows: Tensor, added: Tensor) -> Tensor:
        """(B, out) of rows (B, in); ``added`` is the bias, or terms and bias (B, sum of out)."""
        hidden, parts = rows, added.split(self.sizes, dim=-1)
        for part, weight, norm in zip(parts[:-1], self.weights[:-1], self.norms, strict=True):
            hidden = norm(torch.addmm(part, hidden, weight))
        out = torch.addmm(parts[-1], hidden, self.weights[-1])
        return out if self.direct is None else torch.addmm(out, rows, self.direct)


class FrozenNetwork:
    """What a step of a roll-out computes; weights are copies.

    Args:
        network: not under training.
        reads: numbers of the state's row, in the order in which they will be given.
        writes: numbers of the decoder's output, in the order in which they are wanted.

    Attributes:
        config: of the network.
        dtype: of its numbers.

    Raises:
        ValueError: the network is under training.
    """

    def __init__(self, network: HumorNetwork, reads: Sequence[int], writes: Sequence[int]) -> None:
        if network.scaling is not None:
            raise ValueError("network has scaling, so it is under training: export it first")
        self.config: HumorConfig = network.config
        self._prior = _Layers.of(network.prior_net, reads, range(2 * self.config.latent_size))
        self._decoder = _Layers.of(network.decoder, reads, writes)
        self.dtype = self._prior.bias.dtype

    def __call__(self, rows: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B, out) what the decoder writes after a step of the prior.

        Args:
            rows: (B, 339) in the order of ``reads``.
            noise: (n, latent) of a standard Gaussian for the last n rows, whose transitions are
                drawn; the others take the prior's mean.
        """
        mean, log_variance = self._prior(rows, self._prior.bias).chunk(2, dim=-1)
        if noise is not None and len(noise):
            drawn = slice(len(rows) - len(noise), None)
            mean[drawn] += noise * torch.exp(0.5 * log_variance[drawn])
        return self._decoder(rows, torch.addmm(self._decoder.bias, mean, self._decoder.terms))


def _centred(values: Tensor, groups: int) -> Tensor:
    """Values (..., width) less their means over each group."""
    grouped = values.unflatten(-1, (groups, -1))
    return (grouped - grouped.mean(dim=-1, keepdim=True)).flatten(-2)
