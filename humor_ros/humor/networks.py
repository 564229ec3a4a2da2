"""HuMoR's conditional variational auto-encoder: posterior, conditional prior and decoder.

Rempe et al., "HuMoR", ICCV 2021, section 3.2. Parameter names are those of the published
checkpoint: ``encoder.net.*``, ``prior_net.net.*``, ``decoder.net.*``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from humor_ros.humor.config import PUBLISHED_SIZE, RAW_SIZE, HumorConfig
from humor_ros.humor.rotations import rodrigues
from humor_ros.humor.state import INPUT_SIZE, NUM_JOINTS, MotionState

__all__ = ["HumorNetwork", "LatentGaussian", "Mlp"]

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
    """

    def __init__(self, sizes: Sequence[int], *, groups: int, n_skip: int = 0) -> None:
        """Make the layers.

        Args:
            sizes: input, hidden and output sizes, without the skipped input.
            groups: of the normalisation.
            n_skip: size of the skipped input.
        """
        super().__init__()
        self.n_skip = n_skip
        layers: list[nn.Module] = [nn.Linear(sizes[0] + n_skip, sizes[1])]
        for n_in, n_out in pairwise(sizes[1:]):
            layers += [nn.GroupNorm(groups, n_in), nn.ReLU(), nn.Linear(n_in + n_skip, n_out)]
        self.net = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in) to (N, out)."""
        for layer in self.net:
            x = layer(x)
        return x

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
        added = iter(terms)
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                x = torch.addmm(next(added), x, layer.weight[:, : -self.n_skip].T)
            else:
                x = layer(x)
        return x


class HumorNetwork(nn.Module):
    """Posterior q(z | x, x'), prior p(z | x) and decoder x' = f(z, x) over rows of states.

    All rows are in the canonical frame of x (see ``frames``). Leading axes are free.
    """

    def __init__(self, config: HumorConfig = PUBLISHED_SIZE) -> None:
        super().__init__()
        self.config = config
        latent, groups = config.latent_size, config.groups
        self.encoder = Mlp((2 * INPUT_SIZE, *config.encoder_widths, 2 * latent), groups=groups)
        self.decoder = Mlp(
            (INPUT_SIZE, *config.decoder_widths, RAW_SIZE), groups=groups, n_skip=latent
        )
        self.prior_net = Mlp((INPUT_SIZE, *config.prior_widths, 2 * latent), groups=groups)

    def posterior(self, past: Tensor, following: Tensor) -> LatentGaussian:
        """q(z | x, x') of rows (..., 339), both in the canonical frame of ``past``."""
        return self._gaussian(self.encoder, torch.cat((past, following), dim=-1))

    def prior(self, past: Tensor) -> LatentGaussian:
        """p(z | x) of rows (..., 339)."""
        return self._gaussian(self.prior_net, past)

    def decode_raw(self, z: Tensor, past: Tensor) -> Tensor:
        """(..., 216) changes of the state, rotations as rotation vectors, and contact logits."""
        terms = self.decoder.skip_terms(z.reshape(-1, z.shape[-1]))
        raw = self.decoder.with_skip(past.reshape(-1, past.shape[-1]), terms)
        return raw.reshape(*past.shape[:-1], RAW_SIZE)

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
        out = network(rows.reshape(-1, rows.shape[-1])).reshape(*rows.shape[:-1], -1)
        mean, log_variance = out.split(self.config.latent_size, dim=-1)
        return LatentGaussian(mean, log_variance.exp())
