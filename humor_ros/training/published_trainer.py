"""The published training, both stages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from humor_ros.body.model import BodyModel
from humor_ros.training.curves import Curves
from humor_ros.training.loop import TrainingLoop
from humor_ros.training.losses import published_losses
from humor_ros.training.prefetch import SEED_STRIDE, StepBatches
from humor_ros.training.published_config import PublishedConfig
from humor_ros.training.published_forward import predict_clips, true_clips
from humor_ros.training.published_mixture import ClipSource
from humor_ros.training.published_validation import fixed_clips, validation_scores
from humor_ros.training.snapshot import load_snapshot
from humor_ros.training.standing_start import start_standing
from humor_ros.training.step_report import StepReport
from humor_ros.wham.checkpoint import load_network, save_safetensors
from humor_ros.wham.network import WhamNetwork

__all__ = ["PublishedTrainer"]

_VALIDATION_SEED = 1000
_INTEGRATOR = "integrator."
#: The published loss is large: its gradients leave float16 at the usual first factor of 65536.
_FIRST_SCALE = 16.0
_AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class PublishedTrainer(TrainingLoop[WhamNetwork]):
    """A run over clips of motion capture and videos.

    All chance of a step, of its clips and of dropout, follows from the seed and the number of
    the step alone, so that a run that was interrupted ends with the same weights.

    Args:
        config: the whole run.
        bodies: body models by gender; "neutral" is the network's.
        training: source of clips.
        validation: source of validation clips; None leaves validation out.
        folder: where the run is written; made if absent.
        clock: seconds, monotonic; only reported, and compared with ``minutes``.
        minutes: time limit; the run can be resumed after it.
        workers: processes that make batches ahead; they change no batch.

    Raises:
        ValueError: CUDA is asked for and not there.
    """

    best_by = "pa_mpjpe_mm"

    config: PublishedConfig

    def __init__(
        self,
        config: PublishedConfig,
        bodies: Mapping[str, BodyModel],
        training: ClipSource,
        validation: ClipSource | None,
        folder: Path,
        clock: Callable[[], float],
        minutes: float | None = None,
        workers: int = 0,
    ) -> None:
        self.device = _device(config.device)
        self.steps_per_epoch = config.optim.steps_per_epoch or max(
            1, math.ceil(training.windows / config.optim.batch_size)
        )
        super().__init__(
            config,
            validation,
            folder,
            clock,
            minutes,
            steps=config.optim.epochs * self.steps_per_epoch,
            clip_norm=config.optim.clip_norm,
        )
        self.validate_every = config.validate_every * self.steps_per_epoch
        self.curves = Curves(folder, tensorboard=config.tensorboard)
        self.bodies = {name: body.to(self.device) for name, body in bodies.items()}
        self.training = training
        self._batches = StepBatches(training, config.optim.batch_size, config.seed, workers)
        if config.optim.standing_start:
            start_standing(self.network)
        self.network.to(self.device)
        self.optimiser = torch.optim.Adam(self._groups(), lr=config.optim.learning_rate)
        self.scaler = torch.amp.GradScaler(
            self.device.type, init_scale=_FIRST_SCALE, enabled=config.precision == "float16"
        )

    def make_network(self) -> WhamNetwork:
        """Of the configured size."""
        return WhamNetwork(self.config.network)

    def _groups(self) -> list[dict[str, object]]:
        optim = self.config.optim
        integrator: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            (integrator if name.startswith(_INTEGRATOR) else others).append(parameter)
        base = optim.integrator_learning_rate or optim.learning_rate
        return [
            {"params": others, "base": optim.learning_rate},
            {"params": integrator, "base": base},
        ]

    @property
    def epoch(self) -> int:
        """Number of the epoch of the next step, from 0."""
        return self.step // self.steps_per_epoch

    def learning_rate(self) -> float:
        """Of all but the integrator, in this epoch."""
        return self.config.optim.learning_rate * self.config.optim.rate_factor(self.epoch)

    def set_rates(self, rate: float) -> None:
        """Both rates fall alike."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * self.config.optim.rate_factor(self.epoch)

    def loss_terms(self) -> tuple[dict[str, Tensor], Tensor]:
        """Of :func:`~humor_ros.training.losses.published_losses`."""
        batch = self._batches.at(self.step).to(self.device)
        torch.manual_seed(self.config.seed * SEED_STRIDE + self.step)
        answer = predict_clips(
            self.network,
            self.bodies["neutral"],
            batch,
            vertices=self.config.vertices,
            autocast=_AUTOCAST[self.config.precision],
        )
        truth = true_clips(batch, self.bodies, vertices=self.config.vertices)
        terms = published_losses(answer, truth, self.config.loss, self.epoch)
        return terms, torch.stack(list(terms.values())).sum()

    def scores(self, validation: ClipSource) -> dict[str, float]:
        """Of the weights as they are."""
        config = self.config
        batches = fixed_clips(
            validation,
            config.validation_clips,
            config.optim.batch_size,
            config.seed + _VALIDATION_SEED,
        )
        return validation_scores(
            self.network, self.bodies["neutral"], batches, config.loss, self.device
        )

    def curve_row(self, report: StepReport) -> dict[str, float]:
        """With the epoch."""
        row = report.row()
        return {"step": row["step"], "epoch": float(self.epoch), **row}

    def write_best(self, path: Path) -> None:
        """Write the weights as they are."""
        self.export(path)

    def export(self, path: Path) -> Path:
        """Write the weights as they are, in single precision, and return the path."""
        header = {"recipe": "published", "steps": str(self.step)}
        save_safetensors(self.network, path, metadata=header)
        return path

    def start_from(self, source: Path) -> None:
        """Take over the weights of another run or file; step and schedule start anew.

        With ``optim.restart_integrator`` the integrator keeps its fresh weights, and may be of
        another size.

        Args:
            source: folder of a run of this kind, ``.safetensors``, or published ``.pth.tar``.

        Raises:
            FileNotFoundError: it is not there.
            ValueError: it is of another network.
        """
        if source.is_dir():
            weights: dict[str, Tensor] = load_snapshot(source)["network"]
        else:
            weights = load_network(source).state_dict()
        kept = dict(self.network.state_dict())
        restart = self.config.optim.restart_integrator
        taken = {k: v for k, v in weights.items() if not (restart and k.startswith(_INTEGRATOR))}
        self.load_weights({**kept, **taken}, str(source))


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: cuda, but no CUDA device is there; set device: cpu or auto")
    return torch.device(name)
