"""Initial weights of a decoder that already moves every body on as it moves.

A fresh network has to find out that places change by velocity times time, through layers that
normalise all they pass on. Here some hidden units carry the state's velocities unchanged: in
pairs of a value and its negative, which survive the ReLU, in groups whose constant offsets outweigh
the values by far, so that the normalisation divides by a constant.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.state import FRAME_RATE, INPUT_SIZE, MotionState

__all__ = ["slow_rows", "start_at_constant_velocity"]

#: Hidden units carry velocities (m/s, rad/s) times this, beside offsets of this size, so that the
#: normalisation changes a body of 3 m/s by 2 cm/s.
_GAIN, _OFFSET = 0.1, 20.0
#: Where the decoder writes changes of translation, root and joints (see ``HumorConfig``).
_CHANGES = (*range(3), *range(6, 9), *range(75, 141))
#: Where it writes changes of velocities: of translation, root and (with contacts after) joints.
_TRANS_VELOCITY, _ROOT_VELOCITY, _VELOCITY_CHANGES = slice(3, 6), slice(9, 12), slice(141, 207)


def start_at_constant_velocity(network: HumorNetwork) -> None:
    """Write initial weights into the decoder, in place; all else that it says is zero at first.

    Args:
        network: fresh networks.

    Raises:
        ValueError: a hidden layer is too narrow to carry 72 velocities in pairs.
    """
    layers = list(network.decoder.net)
    linears = [layer for layer in layers if isinstance(layer, nn.Linear)]
    norms = [layer for layer in layers if isinstance(layer, nn.GroupNorm)]
    velocities = _velocity_columns()
    count = len(velocities)
    with torch.no_grad():
        carriers: list[tuple[Tensor, Tensor]] = []
        for linear, norm in zip(linears, norms, strict=False):
            carriers.append(_reserve(linear, norm, count))
        first_up, first_down = carriers[0]
        linears[0].weight[first_up, velocities] = _GAIN
        linears[0].weight[first_down, velocities] = -_GAIN
        for linear, (before, after) in zip(linears[1:], pairwise(carriers), strict=False):
            for units, sign in zip(after, (1.0, -1.0), strict=True):
                linear.weight[units, before[0]] = sign
                linear.weight[units, before[1]] = -sign
        step = 1.0 / (FRAME_RATE * _GAIN)
        changes = torch.tensor(_CHANGES)
        last = linears[-1].weight
        last.zero_()
        linears[-1].bias.zero_()
        last[changes, carriers[-1][0]] = step
        last[changes, carriers[-1][1]] = -step


def slow_rows(network: HumorNetwork, rate: float) -> dict[str, Tensor]:
    """Factors on the learning rate, row by row, that keep what this start put in precise.

    Adam moves every weight by about its rate, whatever the size of its effect: a step of 0.001 in
    every weight that leads to a place is some millimetres of noise. Places and rotations change by
    a hundredth in a frame where velocities change by tenths, so their rows move slower.

    Args:
        network: of the sizes.
        rate: factor for the rows that carry velocities, and of changes of places and rotations.

    Returns:
        (rows) factors for each parameter of the decoder that has such rows, by name.
    """
    factors: dict[str, Tensor] = {}
    net = network.decoder.net
    last = max(index for index, layer in enumerate(net) if isinstance(layer, nn.Linear))
    for index, layer in enumerate(net):
        for name, parameter in layer.named_parameters():
            factor = torch.ones(len(parameter))
            if index == last:
                factor[: _VELOCITY_CHANGES.start] = rate
                factor[_TRANS_VELOCITY] = 1.0
                factor[_ROOT_VELOCITY] = 1.0
            else:
                norm = layer if isinstance(layer, nn.GroupNorm) else net[index + 1]
                if isinstance(norm, nn.GroupNorm):
                    factor[: _reserved(norm, len(_CHANGES))] = rate
            factors[f"decoder.net.{index}.{name}"] = factor
    return factors


def _reserve(linear: nn.Linear, norm: nn.GroupNorm, count: int) -> tuple[Tensor, Tensor]:
    """Empty the first groups of a layer for ``count`` pairs; units of the values and negatives."""
    used = _reserved(norm, count)
    if (norm.num_channels // norm.num_groups) % 4 or used >= norm.num_channels:
        raise ValueError(
            f"a hidden layer of {norm.num_channels} in {norm.num_groups} groups cannot carry "
            f"{count} velocities in pairs; take wider layers or constant_velocity_start: false"
        )
    linear.weight[:used] = 0.0
    sign = torch.ones(used)
    sign[2::4] = -1.0
    sign[3::4] = -1.0
    linear.bias[:used] = _OFFSET * sign
    norm.weight[:used] = _OFFSET
    norm.bias[:used] = -_OFFSET * sign
    units = torch.arange(0, 2 * count, 2)
    return units, units + 1


def _reserved(norm: nn.GroupNorm, count: int) -> int:
    """Units of whole groups that carry ``count`` pairs."""
    size = norm.num_channels // norm.num_groups
    return -(-count // max(size // 2, 1)) * size


def _velocity_columns() -> Tensor:
    """(72,) columns of a state's row that hold velocities, in the order of ``_CHANGES``."""
    state = MotionState.from_vector(torch.arange(INPUT_SIZE))
    return torch.cat((state.trans_vel, state.root_orient_vel, state.joints_vel.flatten()))
