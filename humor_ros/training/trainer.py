"""The training loop: deterministic by seed, resumable at any step."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from humor_ros.body.model import BodyModel
from humor_ros.training.config import TrainConfig
from humor_ros.training.ema import WeightAverage
from humor_ros.training.initial_scale import load_widened, open_gates, restart_lstms, scale_to_data
from humor_ros.training.prefetch import batches_ahead
from humor_ros.training.recipe_losses import recipe_losses, weighted_sum
from humor_ros.training.snapshot import append_row, load_snapshot, save_snapshot
from humor_ros.training.synthesis import TrainingBatch, WindowSource
from humor_ros.training.validation import run_network, validate
from humor_ros.wham.network import WhamNetwork

__all__ = ["StepReport", "Trainer"]

_log = logging.getLogger(__name__)
#: Identity rotation in 6D, and that of a root that faces the camera (see initialisation).
_IDENTITY_6D = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_FACING_6D = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


@dataclass(frozen=True)
class StepReport:
    """What one step says: number, total loss, its terms, rate, gradient norm, minutes so far."""

    step: int
    loss: float
    terms: dict[str, float]
    learning_rate: float
    gradient_norm: float
    minutes: float


class Trainer:
    """One run in one folder: ``curve.csv``, ``validation.csv``, ``snapshot.pt``.

    Args:
        config: the whole run.
        body: body model.
        training: source of training windows.
        validation: source of validation windows; None leaves validation out.
        folder: where the run is written; made if absent.
        clock: seconds, monotonic; only for the time limit and the time-based schedule.
        minutes: length of the run for the schedule; None: the schedule follows the steps alone.
        workers: processes that make batches ahead; 0 makes them in this one. They change no batch.
    """

    def __init__(
        self,
        config: TrainConfig,
        body: BodyModel,
        training: WindowSource,
        validation: WindowSource | None,
        folder: Path,
        clock: Callable[[], float],
        minutes: float | None = None,
        workers: int = 0,
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
        self.workers = workers
        self._batches: Iterator[TrainingBatch] | None = None
        self.network = WhamNetwork(config.network)
        _start_near_standing(self.network)
        first = torch.Generator().manual_seed(config.seed)
        scale_to_data(self.network, training.batch(config.optim.batch_size, first))
        _add_forget_bias(self.network, config.optim.forget_bias)
        _freeze_all_but(self.network, config.optim.modules)
        for parameter in self.network.integrator.parameters():
            parameter.requires_grad_(False)
        lifting: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                (lifting if _lifts(name) else others).append(parameter)
        self.optimiser = torch.optim.AdamW(
            [
                {"params": others, "share": 1.0},
                {"params": lifting, "share": config.optim.lifter_rate},
            ],
            lr=config.optim.learning_rate,
            weight_decay=config.optim.weight_decay,
        )
        self.average = WeightAverage(self.network, config.optim.ema_decay)
        self.step = 0

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
        """Linear warm-up by steps, then half a cosine over the progress of the run."""
        optim = self.config.optim
        warm = min(1.0, (self.step + 1) / max(optim.warmup_steps, 1))
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress))
        return optim.learning_rate * warm * (optim.final_rate + (1 - optim.final_rate) * cosine)

    def train_step(self) -> StepReport:
        """Draw a batch and move the weights once."""
        optim = self.config.optim
        rate = self.learning_rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        teacher = optim.root_feedback == "teacher" and self.progress < optim.free_from
        self.network.train()
        batch = self._next_batch()
        answer = run_network(
            self.network,
            self.body,
            batch,
            teacher=teacher,
            bfloat16=optim.bfloat16,
            trajectory=optim.modules in ("all", "trajectory"),
            recurrent=optim.modules != "frames",
        )
        terms = recipe_losses(answer, batch)
        loss = weighted_sum(terms, self.config.loss)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(
            nn.utils.clip_grad_norm_(
                [p for p in self.network.parameters() if p.grad is not None], optim.clip_norm
            )
        )
        if math.isfinite(norm):
            self.optimiser.step()
            self.average.update(self.network)
        else:
            _log.warning("step %d: the gradient is not finite; the step is left out", self.step)
        self.step += 1
        return StepReport(
            step=self.step,
            loss=float(loss.detach()),
            terms={name: float(value.detach()) for name, value in terms.items()},
            learning_rate=rate,
            gradient_norm=norm,
            minutes=self.minutes,
        )

    def _next_batch(self) -> TrainingBatch:
        if self._batches is None:
            size, seed = self.config.optim.batch_size, self.config.seed
            self._batches = batches_ahead(self.training, size, seed, self.step, self.workers)
        return next(self._batches)

    def averaged_network(self) -> WhamNetwork:
        """A copy of the network with the running mean of the weights."""
        network = WhamNetwork(self.config.network)
        network.load_state_dict(self.network.state_dict())
        for name, parameter in network.named_parameters():
            parameter.data.copy_(self.average.values[name])
        return network.eval()

    def validate(self) -> dict[str, float]:
        """Scores of the averaged weights on the fixed validation windows.

        Raises:
            ValueError: the trainer was made without a validation source.
        """
        if self.validation is None:
            raise ValueError("this Trainer was made without a validation source")
        return validate(
            self.averaged_network(),
            self.validation,
            windows=self.config.validation_windows,
            frames=self.config.validation_frames,
            seed=self.config.seed + 1000,
            recurrent=self.config.optim.modules != "frames",
        )

    def run(self, on_step: Callable[[StepReport], None] | None = None) -> None:
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

    def _write_validation(self) -> None:
        scores = self.validate()
        row = {"step": float(self.step), "minutes": round(self.minutes, 2), **scores}
        append_row(self.folder / "validation.csv", row)
        _log.info("step %d: %s", self.step, {k: round(v, 3) for k, v in scores.items()})

    def save(self) -> Path:
        """Write the snapshot of this moment."""
        return save_snapshot(
            self.folder,
            {
                "step": self.step,
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": self.average.state_dict(),
                "torch_rng": torch.get_rng_state(),
                "minutes": self.minutes,
                "config": self.config.to_dict(),
            },
        )

    def resume(self) -> None:
        """Continue from the folder's snapshot as if the run had never stopped.

        Raises:
            FileNotFoundError: there is no snapshot.
            ValueError: the snapshot is of another network or unreadable.
        """
        content = load_snapshot(self.folder)
        try:
            self.network.load_state_dict(content["network"])
        except RuntimeError as error:
            raise ValueError(
                f"the snapshot in {self.folder} is of another network than the configuration's: "
                f"{error}"
            ) from error
        self.optimiser.load_state_dict(content["optimiser"])
        self.average.load_state_dict(content["average"])
        torch.set_rng_state(content["torch_rng"])
        self.step = int(content["step"])
        self._batches = None
        self._minutes_before = float(content["minutes"])
        self._started = self._clock()

    def start_from(self, folder: Path, *, average: bool = True) -> None:
        """Take over the weights of another run (fine-tuning); step and schedule start anew."""
        content = load_snapshot(folder)
        weights = dict(content["network"])
        if average:
            weights |= content["average"]["values"]
        load_widened(self.network, weights, recurrent=not self.config.optim.restart_lstms)
        if self.config.optim.restart_lstms:
            first = torch.Generator().manual_seed(self.config.seed)
            batch = self.training.batch(self.config.optim.batch_size, first)
            restart_lstms(self.network, batch)
            _add_forget_bias(self.network, self.config.optim.forget_bias)
        open_gates(self.network, self.config.optim.open_gates)
        self.average = WeightAverage(self.network, self.config.optim.ema_decay)


def _lifts(name: str) -> bool:
    """Whether a parameter is of the part that lifts single frames."""
    return name.startswith(("motion_encoder.lifter", "motion_encoder.embed_layer"))


def _freeze_all_but(network: WhamNetwork, modules: str) -> None:
    """Leave gradients to the parts that ``OptimConfig.modules`` names."""
    if modules == "all":
        return
    for name, parameter in network.named_parameters():
        wanted = name.startswith("trajectory_") == (modules == "trajectory")
        if modules == "frames":
            wanted = wanted and ".rnn." not in name and ".neural_init." not in name
        elif modules == "recurrent":
            frozen = name.startswith("motion_encoder.lifter.") or name == "mask_embedding"
            wanted = wanted and not frozen
        parameter.requires_grad_(wanted)


def _add_forget_bias(network: WhamNetwork, bias: float) -> None:
    """Let fresh LSTMs remember (Jozefowicz et al. 2015): the second quarter of a gate bias."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if ".rnn.bias_ih_l" in name:
                quarter = len(parameter) // 4
                parameter[quarter : 2 * quarter] += bias


def _start_near_standing(network: WhamNetwork) -> None:
    """Biases that make the untrained network answer a standing person that faces the camera."""
    pose = torch.tensor(_IDENTITY_6D).repeat(24)
    pose[:6] = torch.tensor(_FACING_6D)
    pose_head, _, camera_head, _ = network.motion_decoder.regressor.heads()
    _, root_head = network.trajectory_decoder.regressor.heads()
    with torch.no_grad():
        pose_head.bias.copy_(pose)
        camera_head.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
        root_head.bias.copy_(torch.tensor(_IDENTITY_6D))
        for head in network.trajectory_refiner.refiner.heads():
            head.bias.zero_()


def _curve_row(report: StepReport) -> dict[str, float]:
    return {
        "step": float(report.step),
        "minutes": report.minutes,
        "loss": report.loss,
        "learning_rate": report.learning_rate,
        "gradient_norm": report.gradient_norm,
        **report.terms,
    }
