"""A network prepared for streaming: the same step with the recurrent weights packed once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from humor_ros.wham.layers import Regressor
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.packed import LstmState, PackedRegressor

__all__ = ["StreamingNetwork", "prepare_for_streaming"]


class _FrozenRegressor(nn.Module):
    """A regressor whose packed weights are kept; called like the regressor it stands for."""

    packed: PackedRegressor

    def __init__(self, regressor: Regressor) -> None:
        super().__init__()
        with torch.no_grad():
            self.packed = regressor.pack()
        self._layers_and_width = (regressor.rnn.num_layers, regressor.rnn.hidden_size)

    def zero_state(self, like: Tensor) -> LstmState:
        """All-zero LSTM state for the people of ``like`` (P, ...)."""
        zeros = like.new_zeros(like.shape[0], *self._layers_and_width)
        return zeros, zeros.clone()

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
        """As :meth:`Regressor.forward`, free-running.

        Raises:
            ValueError: ``feedback`` is given, which is for training.
        """
        if feedback is not None:
            raise ValueError("a streaming network runs on its own output; leave feedback out")
        joined = x if extra is None else torch.cat((x, extra), dim=-1)
        fed_back = previous if self.packed.n_feedback else None
        return self.packed.run(joined, state, fed_back, skip)


class StreamingNetwork(WhamNetwork):
    """The network of the same weights, for evaluation only and fastest frame by frame.

    ``initial_state``, ``step`` and ``forward`` are those of :class:`WhamNetwork` and give the
    same numbers to rounding. The recurrent weights are packed copies, so later changes of
    the original do not reach it; call :func:`prepare_for_streaming` again. Call it under
    ``torch.inference_mode()`` for full speed.
    """

    def train(self, mode: bool = True) -> StreamingNetwork:
        """Stay in evaluation mode.

        Raises:
            ValueError: training is asked for.
        """
        if mode:
            raise ValueError("a StreamingNetwork cannot be trained; train the WhamNetwork it is of")
        super().train(False)
        return self

    def step_weights(self) -> list[Tensor]:
        """Every tensor that a step with image features reads (not the initialisation's)."""
        found: list[Tensor] = [
            tensor for name, tensor in self.named_parameters() if "neural_init" not in name
        ]
        for module in self.modules():
            if isinstance(module, _FrozenRegressor):
                packed = module.packed
                found += [*packed.weights, *packed.biases, packed.head, packed.head_bias]
        return found


def prepare_for_streaming(network: WhamNetwork) -> StreamingNetwork:
    """Pack a network for running frame by frame.

    Args:
        network: any size; not changed. Its weights may be dropped afterwards, which frees
            the unpacked copy.

    Returns:
        The same function with the same interface, in evaluation mode.
    """
    if isinstance(network, StreamingNetwork):
        return network
    with torch.device("meta"):
        fast = StreamingNetwork(network.config)
    weights = {name: tensor.detach() for name, tensor in network.state_dict().items()}
    fast.load_state_dict(weights, assign=True)
    fast.requires_grad_(False).eval()
    for module, name in (
        (fast.motion_encoder, "regressor"),
        (fast.trajectory_decoder, "regressor"),
        (fast.motion_decoder, "regressor"),
        (fast.trajectory_refiner, "refiner"),
    ):
        setattr(module, name, _FrozenRegressor(getattr(module, name)))
    return fast
