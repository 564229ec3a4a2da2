"""The training of the packaged weights of WHAM's network."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from humor_ros.body.model import BodyModel
from humor_ros.training.config import TrainConfig
from humor_ros.training.ema import WeightAverage
from humor_ros.training.initial_scale import load_widened, open_gates, restart_lstms, scale_to_data
from humor_ros.training.loop import TrainingLoop
from humor_ros.training.prefetch import StepBatches
from humor_ros.training.recipe_losses import recipe_losses, weighted_sum
from humor_ros.training.snapshot import load_snapshot
from humor_ros.training.standing_start import start_standing
from humor_ros.training.synthesis import WindowSource
from humor_ros.training.validation import run_network, validate
from humor_ros.wham.network import WhamNetwork

__all__ = ["Trainer"]


class Trainer(TrainingLoop[WhamNetwork]):
    """A run over windows of synthetic projections.

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

    config: TrainConfig
    average: WeightAverage

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
        self._batches = StepBatches(training, config.optim.batch_size, config.seed, workers)
        start_standing(self.network)
        for head in self.network.trajectory_refiner.refiner.heads():
            nn.init.zeros_(head.bias)
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

    def make_network(self) -> WhamNetwork:
        """Of the configured size."""
        return WhamNetwork(self.config.network)

    def learning_rate(self) -> float:
        """Linear warm-up by steps, then half a cosine over the progress of the run."""
        optim = self.config.optim
        warm = min(1.0, (self.step + 1) / max(optim.warmup_steps, 1))
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress))
        return optim.learning_rate * warm * (optim.final_rate + (1 - optim.final_rate) * cosine)

    def loss_terms(self) -> tuple[dict[str, Tensor], Tensor]:
        """Of :mod:`humor_ros.training.recipe_losses`."""
        optim = self.config.optim
        teacher = optim.root_feedback == "teacher" and self.progress < optim.free_from
        batch = self._batches.at(self.step)
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
        return terms, weighted_sum(terms, self.config.loss)

    def scores(self, validation: WindowSource) -> dict[str, float]:
        """Of the averaged weights."""
        return validate(
            self.averaged_network(),
            validation,
            windows=self.config.validation_windows,
            frames=self.config.validation_frames,
            seed=self.config.seed + 1000,
            recurrent=self.config.optim.modules != "frames",
        )

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
