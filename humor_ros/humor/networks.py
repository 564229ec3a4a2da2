"""HuMoR's conditional variational auto-encoder: posterior, conditional prior and decoder.

Rempe et al., "HuMoR", ICCV 2021, section 3.2. Parameter names are those of the published
checkpoint: ``encoder.net.*``, ``prior_net.net.*``, ``decoder.net.*``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from humor_ros.humor.config import PUBLISHED_SIZE, RAW_SIZE, HumorConfig
from humor_ros.humor.rotations import rodrigues
from humor_ros.humor.state import INPUT_SIZE, NUM_JOINTS, MotionState

__all__ = ["HumorNetwork", "LatentGaussian", "Mlp", "Scaling"]

_RAW_PARTS = (3, 3, 3, 3, 3 * (NUM_JOINTS - 1), 3 * NUM_JOINTS, 3 * NUM_JOINTS, 9)


@dataclass(frozen=True, eq=False)
class LatentGaussian:
    """Diagonal Gaussian over the latent transition z.

    Attributes:
        mean: (..., latent).
        variance: (..., latent).
    """

    mean: Tensor
    variance: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw z (..., latent), differentiable in mean and variance."""
        noise = torch.randn(
            self.mean.shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device
        )
        return self.mean + noise * self.variance.sqrt()

    def log_prob(self, z: Tensor) -> Tensor:
        """(...) log-density of z, with its normalisation."""
        squared = (z - self.mean).square() / self.variance
        return -0.5 * (squared + torch.log(2.0 * torch.pi * self.variance)).sum(dim=-1)


class Mlp(nn.Module):
    """Linear layers with group normalisation and ReLU between; ``skip`` joins every layer's input.

    ``net`` holds Linear at 0, 3, 6, ... and GroupNorm at 1, 4, ..., as in the checkpoint.
    ``direct`` (out, in), where there is one, is a linear map that is added to the output.
    """

    def __init__(
        self, sizes: Sequence[int], *, groups: int, n_skip: int = 0, direct: bool = False
    ) -> None:
        """Make the layers.

        Args:
            sizes: input, hidden and output sizes, without the skipped input.
            groups: of the normalisation.
            n_skip: size of the skipped input.
            direct: whether to add a linear map of the input, zero at first.
        """
        super().__init__()
        self.n_skip = n_skip
        #: Share of hidden units that are dropped, only while training.
        self.dropout = 0.0
        self.direct = nn.Parameter(torch.zeros(sizes[-1], sizes[0])) if direct else None
        layers: list[nn.Module] = [nn.Linear(sizes[0] + n_skip, sizes[1])]
        for n_in, n_out in pairwise(sizes[1:]):
            layers += [nn.GroupNorm(groups, n_in), nn.ReLU(), nn.Linear(n_in + n_skip, n_out)]
        self.net = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in) to (N, out)."""
        given = x
        for layer in self.net:
            x = self._dropped(layer(x), layer)
        return self._with_direct(x, given)

    def skip_terms(self, skip: Tensor) -> list[Tensor]:
        """What a skipped input (..., n_skip) adds to every linear layer, bias included.

        It does not depend on the other input, so that of many steps can be computed at once.
        """
        linears = [layer for layer in self.net if isinstance(layer, nn.Linear)]
        return [
            functional.linear(skip, layer.weight[:, -self.n_skip :], layer.bias)
            for layer in linears
        ]

    def with_skip(self, x: Tensor, terms: Sequence[Tensor]) -> Tensor:
        """Map (N, in) to (N, out) with the terms (N, ...) of :meth:`skip_terms`."""
        added, given = iter(terms), x
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                x = torch.addmm(next(added), x, layer.weight[:, : -self.n_skip].T)
            else:
                x = self._dropped(layer(x), layer)
        return self._with_direct(x, given)

    def _dropped(self, x: Tensor, layer: nn.Module) -> Tensor:
        if self.dropout == 0.0 or not self.training or not isinstance(layer, nn.ReLU):
            return x
        return functional.dropout(x, self.dropout)

    def _with_direct(self, out: Tensor, given: Tensor) -> Tensor:
        if self.direct is None:
            return out
        return torch.addmm(out, given[:, : self.direct.shape[1]], self.direct.T)


class Scaling(nn.Module):
    """Fixed numbers about which and in which a network under training reads and writes.

    See :mod:`humor_ros.humor.scaling`, which measures them and folds them into the weights.

    Args:
        mean, scale: (339) of rows.
        change, change_shift: (339, 339) and (339) linear prediction of the next row;
        change_scale: (339) spread of what it leaves, the posterior's second input.
        direct, out_shift: (216, 339) and (216) linear prediction of the decoder's output;
        out_scale: (216) spread of what it leaves.
    """

    mean: Tensor
    scale: Tensor
    change: Tensor
    change_shift: Tensor
    change_scale: Tensor
    direct: Tensor
    out_shift: Tensor
    out_scale: Tensor

    def __init__(self, **values: Tensor) -> None:
        super().__init__()
        #: Deviation of noise on scaled rows, only while training; the linear prediction has none.
        self.blur = 0.0
        for name in Scaling.__annotations__:
            self.register_buffer(name, values[name])

    def row(self, rows: Tensor) -> Tensor:
        """(..., 339) rows, scaled, and blurred by ``blur`` while training."""
        unit = (rows - self.mean) / self.scale
        if self.training and self.blur > 0:
            unit = unit + self.blur * torch.randn_like(unit)
        return unit

    def following(self, rows: Tensor, following: Tensor) -> Tensor:
        """(..., 339) what the linear prediction leaves of the next rows, scaled."""
        guess = functional.linear(rows, self.change, self.change_shift)
        return (following - guess) / self.change_scale

    def output(self, raw: Tensor, rows: Tensor) -> Tensor:
        """(..., 216) the decoder's output in metres, radians and seconds."""
        guess = functional.linear(rows, self.direct, self.out_shift)
        return torch.addcmul(guess, raw, self.out_scale)


