"""The Jacobian of an MLP with group normalisation, for many inputs at once.

Reverse mode for all outputs together. The derivative of a normalised and rectified layer is
diagonal but for two numbers a group (its mean and its spread), so a layer costs one large product
with the weights and two thin ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from humor_ros.humor.networks import Mlp

__all__ = ["MlpJacobian", "mlp_jacobian"]


@dataclass(frozen=True, eq=False)
class MlpJacobian:
    """An MLP's value and derivatives at N inputs.

    Attributes:
        value: (N, out).
        by_input: (N, rows, in) of the chosen output rows.
        by_skip: (N, rows, n_skip) by the skipped input; no columns where there is none.
    """

    value: Tensor
    by_input: Tensor
    by_skip: Tensor


@torch.no_grad()
def mlp_jacobian(
    mlp: Mlp, x: Tensor, skip: Tensor | None = None, *, rows: slice = slice(None)
) -> MlpJacobian:
    """Evaluate an MLP and its Jacobian.

    Args:
        mlp: the network.
        x: (N, in).
        skip: (N, n_skip) where the network has a skipped input.
        rows: outputs whose derivatives are wanted.
    """
    given = x
    linears: list[nn.Linear] = []
    norms: list[tuple[Tensor, Tensor]] = []
    for layer in mlp.net:
        if isinstance(layer, nn.Linear):
            x = layer(x if skip is None or not mlp.n_skip else torch.cat((x, skip), dim=-1))
            linears.append(layer)
        elif isinstance(layer, nn.GroupNorm):
            grouped = x.unflatten(-1, (layer.num_groups, -1))
            centred = grouped - grouped.mean(dim=-1, keepdim=True)
            spread = (centred.square().mean(dim=-1, keepdim=True) + layer.eps).sqrt()
            unit = centred / spread
            x = unit.flatten(-2) * layer.weight + layer.bias
            gain = layer.weight * (x > 0)
            norms.append((gain, _factor(unit, spread)))
        else:
            x = layer(x)
    count = x.shape[0]
    back = linears[-1].weight[rows].expand(count, -1, -1)
    by_skip = back.new_zeros(count, back.shape[1], mlp.n_skip)
    for index in range(len(linears) - 1, -1, -1):
        if index < len(linears) - 1:
            back = back.reshape(-1, back.shape[-1]) @ linears[index].weight
            back = back.unflatten(0, (count, -1))
        if mlp.n_skip:
            by_skip = by_skip + back[..., -mlp.n_skip :]
            back = back[..., : -mlp.n_skip]
        if index:
            gain, factor = norms[index - 1]
            scale, thin = factor[:, 0], factor[:, 1:]
            through = back * gain[:, None]
            # E = diag(scale) - thin thin^T on each group, as two thin products.
            low = through @ thin.transpose(1, 2)
            back = torch.baddbmm(through * scale[:, None], low, thin, alpha=-1.0)
    if mlp.direct is not None:
        size = mlp.direct.shape[1]
        x = torch.addmm(x, given[:, :size], mlp.direct.T)
        back = back.clone() if back.stride(0) == 0 else back
        back[..., :size] += mlp.direct[rows]
    return MlpJacobian(x, back, by_skip)


def _factor(unit: Tensor, spread: Tensor) -> Tensor:
    """(N, 1 + 2 groups, n): the diagonal of E, then its two directions for every group."""
    count, groups, size = unit.shape
    scale = (1.0 / spread).expand(count, groups, size)
    root = (1.0 / (size * spread)).sqrt()
    one = root.expand(count, groups, size)
    thin = unit.new_zeros(count, 2, groups, groups, size)
    index = torch.arange(groups)
    thin[:, 0, index, index] = one
    thin[:, 1, index, index] = unit * root
    return torch.cat((scale.reshape(count, 1, -1), thin.reshape(count, 2 * groups, -1)), dim=1)
