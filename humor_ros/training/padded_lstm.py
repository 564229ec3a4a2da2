"""An LSTM pass whose sizes are padded with zeros to what the CPU's matrix units like.

WHAM's context is 51 numbers wider than its encoder, so its widths are never round; on AMX and
AVX-512 machines round widths run 3 to 10 times faster. Zero rows change nothing: a padded unit
has candidate tanh(0) = 0 and therefore stays at 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["padded_lstm"]

_BLOCK = 32


def _rounded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _pad_gates(weight: Tensor, rows: int, columns: int | None = None) -> Tensor:
    """Pad each of the four gates of (4 H, ...) to ``rows`` rows (and ``columns`` columns)."""
    hidden = weight.shape[0] // 4
    if weight.ndim == 1:
        return nn.functional.pad(weight.view(4, hidden), (0, rows - hidden)).reshape(-1)
    extra = (0 if columns is None else columns) - weight.shape[1]
    padded = nn.functional.pad(weight.view(4, hidden, -1), (0, extra, 0, rows - hidden))
    return padded.reshape(4 * rows, -1)


def padded_lstm(
    rnn: nn.LSTM, inputs: Tensor, state: tuple[Tensor, Tensor] | None, *, bfloat16: bool
) -> Tensor:
    """Run a unidirectional, batch-first LSTM over whole sequences.

    Args:
        rnn: the module; its dropout acts when it is in training mode.
        inputs: (B, T, I); the module's further inputs, if any, are taken as zeros.
        state: (L, B, H) hidden and cell at the start; zeros if None.
        bfloat16: compute in bfloat16 (the result is float32 all the same).

    Returns:
        (B, T, H) hidden states of the last layer.
    """
    hidden, width = rnn.hidden_size, inputs.shape[-1]
    to_hidden, to_width = _rounded(hidden), _rounded(width)
    weights = []
    for layer in range(rnn.num_layers):
        into: Tensor = getattr(rnn, f"weight_ih_l{layer}")
        if layer == 0:
            into = _pad_gates(into[:, :width], to_hidden, to_width)
        else:
            into = _pad_gates(into, to_hidden, to_hidden)
        weights += [
            into,
            _pad_gates(getattr(rnn, f"weight_hh_l{layer}"), to_hidden, to_hidden),
            _pad_gates(getattr(rnn, f"bias_ih_l{layer}"), to_hidden),
            _pad_gates(getattr(rnn, f"bias_hh_l{layer}"), to_hidden),
        ]
    inputs = nn.functional.pad(inputs, (0, to_width - width))
    if state is None:
        zero = inputs.new_zeros(rnn.num_layers, len(inputs), to_hidden)
        start = [zero, zero]
    else:
        start = [nn.functional.pad(part, (0, to_hidden - hidden)) for part in state]
    if bfloat16:
        inputs = inputs.bfloat16()
        start = [part.bfloat16() for part in start]
        weights = [weight.bfloat16() for weight in weights]
    output = torch._VF.lstm(  # type: ignore[attr-defined]
        inputs, start, weights, True, rnn.num_layers, rnn.dropout, rnn.training, False, True
    )[0]
    return output[..., :hidden].float()
