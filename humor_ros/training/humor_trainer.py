"""The training loop of HuMoR: deterministic by seed, resumable at any step."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

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
from humor_ros.training.snapshot import append_row, load_snapshot, save_snapshot

__all__ = ["HumorStep", "HumorTrainer"]

_log = logging.getLogger(__name__)
#: A fresh decoder says that nearly nothing changes: weights of its last layer times this.
_SMALL_START = 0.1


@dataclass(frozen=True)
class HumorStep:
    """What one step says: number, total loss, its terms, rate, gradient norm, minutes so far."""

    step: int
    loss: float
    terms: dict[str, float]
    learning_rate: float
    gradient_norm: float
    minutes: float


class HumorTrainer:
    """One run in one folder: ``curve.csv``, ``validation.csv``, ``snapshot.pt``.

    Args:
        config: the whole run.
        body: of the body terms, with the vertices that they read.
        training: transitions to learn from; shapes are drawn anew in it.
        validation: transitions to be scored on; None leaves validation out.
        folder: where the run is written; made if absent.
        clock: seconds, monotonic; only for the time limit and the time-based schedule.
        minutes: length of the run for the schedule; None: the schedule follows the steps alone.
    """

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
        self.config = config
        self.body = body
        self.training = training
        self.validation = validation
        self.folder = folder
        self.minutes_limit = minutes
        self._clock = clock
        self._minutes_before = 0.0
        self._started = clock()
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.network = HumorNetwork(config.network)
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
        self.optimiser: torch.optim.Optimizer = (
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
        self.step = 0
        #: Of the last validation.
        self.last_scores: dict[str, float] = {}
        self._shapes_of = -1

    @property
    def minutes(self) -> float:
        """Minutes of training so far, over all resumptions."""
        return self._minutes_before + (self._clock() - self._started) / 60

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by time, whichever is further."""
        share = self.step / self.config.steps
        if self.minutes_limit is not None:
            share = max(share, self.minutes / self.minutes_limit)
        return min(share, 1.0)

    def learning_rate(self) -> float:
        """Of this moment, see :class:`~humor_ros.training.humor_config.HumorOptimConfig`."""
        optim, progress = self.config.optim, self.progress
        if optim.schedule == "milestones":
            share = 0.5 ** sum(progress >= milestone for milestone in optim.milestones)
        else:
            cosine = 0.5 * (1 + math.cos(math.pi * progress))
            share = optim.final_rate + (1 - optim.final_rate) * cosine
        return optim.learning_rate * share * min(1.0, (self.step + 1) / max(optim.warmup_steps, 1))

    def train_step(self) -> HumorStep:
        """Draw a batch and move the weights once."""
        optim, rate = self.config.optim, self.learning_rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self._draw_shapes()
        self.network.train()
        # The outer context keeps weights that were cast for one step of a roll-out for all.
        with torch.autocast("cpu", enabled=False):
            terms, loss = self.loss_terms()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), optim.clip_norm))
        if math.isfinite(norm):
            self._move()
            self.average.update(self.network)
        else:
            _log.warning("step %d: the gradient is not finite; the step is left out", self.step)
        self.step += 1
        return HumorStep(
            step=self.step,
            loss=float(loss.detach()),
            terms={name: float(value.detach()) for name, value in terms.items()},
            learning_rate=rate,
            gradient_norm=norm,
            minutes=self.minutes,
        )

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

    def _move(self) -> None:
        """One step of the optimiser, shortened in the rows that are to move slowly."""
        slow = [
            (parameter, parameter.detach().clone(), self._slow[name])
            for name, parameter in self.network.named_parameters()
            if name in self._slow
        ]
        self.optimiser.step()
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

    def averaged_network(self) -> HumorNetwork:
        """A copy of the network with the running mean of the weights."""
        network = HumorNetwork(self.config.network)
        network.load_state_dict(self.network.state_dict())
        for name, parameter in network.named_parameters():
            parameter.data.copy_(self.average.values[name])
        return network.eval()

    def run(self, on_step: Callable[[HumorStep], None] | None = None) -> None:
        """Train until the steps or the minutes are used up, then write a last snapshot."""
        config = self.config
        while self.progress < 1.0:
            report = self.train_step()
            if self.step % config.log_every == 0:
                append_row(self.folder / "curve.csv", _curve_row(report))
            if on_step is not None:
                on_step(report)
            if self.step % config.snapshot_every == 0:
                self.save()
            if self.validation is not None and self.step % config.validate_every == 0:
                self._write_validation()
        self.save()
        if self.validation is not None:
            self._write_validation()

    def save(self) -> Path:
        """Write the snapshot of this moment."""
        return save_snapshot(
            self.folder,
            {
                "step": self.step,
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": self.average.state_dict(),
                "generator": self.generator.get_state(),
                "torch_rng": torch.get_rng_state(),
                "minutes": self.minutes,
                "config": self.config.to_dict(),
                "pool": {} if self.pool is None else self.pool.state_dict(),
                **self.more_state(),
            },
        )

    def more_state(self) -> dict[str, object]:
        """Of a snapshot, beside the network and its optimiser; nothing here."""
        return {}

    def load_more(self, content: dict[str, object]) -> None:
        """Undo :meth:`more_state`."""

    def resume(self) -> None:
        """Continue from the folder's snapshot as if the run had never stopped.

        Raises:
            FileNotFoundError: there is no snapshot.
            ValueError: the snapshot is of another network or unreadable.
        """
        content = load_snapshot(self.folder)
        self._take_weights(self.folder, content)
        self.optimiser.load_state_dict(content["optimiser"])
        self.average.load_state_dict(content["average"])
        self.generator.set_state(content["generator"])
        torch.set_rng_state(content["torch_rng"])
        if self.pool is not None:
            self.pool.load_state_dict(content.get("pool", {}))
        self.load_more(content)
        self.step = int(content["step"])
        self._minutes_before = float(content["minutes"])
        self._started = self._clock()

    def start_from(self, folder: Path) -> None:
        """Take over the averaged weights of another run; step and schedule start anew.

        Raises:
            FileNotFoundError: there is no snapshot.
            ValueError: the snapshot is of another network or unreadable.
        """
        content = load_snapshot(folder)
        self._take_weights(folder, content)
        for name, parameter in self.network.named_parameters():
            parameter.data.copy_(content["average"]["values"][name])
        self.average = WeightAverage(self.network, self.config.optim.ema_decay)

    def _take_weights(self, folder: Path, content: dict[str, object]) -> None:
        try:
            self.network.load_state_dict(content["network"])  # type: ignore[arg-type]
        except RuntimeError as error:
            raise ValueError(
                f"the snapshot in {folder} is of another network than the configuration's: {error}"
            ) from error

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

    def _write_validation(self) -> None:
        if self.validation is None:
            return
        scores = self.last_scores = quick_scores(self.averaged_network(), self.validation)
        row = {"step": float(self.step), "minutes": round(self.minutes, 2), **scores}
        append_row(self.folder / "validation.csv", row)
        _log.info("step %d: %s", self.step, {k: round(v, 3) for k, v in scores.items()})


def _curve_row(report: HumorStep) -> dict[str, float]:
    return {
        "step": float(report.step),
        "minutes": report.minutes,
        "loss": report.loss,
        "learning_rate": report.learning_rate,
        "gradient_norm": report.gradient_norm,
        **{name: value for name, value in report.terms.items() if name != "forecast"},
        "forecast": report.terms.get("forecast", float("nan")),
    }
