"""Data-dependent start: every LSTM layer sees signals of unit size from the first step on.

With PyTorch's default start a key-point's motion shrinks several times in each of the four stacked
LSTM layers between input and pose; the decoder then sees a constant, and the first thousand steps
go into finding the signal. Scaling the input weights layer by layer on one batch (in the manner of
Mishkin & Matas, "All you need is a good init", 2016) removes that. The architecture is unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from humor_ros.training.synthesis import TrainingBatch
from humor_ros.wham.network import WhamNetwork

__all__ = ["load_widened", "open_gates", "restart_lstms", "scale_to_data"]

_SMALLEST = 1e-3
#: Bias of an output gate that lets about a twentieth through.
_CLOSED_GATE = -3.0


def _scale_rows(weight: Tensor, bias: Tensor, inputs: Tensor, gain: float) -> None:
    """Scale all of (rows, columns) so that weight @ inputs has deviation ``gain``; centre it."""
    before = inputs @ weight.T
    scale = gain / before.flatten(0, 1).std(0).mean().clamp_min(_SMALLEST)
    weight.mul_(scale)
    bias.sub_(before.flatten(0, 1).mean(0) * scale)


def _scale_lstm(rnn: nn.LSTM, inputs: Tensor, gain: float) -> Tensor:
    for layer in range(rnn.num_layers):
        names = [f"{kind}_l{layer}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        weights: list[Tensor] = [getattr(rnn, name) for name in names]
        _scale_rows(weights[0], weights[2], inputs, gain)
        zero = inputs.new_zeros(1, len(inputs), rnn.hidden_size)
        arguments = ([zero, zero], weights, True, 1, 0.0, False, False, True)
        inputs = torch._VF.lstm(inputs, *arguments)[0]  # type: ignore[attr-defined]
    return inputs


def _start_anew(rnn: nn.LSTM) -> None:
    """Fresh weights whose output gates are nearly closed."""
    rnn.reset_parameters()
    last = rnn.num_layers - 1
    bias: Tensor = getattr(rnn, f"bias_ih_l{last}")
    bias[3 * rnn.hidden_size :] += _CLOSED_GATE


def load_widened(
    network: WhamNetwork, weights: Mapping[str, Tensor], *, recurrent: bool = True
) -> None:
    """Load weights of a network that has fewer inputs; the new inputs count nothing at first.

    Args:
        network: as the weights, but perhaps with ``motion_input`` switched on.
        weights: a state dict.
        recurrent: False keeps the network's own LSTMs and their initialisation.
    """
    own = network.state_dict()
    if not recurrent:
        kept = (".rnn.", ".neural_init.", "trajectory_", "smoother")
        keep = {name: own[name] for name in own if any(part in name for part in kept)}
        weights = {**weights, **keep}
    widened = {}
    for name, tensor in weights.items():
        missing = own[name].shape[-1] - tensor.shape[-1] if name in own and tensor.dim() == 2 else 0
        widened[name] = nn.functional.pad(tensor, (0, missing)) if missing > 0 else tensor
    network.load_state_dict(widened)


@torch.no_grad()
def open_gates(network: WhamNetwork, amount: float) -> None:
    """Add to the biases of the output gates of encoder and motion decoder, in place."""
    for module in (network.motion_encoder, network.motion_decoder):
        rnn = module.regressor.rnn
        bias: Tensor = getattr(rnn, f"bias_ih_l{rnn.num_layers - 1}")
        bias[3 * rnn.hidden_size :] += amount


@torch.no_grad()
def restart_lstms(network: WhamNetwork, batch: TrainingBatch, gain: float = 1.0) -> None:
    """Begin with the LSTMs of encoder and motion decoder behind a lifter that is trained.

    Their input weights are scaled to the data, and the output gates of their last layers are
    nearly closed, so that a network with ``residual`` first answers as it did without them.

    Args:
        network: with ``residual``, its single-frame part trained.
        batch: any training batch.
        gain: deviation of the gates' inputs.
    """
    for module in (network.motion_encoder, network.motion_decoder):
        _start_anew(module.regressor.rnn)
    _scale_recurrent(network, batch, gain)


@torch.no_grad()
def scale_to_data(network: WhamNetwork, batch: TrainingBatch, gain: float = 1.0) -> None:
    """Scale the input weights of embedding and LSTMs of a fresh network, in place.

    Args:
        network: freshly made.
        batch: any training batch.
        gain: deviation of the gates' inputs.
    """
    encoder = network.motion_encoder
    x = network.preprocess(batch.x, batch.mask, batch.gravity, batch.motion)
    _scale_rows(encoder.embed_layer.weight, encoder.embed_layer.bias, x, gain)
    _scale_recurrent(network, batch, gain)


def _scale_recurrent(network: WhamNetwork, batch: TrainingBatch, gain: float) -> None:
    frames = batch.x.shape[:2]
    encoder, decoder = network.motion_encoder, network.motion_decoder
    embedded = encoder.embed(network.preprocess(batch.x, batch.mask, batch.gravity, batch.motion))
    hidden = _scale_lstm(
        encoder.regressor.rnn,
        torch.cat([embedded, embedded.new_zeros(*frames, 51)], -1),
        gain,
    )
    if encoder.smoother is not None:
        nobody = torch.ones(len(embedded), dtype=torch.bool)
        hidden = hidden + encoder.smoother(embedded, embedded[:, 0], nobody)
    keypoints = batch.keypoints31[:, :, :17].flatten(2)
    context = torch.cat([hidden, keypoints], -1)
    _scale_lstm(
        decoder.regressor.rnn, torch.cat([context, context.new_zeros(*frames, 144)], -1), gain
    )
    trajectory = network.trajectory_decoder.regressor
    _scale_lstm(
        trajectory.rnn, torch.cat([context, batch.root_feedback, batch.cam_angvel], -1), gain
    )
    feet = context.new_zeros(*frames, 12)
    refined = torch.cat([context, feet, batch.root_feedback, batch.root_velocity], -1)
    _scale_lstm(network.trajectory_refiner.refiner.rnn, refined, gain)
