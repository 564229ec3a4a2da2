"""The recurrent blocks of WHAM: regressor with feedback, neural initialisation, integrator.

Shin et al., "WHAM" (CVPR 2024), section 3. Attribute names are those of the published
checkpoints. All states are batch-first, (P, layers, width), so that people can be indexed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Integrator", "LstmState", "NeuralInitialization", "Recurrence", "Regressor"]

#: Hidden and cell state, each (P, layers, width).
LstmState = tuple[Tensor, Tensor]


class Recurrence(Protocol):
    """What a Regressor runs over time: a stack of LSTM layers."""

    def __call__(self, x: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """Run (P, T, in) with (P, layers, width) states; returns (P, T, width) and states."""


class Regressor(nn.Module):
    """LSTM whose linear heads read it out, one head's output optionally fed back.

    The input at a frame is ``[x_t, fed-back output, extra_t]``. Fed back is the output of
    head ``feedback_head`` at the previous frame. If that output is supplied from outside
    (``feedback``), or there is none, the whole sequence is one LSTM call; otherwise the frames
    are scanned, which computes the same function of the same parameters.
    """

    def __init__(
        self,
        d_in: int,
        d_hidden: int,
        d_out: Sequence[int],
        d_init: int,
        n_layers: int,
        dropout: float,
        feedback_head: int = 0,
    ) -> None:
        super().__init__()
        self.rnn = nn.LSTM(
            d_in + d_init,
            d_hidden,
            n_layers,
            batch_first=True,
            dropout=dropout if n_layers > 1 else 0.0,
        )
        self.n_heads = len(d_out)
        self.feedback_head = feedback_head
        for index, size in enumerate(d_out):
            head = nn.Linear(d_hidden, size)
            nn.init.xavier_uniform_(head.weight, gain=0.01)
            setattr(self, f"declayer{index}", head)

    def zero_state(self, like: Tensor) -> LstmState:
        """All-zero LSTM state for the people of ``like`` (P, ...)."""
        zeros = like.new_zeros(like.shape[0], self.rnn.num_layers, self.rnn.hidden_size)
        return zeros, zeros.clone()

    def recur(self, x: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """Run the LSTM stack over (P, T, in); returns (P, T, width) and the new state."""
        h, c = (part.transpose(0, 1).contiguous() for part in state)
        hidden, (h, c) = self.rnn(x, (h, c))
        return hidden, (h.transpose(0, 1), c.transpose(0, 1))

    def read(self, hidden: Tensor) -> list[Tensor]:
        """Apply every head to (..., width)."""
        return [getattr(self, f"declayer{index}")(hidden) for index in range(self.n_heads)]

    def forward(
        self,
        x: Tensor,
        state: LstmState,
        extra: Tensor | None = None,
        *,
        previous: Tensor | None = None,
        feedback: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor, LstmState]:
        """Run over T frames.

        Args:
            x: (P, T, in) inputs.
            state: LSTM state before the first frame.
            extra: (P, T, k) further inputs, placed after the fed-back ones.
            previous: (P, n) output of the feedback head before the first frame; needed
                where ``feedback`` is None.
            feedback: (P, T, n) what to feed at each frame in place of the own output.

        Returns:
            The heads' outputs, each (P, T, n); the LSTM output (P, T, width); the new state.

        Raises:
            ValueError: neither ``previous`` nor ``feedback`` is given.
        """
        if feedback is None and x.shape[1] == 1 and previous is not None:
            feedback = previous[:, None]
        if feedback is not None:
            parts = (x, feedback) if extra is None else (x, feedback, extra)
            hidden, state = self.recur(torch.cat(parts, dim=-1), state)
            return self.read(hidden), hidden, state
        if previous is None:
            raise ValueError("Regressor needs previous (autoregressive) or feedback (parallel)")
        frames: list[tuple[list[Tensor], Tensor]] = []
        for t in range(x.shape[1]):
            outputs, hidden, state = self(
                x[:, t : t + 1],
                state,
                None if extra is None else extra[:, t : t + 1],
                feedback=previous[:, None],
            )
            previous = outputs[self.feedback_head][:, 0]
            frames.append((outputs, hidden))
        heads = [torch.cat([frame[0][j] for frame in frames], 1) for j in range(self.n_heads)]
        return heads, torch.cat([frame[1] for frame in frames], 1), state


class NeuralInitialization(nn.Module):
    """Three linear layers that make an LSTM's first state from the first frame (section 3.2)."""

    def __init__(self, d_in: int, d_hidden: int, n_layers: int) -> None:
        super().__init__()
        self.n_layers = n_layers
        self.d_hidden = d_hidden
        self.linear1 = nn.Linear(d_in, d_hidden)
        self.linear2 = nn.Linear(d_hidden, d_hidden * n_layers)
        self.linear3 = nn.Linear(d_hidden * n_layers, 2 * d_hidden * n_layers)

    def forward(self, x: Tensor) -> LstmState:
        """Map (P, in) to hidden and cell state, each (P, layers, width), not squashed."""
        hidden = functional.relu(self.linear1(x))
        hidden = functional.relu(self.linear2(hidden))
        state = self.linear3(hidden).view(-1, 2, self.n_layers, self.d_hidden)
        return state[:, 0], state[:, 1]


class Integrator(nn.Module):
    """MLP that merges the motion context with an image feature (section 3.2).

    Where ``residual`` is true, the context is added to the MLP's output. The published network
    saw all-zero features without the residual for its synthetic clips, so an all-zero feature
    is a defined input.
    """

    def __init__(self, d_context: int, d_feat: int, d_hidden: int, dropout: float) -> None:
        super().__init__()
        self.layer1 = nn.Linear(d_context + d_feat, d_hidden)
        self.layer2 = nn.Linear(d_hidden, d_hidden)
        self.layer3 = nn.Linear(d_hidden, d_context)
        self.dropout = nn.Dropout(dropout)

    def forward(self, context: Tensor, features: Tensor, residual: Tensor) -> Tensor:
        """Merge (P, T, d_context) and (P, T, d_feat); residual is a (P, T) bool."""
        hidden = self.dropout(functional.relu(self.layer1(torch.cat((context, features), -1))))
        hidden = self.dropout(functional.relu(self.layer2(hidden)))
        return self.layer3(hidden) + context * residual[..., None]