class HumorNetwork(nn.Module):
    """Posterior q(z | x, x'), prior p(z | x) and decoder x' = f(z, x) over rows of states.

    All rows are in the canonical frame of x (see ``frames``). Leading axes are free.
    """

    def __init__(self, config: HumorConfig = PUBLISHED_SIZE) -> None:
        super().__init__()
        self.config = config
        #: Only while training.
        self.scaling: Scaling | None = None
        #: Whether the layers multiply in bfloat16, for training; scaling stays in float32.
        self.bfloat16_layers = False
        latent, groups = config.latent_size, config.groups
        self.encoder = Mlp((2 * INPUT_SIZE, *config.encoder_widths, 2 * latent), groups=groups)
        self.decoder = Mlp(
            (INPUT_SIZE, *config.decoder_widths, RAW_SIZE),
            groups=groups,
            n_skip=latent,
            direct=config.direct,
        )
        self.prior_net = Mlp((INPUT_SIZE, *config.prior_widths, 2 * latent), groups=groups)

    def posterior(self, past: Tensor, following: Tensor) -> LatentGaussian:
        """q(z | x, x') of rows (..., 339), both in the canonical frame of ``past``."""
        if self.scaling is not None:
            following = self.scaling.following(past, following)
            past = self.scaling.row(past)
        return self._gaussian(self.encoder, torch.cat((past, following), dim=-1))

    def prior(self, past: Tensor) -> LatentGaussian:
        """p(z | x) of rows (..., 339)."""
        if self.scaling is not None:
            past = self.scaling.row(past)
        return self._gaussian(self.prior_net, past)

    def decode_raw(self, z: Tensor, past: Tensor) -> Tensor:
        """(..., 216) changes of the state, rotations as rotation vectors, and contact logits."""
        terms = self.decoder_terms(z.reshape(-1, z.shape[-1]))
        raw = self.decode_with_terms(past.reshape(-1, past.shape[-1]), terms)
        return raw.reshape(*past.shape[:-1], RAW_SIZE)

    def decoder_terms(self, z: Tensor) -> list[Tensor]:
        """What transitions (..., latent) add to the decoder's layers."""
        with self._precision():
            return self.decoder.skip_terms(z)

    def decode_with_terms(self, past: Tensor, terms: Sequence[Tensor]) -> Tensor:
        """(N, 216) as :meth:`decode_raw`, with the terms (N, ...) of :meth:`decoder_terms`."""
        given = past if self.scaling is None else self.scaling.row(past)
        with self._precision():
            raw = self.decoder.with_skip(given, terms)
        return raw if self.scaling is None else self.scaling.output(raw.float(), past)

    def decode(self, z: Tensor, past: Tensor) -> MotionState:
        """The next state, in the canonical frame of the past one.

        Args:
            z: (..., latent).
            past: (..., 339) row of the past state.
        """
        raw = self.decode_raw(z, past)
        trans, trans_vel, root, root_vel, pose, joints, joints_vel, contacts = raw.split(
            _RAW_PARTS, dim=-1
        )
        state = MotionState.from_vector(past)
        turns = rodrigues(torch.cat((root, pose), dim=-1).unflatten(-1, (NUM_JOINTS, 3)))
        return MotionState(
            trans=state.trans + trans,
            trans_vel=state.trans_vel + trans_vel,
            root_orient=turns[..., 0, :, :] @ state.root_orient,
            root_orient_vel=state.root_orient_vel + root_vel,
            pose_body=turns[..., 1:, :, :] @ state.pose_body,
            joints=state.joints + joints.unflatten(-1, (NUM_JOINTS, 3)),
            joints_vel=state.joints_vel + joints_vel.unflatten(-1, (NUM_JOINTS, 3)),
            contacts=contacts,
        )

    def _gaussian(self, network: Mlp, rows: Tensor) -> LatentGaussian:
        with self._precision():
            out = network(rows.reshape(-1, rows.shape[-1]))
        out = out.reshape(*rows.shape[:-1], -1)
        if self.bfloat16_layers:
            out = out.float()
        mean, log_variance = out.split(self.config.latent_size, dim=-1)
        return LatentGaussian(mean, log_variance.exp())

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast("cpu", torch.bfloat16) if self.bfloat16_layers else nullcontext()
