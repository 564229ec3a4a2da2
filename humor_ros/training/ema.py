"""Running mean of a network's weights: the weights that are validated and packaged."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """Exponential moving average with a warm-up, ``decay_t = min(decay, (1 + t) / (10 + t))``.

    Args:
        network: whose parameters are followed.
        decay: weight of the past in [0, 1].
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {name: p.detach().clone() for name, p in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Follow the network by one step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, parameter in network.named_parameters():
            self.values[name].lerp_(parameter.detach(), 1 - decay)

    def copy_to(self, network: nn.Module) -> None:
        """Give a network of the same kind the mean."""
        for name, parameter in network.named_parameters():
            parameter.data.copy_(self.values[name])

    def state_dict(self) -> dict[str, object]:
        """For a snapshot."""
        return {"updates": self.updates, "values": self.values}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Continue from a snapshot."""
        self.updates = int(state["updates"])  # type: ignore[call-overload]
        values: dict[str, Tensor] = state["values"]  # type: ignore[assignment]
        self.values = {name: value.clone() for name, value in values.items()}
