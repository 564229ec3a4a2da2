"""Training in scaled numbers, with roll-outs of bodies whose bones keep their lengths.

The published losses are squares in metres, radians and m/s side by side. Here everything that the
decoder writes counts by what a linear prediction leaves of it, disturbed states are led back to
the recordings, and pieces of long roll-outs of the prior's mean are a term
(:mod:`humor_ros.training.humor_chase`).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.scaling import folded, linear_scaling, with_scaling
from humor_ros.humor.weights import save_safetensors
from humor_ros.training.humor_chase import RollOutChase
from humor_ros.training.humor_losses import divergence
from humor_ros.training.humor_noise import CHANGES, disturbed, resized, sizes
from humor_ros.training.humor_table import TransitionTable
from humor_ros.training.humor_trainer import HumorTrainer

__all__ = ["ScaledHumorTrainer"]

_SCALING_FRAMES = 60_000
#: What counts four times among the decoder's numbers: the root is 12 of 207.
_ROOT_NUMBERS, _ROOT_WEIGHT = 12, 4.0
#: Of what the decoder makes of the prior's mean, beside what it makes of the posterior's samples:
#: forecasts read the former.
_GUESS_WEIGHT = 0.5


class ScaledHumorTrainer(HumorTrainer):
    """A run of :class:`HumorTrainer` with the terms above; arguments are the same."""

    #: Long runs learn the recordings by heart: what was best on the way is kept.
    best_by = "prior_root_1s_mm"

    def prepare(self) -> None:
        """Scale the network's numbers by the data."""
        config = self.config
        self._tables: list[TransitionTable] = []
        self._draw_shapes()
        generator = torch.Generator().manual_seed(config.seed)
        count = min(_SCALING_FRAMES, 4 * len(self._tables[0]))
        sample = self._tables[0].draw(count, generator, config.data.mirror_probability)
        with_scaling(self.network, linear_scaling(sample.past, sample.following, sample.changes))
        assert self.network.decoder.direct is not None
        self.network.decoder.direct.requires_grad_(False)  # the scaling has it
        self.network.bfloat16_layers = config.optim.bfloat16
        self._chase = RollOutChase(
            self.training,
            config.optim.forecast_batch,
            config.data.mirror_probability,
            config.optim.forecast_pieces,
            config.optim.forecast_disturbed,
            config.data.size_std,
        )
        self._told: dict[str, Tensor] = {}
        self._weights = torch.ones(CHANGES)
        self._weights[:_ROOT_NUMBERS] = _ROOT_WEIGHT
        self._weights /= self._weights.sum()

    def loss_terms(self) -> tuple[dict[str, Tensor], Tensor]:
        """Terms and their sum; see :class:`~humor_ros.training.humor_config.HumorLossConfig`."""
        optim, weights = self.config.optim, self.config.loss
        self._hinder(0.0, 0.0)
        terms = self._single()
        kl_share = 1.0 if optim.kl_anneal == 0 else min(1.0, self.progress / optim.kl_anneal)
        total = terms["changes"] + _GUESS_WEIGHT * terms["guess"]
        total = total + kl_share * weights.kl * terms["kl"]
        total = total + weights.contacts * terms["contacts"]
        if weights.forecast > 0 and self.step % optim.forecast_every == 0:
            self._hinder(optim.dropout, optim.blur)
            coin = float(torch.rand((), generator=self.generator))
            chase = self._chase.terms(
                self.network,
                self._piece(),
                self.generator,
                sample=coin < optim.forecast_sampled,
            )
            factors = {
                "root": 4.0,
                "joints": 1.0,
                "local": 1.0,
                "rotations": 0.2,
                "velocities": 0.1,
                "contacts": weights.contacts,
                "slide": 0.1,
            }
            forecast = sum((factors[k] * v for k, v in chase.items()), torch.zeros(()))
            total = total + weights.forecast * forecast
            self._told = {f"forecast_{name}": value.detach() for name, value in chase.items()}
            self._told["forecast"] = forecast.detach()
        # Between two pieces the last one's terms stand in the curve.
        return {**terms, **self._told}, total

    def _hinder(self, dropout: float, blur: float) -> None:
        """Roll-outs are what is learned by heart; single steps are to be precise."""
        for mlp in (self.network.prior_net, self.network.decoder):
            mlp.dropout = dropout
        if self.network.scaling is not None:
            self.network.scaling.blur = blur

    def _piece(self) -> int:
        """Steps of a piece: they grow to their full number over the first part of the run."""
        optim = self.config.optim
        share = min(1.0, self.progress / max(optim.supervised_until, 1e-9))
        return max(2, round(optim.forecast_steps * (0.25 + 0.75 * share)))

    def _single(self) -> dict[str, Tensor]:
        """Single transitions, some from disturbed states."""
        optim, network = self.config.optim, self.network
        batch = self._tables[0].draw(
            optim.single_steps, self.generator, self.config.data.mirror_probability
        )
        factor = sizes(optim.single_steps, self.config.data.size_std, self.generator)
        following, wanted = resized(batch.following, factor), resized(batch.changes, factor)
        past, noise = disturbed(resized(batch.past, factor), optim.disturbed_share, self.generator)
        posterior = network.posterior(past, following)
        prior = network.prior(past)
        raw = network.decode_raw(posterior.sample(self.generator), past)
        guess = network.decode_raw(prior.mean, past)
        scaling = network.scaling
        assert scaling is not None
        unit = scaling.out_scale[:CHANGES]
        wanted = wanted - noise
        # A disturbance weighs as much as the error that it makes.
        calm = 1.0 / (1.0 + (noise / unit).square().mean(dim=1).sqrt())
        entropy = functional.binary_cross_entropy_with_logits(
            raw[:, CHANGES:], batch.contacts, reduction="none"
        )
        flat = batch.flat[:, None]
        return {
            "changes": (calm * self._away(raw, wanted, unit)).mean(),
            "guess": (calm * self._away(guess, wanted, unit)).mean(),
            "kl": (calm * divergence(posterior, prior)).mean(),
            "contacts": (flat * entropy).mean() / flat.mean().clamp_min(1e-6),
        }

    def _away(self, raw: Tensor, wanted: Tensor, unit: Tensor) -> Tensor:
        """(N) error of (N, 216): as a square while it is small, as it is where it is large."""
        error = (raw[:, :CHANGES] - wanted) / unit
        return ((1.0 + error.square()).sqrt() - 1.0) @ self._weights

    def _draw_shapes(self) -> None:
        before, epoch = self._shapes_of, self.step // self.config.data.new_shapes_every
        if epoch != before:
            self._tables.clear()  # two of them would need a lot of memory
        super()._draw_shapes()
        if not self._tables:
            self._tables.append(TransitionTable(self.training))

    def averaged_network(self) -> HumorNetwork:
        """A copy with the running mean of the weights, in the published form."""
        network = copy.deepcopy(self.network)
        self.average.copy_to(network)
        network.bfloat16_layers = False
        return folded(network).eval()

    def write_best(self, path: Path) -> None:
        """Write the averaged weights."""
        save_safetensors(self.averaged_network(), path)

    def more_state(self) -> dict[str, Any]:
        """With the bodies that pieces go on from."""
        return {**super().more_state(), "chase": self._chase.state_dict()}

    def load_more(self, content: dict[str, Any]) -> None:
        """Undo :meth:`more_state`."""
        super().load_more(content)
        self._chase.load_state_dict(content["chase"])
