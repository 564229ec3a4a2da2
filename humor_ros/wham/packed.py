"""An LSTM stack with its heads as few large matrices: what a frame-by-frame run multiplies.

A frame of a free-running LSTM is a matrix-vector product for each layer, limited by how fast the
weights can be read. Packed, each layer is one contiguous matrix ``[W_ih | W_hh]``, all heads are
one matrix, and columns that are always fed zeros are left out. Over several frames the part of the
first layer that does not wait for the feedback is computed for all frames at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["LstmState", "PackedRegressor", "affine"]

#: Hidden and cell state, each (P, layers, width).
LstmState = tuple[Tensor, Tensor]

#: From so many rows on, weights times transposed input is faster than the other way round.
_FEW_ROWS = 5
_MANY_ROWS = 16


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``x W^T + b`` for x (..., n), in the order of factors that is faster for few rows."""
    if x.dim() == 2 and _FEW_ROWS <= x.shape[0] <= _MANY_ROWS and not torch.is_grad_enabled():
        return torch.addmm(bias[:, None], weight, x.t()).t()
    return functional.linear(x, weight, bias)


def _cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """New hidden and cell state of gates i, f, g, o (P, 4 width); torch's LSTM equations."""
    i, f, g, o = gates.to(cell.dtype).chunk(4, dim=-1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


@dataclass(frozen=True)
class PackedRegressor:
    """Weights of one regressor, packed.

    Attributes:
        weights: one (4 width, in + width) matrix a layer; the first layer's columns are
            ``[x, extra, fed back, hidden]``.
        biases: sum of the two biases of each layer, (4 width,).
        head: all heads one below the other, (sum of outputs, width).
        head_bias: (sum of outputs,).
        head_sizes: outputs of each head.
        feedback_rows: rows of ``head`` that are fed back at the next frame.
        n_feedback: fed-back inputs, 0 where the feedback is off.
        dropout: between layers; 0 outside training.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    head: Tensor
    head_bias: Tensor
    head_sizes: tuple[int, ...]
    feedback_rows: slice
    n_feedback: int
    dropout: float = 0.0

    def run(
        self,
        x: Tensor,
        state: LstmState,
        previous: Tensor | None,
        skip: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor, LstmState]:
        """Run T frames one after the other.

        Args:
            x: (P, T, in) all inputs but the fed-back ones, in packed order.
            state: LSTM state before the first frame.
            previous: (P, n) output fed back at the first frame; None where it is off.
            skip: (P, T, width) added to the LSTM's output before the heads.

        Returns:
            Outputs of each head (P, T, n), what they read (P, T, width), the new state.
        """
        hidden, cell = (list(part.unbind(1)) for part in state)
        if x.shape[1] == 1:
            parts = (x[:, 0],) if previous is None else (x[:, 0], previous)
            top = self._advance(torch.cat((*parts, hidden[0]), -1), None, hidden, cell)
            top = top[:, None] if skip is None else top[:, None] + skip
        else:
            top = self._scan(x, previous, hidden, cell, skip)
        outputs = affine(top.flatten(0, 1), self.head, self.head_bias).unflatten(0, x.shape[:2])
        state = torch.stack(hidden, dim=1), torch.stack(cell, dim=1)
        return list(outputs.split(self.head_sizes, dim=-1)), top, state

    def _scan(
        self,
        x: Tensor,
        previous: Tensor | None,
        hidden: list[Tensor],
        cell: list[Tensor],
        skip: Tensor | None,
    ) -> Tensor:
        n_in = x.shape[-1]
        known = functional.linear(x, self.weights[0][:, :n_in], self.biases[0])
        head = self.head[self.feedback_rows]
        head_bias = self.head_bias[self.feedback_rows]
        frames = []
        for frame, gates in enumerate(known.unbind(1)):
            parts = (hidden[0],) if previous is None else (previous, hidden[0])
            top = self._advance(torch.cat(parts, -1), gates, hidden, cell)
            if skip is not None:
                top = top + skip[:, frame]
            frames.append(top)
            if previous is not None:
                previous = functional.linear(top, head, head_bias).to(top.dtype)
        return torch.stack(frames, dim=1)

    def _advance(
        self, first: Tensor, gates: Tensor | None, hidden: list[Tensor], cell: list[Tensor]
    ) -> Tensor:
        """Advance all layers by one frame, replacing the entries of both lists."""
        if gates is None:
            gates = affine(first, self.weights[0], self.biases[0])
        else:
            weight = self.weights[0][:, -first.shape[-1] :]
            gates = gates + functional.linear(first, weight)
        for layer in range(len(hidden)):
            if layer:
                below = hidden[layer - 1]
                if self.dropout:
                    below = functional.dropout(below, self.dropout)
                joined = torch.cat((below, hidden[layer]), dim=-1)
                gates = affine(joined, self.weights[layer], self.biases[layer])
            hidden[layer], cell[layer] = _cell(gates, cell[layer])
        return hidden[-1]
