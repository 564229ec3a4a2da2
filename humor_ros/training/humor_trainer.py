"""The training of HuMoR with the published losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from humor_ros.humor.body import HumorBody
from humor_ros.humor.networks import HumorNetwork
from humor_ros.training.ema import WeightAverage
from humor_ros.training.humor_config import HumorTrainConfig
from humor_ros.training.humor_losses import (
    Transitions,
    forecast_loss,
    humor_losses,
    run_transitions,
    weighted_total,
)
from humor_ros.training.humor_pool import RollOutPool
from humor_ros.training.humor_start import slow_rows, start_at_constant_velocity
from humor_ros.training.humor_transitions import TransitionLibrary, TransitionWindow
from humor_ros.training.humor_validation import quick_scores
from humor_ros.training.loop import TrainingLoop
from humor_ros.training.snapshot import load_snapshot
from humor_ros.training.step_report import StepReport

__all__ = ["HumorTrainer"]

#: A fresh decoder says that nearly nothing changes: weights of its last layer times this.
_SMALL_START = 0.1


class HumorTrainer(TrainingLoop[HumorNetwork]):
    """A run over windows of transitions.

    Args:
        config: the whole run.
        body: of the body terms, with the vertices that they read.
        training: transitions to learn from; shapes are drawn anew in it.
        validation: transitions to be scored on; None leaves validation out.
        folder: where the run is written; made if absent.
        clock: seconds, monotonic; only for the time limit and the time-based schedule.
        minutes: length of the run for the schedule; None: the schedule follows the steps alone.
    """

    config: HumorTrainConfig
    average: WeightAverage

    def __init__(
        self,
        config: HumorTrainConfig,
        body: HumorBody,
        training: TransitionLibrary,
        validation: TransitionLibrary | None,
        folder: Path,
        clock: Callable[[], float],
        minutes: float | None = None,
    ) -> None:
        super().__init__(
            config,
            validation,
            folder,
            clock,
            minutes,
            steps=config.steps,
            clip_norm=config.optim.clip_norm,
        )
        self.body = body
        self.training = training
        self.generator = torch.Generator().manual_seed(config.seed)
        last = self.network.decoder.net[-1]
        with torch.no_grad():
            for parameter in last.parameters():
                parameter.mul_(_SMALL_START)
        if config.optim.constant_velocity_start:
            start_at_constant_velocity(self.network)
        self._slow = (
            slow_rows(self.network, config.optim.slow_rate)
            if config.optim.constant_velocity_start and config.optim.slow_rate < 1
            else {}
        )
        self.optimiser = (
            torch.optim.Adamax(self.network.parameters(), lr=config.optim.learning_rate)
            if config.optim.optimiser == "adamax"
            else torch.optim.AdamW(
                self.network.parameters(),
                lr=config.optim.learning_rate,
                weight_decay=config.optim.weight_decay,
                fused=True,
            )
        )
        self.average = WeightAverage(self.network, config.optim.ema_decay)
        self.pool = (
            RollOutPool(
                training,
                config.optim.pool_size,
                config.data.window_steps,
                config.data.mirror_probability,
            )
            if config.optim.pool_size
            else None
        )
        self._shapes_of = -1
        self.prepare()

    def prepare(self) -> None:
        """Last step of the construction; nothing here."""

    def make_network(self) -> HumorNetwork:
        """Of the configured size."""
        return HumorNetwork(self.config.network)

    def learning_rate(self) -> float:
        """Of this moment, see :class:`~humor_ros.training.humor_config.HumorOptimConfig`."""
        optim, progress = self.config.optim, self.progress
        if optim.schedule == "milestones":
            share = 0.5 ** sum(progress >= milestone for milestone in optim.milestones)
        else:
            cosine = 0.5 * (1 + math.cos(math.pi * progress))
            share = optim.final_rate + (1 - optim.final_rate) * cosine
        return optim.learning_rate * share * min(1.0, (self.step + 1) / max(optim.warmup_steps, 1))

    def train_step(self) -> StepReport:
        """Draw a batch and move the weights once."""
        self._draw_shapes()
        # The outer context keeps weights that were cast for one step of a roll-out for all.
        with torch.autocast("cpu", enabled=False):
            return super().train_step()

    def loss_terms(self) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of a batch without their weights, and what is minimised."""
        config, optim = self.config, self.config.optim
        foretold = self.progress >= optim.supervised_until
        window, answer = self._answered()
        terms = humor_losses(answer, window, self.body, config.loss)
        if config.loss.forecast > 0 and foretold and self.step % optim.forecast_every == 0:
            longer = self.training.draw(
                optim.forecast_batch,
                optim.forecast_steps,
                self.generator,
                config.data.mirror_probability,
            )
            terms["forecast"] = forecast_loss(self.network, longer, bfloat16=optim.bfloat16)
        kl_share = 1.0 if optim.kl_anneal == 0 else min(1.0, self.progress / optim.kl_anneal)
        return terms, weighted_total(terms, config.loss, kl_share)

    def move_weights(self) -> None:
        """One step of the optimiser, shortened in the rows that are to move slowly."""
        slow = [
            (parameter, parameter.detach().clone(), self._slow[name])
            for name, parameter in self.network.named_parameters()
            if name in self._slow
        ]
        super().move_weights()
        with torch.no_grad():
            for parameter, before, factor in slow:
                shaped = factor.reshape(-1, *[1] * (parameter.dim() - 1))
                parameter.copy_(torch.lerp(before, parameter, shaped.expand_as(parameter)))

    def _answered(self) -> tuple[TransitionWindow, Transitions]:
        """A window and what the network says: of a pool, of single steps, or of whole windows."""
        optim, data = self.config.optim, self.config.data
        if self.pool is not None and self.progress >= optim.supervised_until:
            window = self.pool.next(self.generator, self.own_chance())
            answer = run_transitions(self.network, window, self.generator, bfloat16=optim.bfloat16)
            self.pool.advance(answer.predicted)
            return window, answer
        own = self._own_output()
        single = optim.single_steps > 0 and not own
        window = self.training.draw(
            optim.single_steps if single else optim.batch_size,
            1 if single else data.window_steps,
            self.generator,
            data.mirror_probability,
        )
        answer = run_transitions(
            self.network, window, self.generator, own_output=own, bfloat16=optim.bfloat16
        )
        return window, answer

    def scores(self, validation: TransitionLibrary) -> dict[str, float]:
        """Of the averaged weights."""
        return quick_scores(self.averaged_network(), validation)

    def curve_row(self, report: StepReport) -> dict[str, float]:
        """With a column for the forecast, which not every step has."""
        row = report.row()
        row["forecast"] = row.pop("forecast", float("nan"))
        return row

    def more_state(self) -> dict[str, Any]:
        """Where the chance of the windows is, and the people who are on their way."""
        pool = {} if self.pool is None else self.pool.state_dict()
        return {"generator": self.generator.get_state(), "pool": pool}

    def load_more(self, content: dict[str, Any]) -> None:
        """Undo :meth:`more_state`."""
        self.generator.set_state(content["generator"])
        if self.pool is not None:
            self.pool.load_state_dict(content.get("pool", {}))

    def start_from(self, folder: Path) -> None:
        """Take over the averaged weights of another run; step and schedule start anew.

        Raises:
            FileNotFoundError: there is no snapshot.
            ValueError: the snapshot is of another network or unreadable.
        """
        content = load_snapshot(folder)
        weights = content["network"] | content["average"]["values"]
        self.load_weights(weights, f"the snapshot in {folder}")
        self.average = WeightAverage(self.network, self.config.optim.ema_decay)

    def own_chance(self) -> float:
        """Chance of a step to read the prediction before it, rising over the run."""
        optim = self.config.optim
        if self.progress >= optim.own_output_from:
            return 1.0
        between = optim.own_output_from - optim.supervised_until
        return max(0.0, (self.progress - optim.supervised_until) / max(between, 1e-9))

    def _own_output(self) -> tuple[bool, ...]:
        """Which steps read the prediction before them: none, by coins, or all but the first."""
        steps = self.config.data.window_steps
        if self.progress < self.config.optim.supervised_until or steps == 1:
            return ()
        coins = torch.rand(steps - 1, generator=self.generator) < self.own_chance()
        return (False, *coins.tolist())

    def _draw_shapes(self) -> None:
        """New shapes every so often, by the number of the step so that a resumed run has them."""
        epoch = self.step // self.config.data.new_shapes_every
        if epoch != self._shapes_of and self.training.source.draws_shapes:
            seed = self.config.seed + 7919 * (epoch + 1)
            self.training.draw_shapes(torch.Generator().manual_seed(seed))
        self._shapes_of = epoch
