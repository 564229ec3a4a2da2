"""Networks that read and write numbers of order one, and the same networks without that.

States hold metres, rotation matrices and m/s; what changes in a frame is a hundredth of that.
While it is trained a network sees rows about their mean in units of their spread, and the decoder
writes what a linear prediction leaves, in units of that. All of it is affine, so that it folds
into the first and last layers: a folded network has the published form.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from humor_ros.humor.networks import HumorNetwork, Scaling
from humor_ros.humor.state import FRAME_RATE, NUM_JOINTS

__all__ = ["folded", "with_scaling"]


def with_scaling(network: HumorNetwork, scaling: Scaling) -> HumorNetwork:
    """Let a network read and write scaled numbers, in place.

    Raises:
        ValueError: the network has a scaling already.
    """
    if network.scaling is not None:
        raise ValueError("the network has a scaling already; fold it first")
    network.scaling = scaling
    return network


@torch.no_grad()
def folded(network: HumorNetwork) -> HumorNetwork:
    """A copy that says the same without scaling; a network without scaling is just copied.

    Raises:
        ValueError: the configuration has no ``direct`` map, which the linear prediction needs.
    """
    plain = copy.deepcopy(network)
    scaling = plain.scaling
    if scaling is None:
        return plain
    if plain.decoder.direct is None:
        raise ValueError("folding needs a network with HumorConfig(direct=True)")
    plain.scaling = None
    for mlp in (plain.encoder, plain.prior_net, plain.decoder):
        first = _linear(mlp.net[0])
        weight, bias = first.weight.double(), first.bias.double()
        size = scaling.mean.shape[0]
        own, rest = weight[:, :size], weight[:, size:]
        if mlp is plain.encoder:
            change = rest / scaling.change_scale.double()
            bias = bias - change @ scaling.change_shift.double()
            own = own / scaling.scale.double()
            bias = bias - own @ scaling.mean.double()
            own, rest = own - change @ scaling.change.double(), change
        else:
            own = own / scaling.scale.double()
            bias = bias - own @ scaling.mean.double()
        first.weight.copy_(torch.cat((own, rest), dim=1))
        first.bias.copy_(bias)
    last = _linear(plain.decoder.net[-1])
    last.weight.mul_(scaling.out_scale[:, None])
    last.bias.mul_(scaling.out_scale).add_(scaling.out_shift)
    plain.decoder.direct.copy_(scaling.direct)
    return plain


def _linear(layer: nn.Module) -> nn.Linear:
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"expected a linear layer, got {type(layer).__name__}")
    return layer


def linear_scaling(
    rows: Tensor, following: Tensor, changes: Tensor, ridge: float = 0.03
) -> Scaling:
    """Measure a scaling on transitions.

    The decoder's linear prediction moves bodies on as they move: a fitted one is as good in one
    step, but runs away in many, and a network that meets somebody new falls back to it. Only the
    joints' turns are fitted, since states do not tell their velocities.

    Args:
        rows: (N, 339) first states.
        following: (N, 339) second states, in the frames of the first.
        changes: (N, 207) what a decoder should write.
        ridge: of the linear predictions: deviation of an error in every input, in its spread.
    """
    x = rows.double()
    mean = x.mean(dim=0)
    scale = torch.maximum(x.std(dim=0), _least_spread(len(mean)).double())
    unit = torch.cat(((x - mean) / scale, torch.ones(len(x), 1, dtype=x.dtype)), dim=1)
    gram = unit.T @ unit / len(x)
    gram.diagonal()[:-1] += ridge**2
    factor = torch.linalg.cholesky(gram)

    def predicted(targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        solved = torch.cholesky_solve(unit.T @ targets / len(x), factor)
        matrix = (solved[:-1] / scale[:, None]).T
        return matrix, solved[-1] - matrix @ mean, (targets - unit @ solved).std(dim=0)

    change, change_shift, change_scale = predicted(following.double())
    pose, pose_shift, _ = predicted(changes.double())
    direct, out_shift = _going_on(len(mean)).double(), torch.zeros_like(pose_shift)
    direct[_POSE], out_shift[_POSE] = pose[_POSE], pose_shift[_POSE]
    out_scale = (changes.double() - x @ direct.T - out_shift).std(dim=0)
    contacts = direct.new_zeros(9)
    out_scale = torch.cat((torch.maximum(out_scale, _least_change().double()), contacts + 1.0))
    return Scaling(
        mean=mean.float(),
        scale=scale.float(),
        change=change.float(),
        change_shift=change_shift.float(),
        change_scale=change_scale.clamp_min(_LEAST_CHANGE).float(),
        direct=torch.cat((direct, direct.new_zeros(9, len(mean)))).float(),
        out_shift=torch.cat((out_shift, contacts)).float(),
        out_scale=out_scale.float(),
    )


_POSE = slice(12, 75)


def _going_on(size: int) -> Tensor:
    """(207, size) changes of places and root by the velocities in a row."""
    direct = torch.zeros(207, size)
    for changes, velocities in ((0, 3), (6, 15)):
        for axis in range(3):
            direct[changes + axis, velocities + axis] = 1.0 / FRAME_RATE
    joints = torch.arange(3 * NUM_JOINTS)
    direct[75 + joints, size - len(joints) + joints] = 1.0 / FRAME_RATE
    return direct


#: Numbers that the data holds still are not blown up: least spreads, in their own units.
_LEAST_PLACE, _LEAST_MATRIX, _LEAST_VELOCITY = 0.05, 0.1, 0.1
_LEAST_CHANGE = 1e-3


def _least_spread(size: int) -> Tensor:
    least = torch.full((size,), _LEAST_MATRIX)
    least[0:3], least[3:6], least[15:18] = _LEAST_PLACE, _LEAST_VELOCITY, _LEAST_VELOCITY
    least[207:273], least[273:339] = _LEAST_PLACE, _LEAST_VELOCITY
    return least


def _least_change() -> Tensor:
    least = torch.full((207,), _LEAST_CHANGE)  # metres and radians
    least[3:6], least[9:12], least[141:207] = (10 * _LEAST_CHANGE,) * 3  # m/s and rad/s
    return least
