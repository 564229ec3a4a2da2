"""The loop of all trainers: steps, curves, validation, snapshots, continuation at any step."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from humor_ros.training.curves import Curves
from humor_ros.training.ema import WeightAverage
from humor_ros.training.run_config import RunConfig
from humor_ros.training.snapshot import load_snapshot, save_snapshot
from humor_ros.training.step_report import StepReport

__all__ = ["BEST_NAME", "TrainingLoop"]

_log = logging.getLogger(__name__)
_Network = TypeVar("_Network", bound=nn.Module)
#: Weights of the best validation, where a trainer keeps them.
BEST_NAME = "best.safetensors"


class TrainingLoop(ABC, Generic[_Network]):
    """One run in one folder: ``curve.csv``, ``validation.csv``, ``snapshot.pt``.

    A trainer says what is learned: :meth:`make_network`, :meth:`loss_terms`,
    :meth:`learning_rate`, :meth:`scores`, and makes ``optimiser`` and, where it keeps a running
    mean of the weights, ``average``. The loop does the rest.

    Args:
        config: of the whole run.
        validation: what :meth:`scores` reads; None leaves validation out.
        folder: where the run is written; made if absent.
        clock: seconds, monotonic; only for the time limit and what follows from it.
        minutes: length of the run; None: the steps alone end it. It can be resumed after it.
        clip_norm: largest gradient norm.

    Attributes:
        step: steps done.
        steps: length of the run.
        validate_every: steps between validations.
        best: lowest score ``best_by`` so far.
    """

    #: Score of the validation whose lowest weights are kept; "" keeps none.
    best_by: ClassVar[str] = ""

    network: _Network
    optimiser: torch.optim.Optimizer

    def __init__(
        self,
        config: RunConfig,
        validation: object | None,
        folder: Path,
        clock: Callable[[], float],
        minutes: float | None,
        *,
        steps: int,
        clip_norm: float,
    ) -> None:
        self.config = config
        self.validation = validation
        self.folder = folder
        self.minutes_limit = minutes
        self.steps = steps
        self.validate_every = config.validate_every
        self.step = 0
        self.best = math.inf
        self.average: WeightAverage | None = None
        self.scaler = torch.amp.GradScaler("cpu", enabled=False)
        self._clip_norm = clip_norm
        self._clock = clock
        self._minutes_before = 0.0
        self._started = clock()
        folder.mkdir(parents=True, exist_ok=True)
        self.curves = Curves(folder)
        torch.manual_seed(config.seed)
        self.network = self.make_network()

    @abstractmethod
    def make_network(self) -> _Network:
        """A network of the configured size."""

    @abstractmethod
    def learning_rate(self) -> float:
        """Of the next step."""

    @abstractmethod
    def loss_terms(self) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of the next batch, to be told, and what is minimised."""

    @abstractmethod
    def scores(self, validation: Any) -> dict[str, float]:
        """Of the weights of this moment, on the fixed windows of ``validation``."""

    def write_best(self, path: Path) -> None:
        """Write the weights of this moment; needed where ``best_by`` is set."""
        raise NotImplementedError

    def more_state(self) -> dict[str, Any]:
        """Of a snapshot, beside what all trainers have."""
        return {}

    def load_more(self, content: dict[str, Any]) -> None:
        """Undo :meth:`more_state`."""

    @property
    def minutes(self) -> float:
        """Minutes of training so far, over all resumptions."""
        return self._minutes_before + (self._clock() - self._started) / 60

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by time, whichever is further."""
        share = self.step / self.steps
        if self.minutes_limit is not None:
            share = max(share, self.minutes / self.minutes_limit)
        return min(share, 1.0)

    def train_step(self) -> StepReport:
        """Draw a batch and move the weights once."""
        rate = self.learning_rate()
        self.set_rates(rate)
        self.network.train()
        terms, loss = self.loss_terms()
        norm = self._move(loss)
        self.step += 1
        return StepReport(
            step=self.step,
            loss=float(loss.detach()),
            terms={name: float(value.detach()) for name, value in terms.items()},
            learning_rate=rate,
            gradient_norm=norm,
            minutes=self.minutes,
        )

    def set_rates(self, rate: float) -> None:
        """Tell the optimiser its rate; a group of parameters may have a ``share`` of it."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("share", 1.0)

    def _move(self, loss: Tensor) -> float:
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), self._clip_norm))
        if math.isfinite(norm):
            self.move_weights()
            if self.average is not None:
                self.average.update(self.network)
        else:
            _log.warning("step %d: the gradient is not finite; the step is left out", self.step)
        self.scaler.update()
        return norm

    def move_weights(self) -> None:
        """One step of the optimiser."""
        self.scaler.step(self.optimiser)

    def averaged_network(self) -> _Network:
        """A copy of the network with the running mean of the weights."""
        network = self.make_network()
        network.load_state_dict(self.network.state_dict())
        if self.average is not None:
            self.average.copy_to(network)
        return network.eval()

    def run(self, on_step: Callable[[StepReport], None] | None = None) -> None:
        """Train until the steps or the minutes are used up; validate and save at the end too."""
        validated = self.step
        while self.progress < 1.0:
            report = self.train_step()
            if self.step % self.config.log_every == 0:
                self.curves.append("curve", self.curve_row(report))
            if on_step is not None:
                on_step(report)
            if self.step % self.validate_every == 0:
                self._write_validation()
                validated = self.step
            # After the validation, which may draw from the generator that a snapshot keeps.
            if self.step % self.config.snapshot_every == 0:
                self.save()
        if validated < self.step:
            self._write_validation()
        self.save()
        self.curves.close()

    def curve_row(self, report: StepReport) -> dict[str, float]:
        """What ``curve.csv`` tells of a step."""
        return report.row()

    def _write_validation(self) -> None:
        if self.validation is None:
            return
        scores = self.scores(self.validation)
        row = {"step": float(self.step), "minutes": round(self.minutes, 2), **scores}
        self.curves.append("validation", row)
        _log.info("step %d: %s", self.step, {k: round(v, 3) for k, v in scores.items()})
        score = scores.get(self.best_by, math.inf)
        if score < self.best:
            self.best = score
            self.write_best(self.folder / BEST_NAME)

    def save(self) -> Path:
        """Write the snapshot of this moment."""
        return save_snapshot(
            self.folder,
            {
                "step": self.step,
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": {} if self.average is None else self.average.state_dict(),
                "scaler": self.scaler.state_dict(),
                "torch_rng": torch.get_rng_state(),
                "minutes": self.minutes,
                "config": self.config.to_dict(),
                "best": self.best,
                **self.more_state(),
            },
        )

    def resume(self) -> None:
        """Continue from the folder's snapshot as if the run had never stopped.

        Raises:
            FileNotFoundError: there is no snapshot.
            ValueError: the snapshot is of another network or unreadable.
        """
        content = load_snapshot(self.folder)
        self.load_weights(content["network"], f"the snapshot in {self.folder}")
        self.optimiser.load_state_dict(content["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(content["average"])
        self.scaler.load_state_dict(content.get("scaler", {}))
        torch.set_rng_state(content["torch_rng"])
        self.load_more(content)
        self.step = int(content["step"])
        self.best = float(content.get("best", math.inf))
        self.curves.forget_after(self.step)
        self._minutes_before = float(content["minutes"])
        self._started = self._clock()

    def load_weights(self, weights: dict[str, Tensor], where: str) -> None:
        """Take over weights.

        Raises:
            ValueError: they are of another network; names ``where`` they are from.
        """
        try:
            self.network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(
                f"{where} is of another network than the configuration's: {error}"
            ) from error
