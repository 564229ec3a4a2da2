"""The recurrent blocks of WHAM: regressor with feedback, neural initialisation, integrator.

Shin et al., "WHAM" (CVPR 2024), section 3. Attribute names are those of the published
checkpoints. All states are batch-first, (P, layers, width), so that people can be indexed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from humor_ros.wham.packed import LstmState, PackedRegressor

__all__ = ["Integrator", "Lifter", "LstmState", "NeuralInitialization", "Regressor", "Smoother"]


class Regressor(nn.Module):
    """LSTM whose linear heads read it out, one head's output optionally fed back.

    The input at a frame is ``[x_t, fed-back output, extra_t]``; fed back is the output of head
    ``feedback_head`` at the previous frame. Where that output is supplied from outside
    (``feedback``), switched off (``feeds_back``), or absent (``n_feedback`` 0), nothing waits
    for the previous frame and the whole sequence is one LSTM call; otherwise the frames are
    scanned. Both compute the same function of the same parameters.
    """

    def __init__(
        self,
        n_in: int,
        width: int,
        n_out: Sequence[int],
        *,
        n_layers: int,
        dropout: float,
        n_feedback: int = 0,
        n_extra: int = 0,
        feedback_head: int = 0,
        feeds_back: bool = True,
    ) -> None:
        super().__init__()
        self.rnn = nn.LSTM(
            n_in + n_feedback + n_extra,
            width,
            n_layers,
            batch_first=True,
            dropout=dropout if n_layers > 1 else 0.0,
        )
        self.n_out = tuple(n_out)
        self.n_in = n_in
        self.n_feedback = n_feedback
        self.feedback_head = feedback_head
        self.feeds_back = feeds_back and n_feedback > 0
        for index, size in enumerate(n_out):
            head = nn.Linear(width, size)
            nn.init.xavier_uniform_(head.weight, gain=0.01)
            setattr(self, f"declayer{index}", head)

    def zero_state(self, like: Tensor) -> LstmState:
        """All-zero LSTM state for the people of ``like`` (P, ...)."""
        zeros = like.new_zeros(like.shape[0], self.rnn.num_layers, self.rnn.hidden_size)
        return zeros, zeros.clone()

    def heads(self) -> list[nn.Linear]:
        """The linear layers that read the LSTM out."""
        return [getattr(self, f"declayer{index}") for index in range(len(self.n_out))]

    def pack(self) -> PackedRegressor:
        """The weights for running frame by frame; gradients flow through to the parameters."""
        rnn, heads = self.rnn, self.heads()
        weights, biases = [], []
        for layer in range(rnn.num_layers):
            w_input, w_hidden, b_input, b_hidden = (
                getattr(rnn, f"{kind}_l{layer}")
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            columns = [w_input]
            if layer == 0:
                fed = slice(self.n_in, self.n_in + self.n_feedback)
                columns = [w_input[:, : self.n_in], w_input[:, fed.stop :]]
                if self.feeds_back:
                    columns.append(w_input[:, fed])
            weights.append(torch.cat((*columns, w_hidden), dim=1))
            biases.append(b_input + b_hidden)
        before = sum(self.n_out[: self.feedback_head])
        return PackedRegressor(
            weights=tuple(weights),
            biases=tuple(biases),
            head=torch.cat([head.weight for head in heads]),
            head_bias=torch.cat([head.bias for head in heads]),
            head_sizes=self.n_out,
            feedback_rows=slice(before, before + self.n_out[self.feedback_head]),
            n_feedback=self.n_feedback if self.feeds_back else 0,
            dropout=rnn.dropout if self.training else 0.0,
        )

    def forward(
        self,
        x: Tensor,
        state: LstmState,
        extra: Tensor | None = None,
        *,
        previous: Tensor | None = None,
        feedback: Tensor | None = None,
        skip: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor, LstmState]:
        """Run over T frames.

        Args:
            x: (P, T, in) inputs.
            state: LSTM state before the first frame.
            extra: (P, T, k) further inputs.
            previous: (P, n) output of the feedback head before the first frame; needed
                by a regressor that feeds back, unless ``feedback`` is given.
            feedback: (P, T, n) what to feed at each frame in place of the own output.
            skip: (P, T, width) added to the LSTM output before the heads.

        Returns:
            The heads' outputs, each (P, T, n); what they read (P, T, width); the new state.

        Raises:
            ValueError: neither ``previous`` nor ``feedback`` is given where one is needed.
        """
        if self.feeds_back and feedback is None:
            if previous is None:
                raise ValueError("give previous (free-running) or feedback (parallel over time)")
            if x.shape[1] > 1:
                joined = x if extra is None else torch.cat((x, extra), dim=-1)
                return self.pack().run(joined, state, previous, skip)
            feedback = previous[:, None]
        elif not self.feeds_back and self.n_feedback:
            feedback = x.new_zeros(*x.shape[:2], self.n_feedback)
        parts = [part for part in (x, feedback, extra) if part is not None]
        hidden, state = self._sequence(torch.cat(parts, dim=-1), state)
        if skip is not None:
            hidden = hidden + skip
        return [head(hidden) for head in self.heads()], hidden, state

    def _sequence(self, x: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """Run the LSTM over (P, T, in) in one call."""
        h, c = (part.transpose(0, 1).contiguous() for part in state)
        if torch.is_autocast_enabled(x.device.type):
            reduced = torch.get_autocast_dtype(x.device.type)
            hidden, (h, c) = self.rnn(x.to(reduced), (h.to(reduced), c.to(reduced)))
            hidden, h, c = hidden.float(), h.float(), c.float()
        else:
            hidden, (h, c) = self.rnn(x, (h, c))
        return hidden, (h.transpose(0, 1), c.transpose(0, 1))


class Lifter(nn.Module):
    """Residual MLP that lifts the key-points of one frame, without any memory.

    Depth from a 2D pose is mostly a matter of one frame; learning it apart from time takes far
    fewer examples (Martinez et al., "A simple yet effective baseline for 3d human pose
    estimation", ICCV 2017). Not part of the published WHAM.
    """

    def __init__(self, n_in: int, width: int, n_blocks: int, n_out: int) -> None:
        super().__init__()
        self.enter = nn.Linear(n_in, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
            )
            for _ in range(n_blocks)
        )
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        hidden = functional.gelu(self.enter(x))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        lifted: Tensor = self.leave(hidden)
        return lifted


class Smoother(nn.Module):
    """Exponential mean over past frames, with a learned memory for each channel.

    Not part of the published WHAM. It is what a detector's jitter calls for, and LSTMs take long
    to learn it.
    """

    def __init__(self, width: int, keep: float = 0.5) -> None:
        super().__init__()
        self.keep_logit = nn.Parameter(torch.full((width,), keep).logit())

    def forward(self, x: Tensor, before: Tensor, is_first: Tensor) -> Tensor:
        """Smooth (P, T, n).

        Args:
            x: (P, T, n).
            before: (P, n) the mean at the frame before.
            is_first: (P,) bool, true where there is no frame before.

        Returns:
            (P, T, n).
        """
        keep = self.keep_logit.sigmoid()
        mean = torch.where(is_first[:, None], x[:, 0], before)
        means = []
        for values in x.unbind(1):
            mean = torch.lerp(values, mean, keep)
            means.append(mean)
        return torch.stack(means, dim=1)


class NeuralInitialization(nn.Module):
    """Three linear layers that make an LSTM's first state from the first frame (section 3.2)."""

    def __init__(self, n_in: int, width: int, n_layers: int) -> None:
        super().__init__()
        self.n_layers = n_layers
        self.width = width
        self.linear1 = nn.Linear(n_in, width)
        self.linear2 = nn.Linear(width, width * n_layers)
        self.linear3 = nn.Linear(width * n_layers, 2 * width * n_layers)

    def forward(self, x: Tensor) -> LstmState:
        """Map (P, in) to hidden and cell state, each (P, layers, width), not squashed."""
        hidden = functional.relu(self.linear1(x))
        hidden = functional.relu(self.linear2(hidden))
        state = self.linear3(hidden).view(-1, 2, self.n_layers, self.width)
        return state[:, 0], state[:, 1]


class Integrator(nn.Module):
    """MLP that merges the motion context with an image feature (section 3.2).

    Where ``residual`` is true, the context is added to the MLP's output. The published network
    saw all-zero features without the residual for its synthetic clips, so an all-zero feature
    is a defined input.
    """

    def __init__(self, n_context: int, n_feature: int, width: int, dropout: float) -> None:
        super().__init__()
        self.layer1 = nn.Linear(n_context + n_feature, width)
        self.layer2 = nn.Linear(width, width)
        self.layer3 = nn.Linear(width, n_context)
        self.dropout = nn.Dropout(dropout)

    def forward(self, context: Tensor, features: Tensor, residual: Tensor) -> Tensor:
        """Merge (P, T, context) with (P, T, feature) numbers; residual is (P, T) bool."""
        hidden = self.dropout(functional.relu(self.layer1(torch.cat((context, features), -1))))
        hidden = self.dropout(functional.relu(self.layer2(hidden)))
        return self.layer3(hidden) + context * residual[..., None]
