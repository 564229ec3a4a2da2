"""The published training loop, both stages: deterministic by seed, resumable at any step."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from humor_ros.body.model import BodyModel
from humor_ros.training.losses import published_losses
from humor_ros.training.prefetch import batches_ahead
from humor_ros.training.published_batch import PublishedBatch
from humor_ros.training.published_config import PublishedConfig
from humor_ros.training.published_curves import Curves
from humor_ros.training.published_forward import predict_clips, true_clips
from humor_ros.training.published_mixture import ClipSource
from humor_ros.training.published_validation import fixed_clips, validation_scores
from humor_ros.training.snapshot import load_snapshot, save_snapshot
from humor_ros.training.trainer import StepReport
from humor_ros.wham.checkpoint import load_network, save_safetensors
from humor_ros.wham.network import WhamNetwork

__all__ = ["PublishedTrainer"]

_log = logging.getLogger(__name__)
#: Steps of runs with neighbouring seeds do not share their chance.
_SEED_STRIDE = 1_000_003
_VALIDATION_SEED = 1000
_INTEGRATOR = "integrator."
#: The published loss is large: its gradients leave float16 at the usual first factor of 65536.
_FIRST_SCALE = 16.0
_AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class PublishedTrainer:
    """One run in one folder: ``curve.csv``, ``validation.csv``, ``snapshot.pt``, weights.

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
        self.config = config
        self.device = _device(config.device)
        self.bodies = {name: body.to(self.device) for name, body in bodies.items()}
        self.training = training
        self.validation = validation
        self.folder = folder
        self.minutes_limit = minutes
        self.workers = workers
        self._batches: Iterator[PublishedBatch] | None = None
        self._clock = clock
        self._started = clock()
        self._minutes_before = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self.curves = Curves(folder, tensorboard=config.tensorboard)
        torch.manual_seed(config.seed)
        self.network = WhamNetwork(config.network)
        if config.optim.standing_start:
            _start_standing(self.network)
        self.network.to(self.device)
        self.steps_per_epoch = config.optim.steps_per_epoch or max(
            1, math.ceil(training.windows / config.optim.batch_size)
        )
        self.optimiser = torch.optim.Adam(self._groups(), lr=config.optim.learning_rate)
        self.scaler = torch.amp.GradScaler(
            self.device.type, init_scale=_FIRST_SCALE, enabled=config.precision == "float16"
        )
        self.step = 0
        self.best = float("inf")

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
    def steps(self) -> int:
        """Length of the whole run."""
        return self.config.optim.epochs * self.steps_per_epoch

    @property
    def epoch(self) -> int:
        """Number of the epoch of the next step, from 0."""
        return self.step // self.steps_per_epoch

    @property
    def minutes(self) -> float:
        """Minutes of training so far, over all resumptions."""
        return self._minutes_before + (self._clock() - self._started) / 60

    @property
    def progress(self) -> float:
        """Share of the run that is done; 1 too when the time is up."""
        if self.minutes_limit is not None and self.minutes >= self.minutes_limit:
            return 1.0
        return min(self.step / self.steps, 1.0)

    def train_step(self) -> StepReport:
        """Draw a batch and move the weights once."""
        optim, epoch = self.config.optim, self.epoch
        factor = optim.rate_factor(epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * factor
        batch = self._batch()
        torch.manual_seed(self.config.seed * _SEED_STRIDE + self.step)
        self.network.train()
        answer = predict_clips(
            self.network,
            self.bodies["neutral"],
            batch,
            vertices=self.config.vertices,
            autocast=_AUTOCAST[self.config.precision],
        )
        truth = true_clips(batch, self.bodies, vertices=self.config.vertices)
        terms = published_losses(answer, truth, self.config.loss, epoch)
        loss = torch.stack(list(terms.values())).sum()
        norm = self._move(loss)
        self.step += 1
        return StepReport(
            step=self.step,
            loss=float(loss.detach()),
            terms={name: float(value.detach()) for name, value in terms.items()},
            learning_rate=optim.learning_rate * factor,
            gradient_norm=norm,
            minutes=self.minutes,
        )

    def _batch(self) -> PublishedBatch:
        if self._batches is None:
            size, seed = self.config.optim.batch_size, self.config.seed
            self._batches = batches_ahead(self.training, size, seed, self.step, self.workers)
        return next(self._batches).to(self.device)

    def _move(self, loss: Tensor) -> float:
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        used = [p for p in self.network.parameters() if p.grad is not None]
        norm = float(nn.utils.clip_grad_norm_(used, self.config.optim.clip_norm))
        if math.isfinite(norm):
            self.scaler.step(self.optimiser)
        else:
            _log.warning("step %d: the gradient is not finite; the step is left out", self.step)
        self.scaler.update()
        return norm

    def validate(self) -> dict[str, float]:
        """Scores on the fixed validation clips.

        Raises:
            ValueError: the trainer was made without a validation source.
        """
        if self.validation is None:
            raise ValueError("this PublishedTrainer was made without a validation source")
        config = self.config
        batches = fixed_clips(
            self.validation,
            config.validation_clips,
            config.optim.batch_size,
            config.seed + _VALIDATION_SEED,
        )
        return validation_scores(
            self.network, self.bodies["neutral"], batches, config.loss, self.device
        )

    def run(self, on_step: Callable[[StepReport], None] | None = None) -> None:
        """Train to the end or until the minutes are used up, then write snapshot and weights."""
        config = self.config
        every = config.validate_every * self.steps_per_epoch
        validated = self.step
        while self.progress < 1.0:
            report = self.train_step()
            if self.step % config.log_every == 0:
                self.curves.append("curve", _curve_row(report, self.step // self.steps_per_epoch))
            if on_step is not None:
                on_step(report)
            if self.step % every == 0:
                self._validate()
                validated = self.step
            if self.step % config.snapshot_every == 0:
                self.save()
        if validated < self.step:
            self._validate()
        self.save()
        self.curves.close()

    def _validate(self) -> None:
        if self.validation is None:
            return
        scores = self.validate()
        self.curves.append("validation", {"step": float(self.step), **scores})
        _log.info("step %d: %s", self.step, {k: round(v, 3) for k, v in scores.items()})
        if scores["pa_mpjpe_mm"] < self.best:
            self.best = scores["pa_mpjpe_mm"]
            self.export(self.folder / "best.safetensors")

    def export(self, path: Path) -> Path:
        """Write the weights as they are, in single precision, and return the path."""
        header = {"recipe": "published", "steps": str(self.step)}
        save_safetensors(self.network, path, metadata=header)
        return path

    def save(self) -> Path:
        """Write the snapshot of this moment."""
        return save_snapshot(
            self.folder,
            {
                "step": self.step,
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": {},
                "torch_rng": torch.get_rng_state(),
                "minutes": self.minutes,
                "config": self.config.to_dict(),
                "scaler": self.scaler.state_dict(),
                "best": self.best,
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
            self.optimiser.load_state_dict(content["optimiser"])
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"the snapshot in {self.folder} is of another network than the configuration's: "
                f"{error}"
            ) from error
        self.scaler.load_state_dict(content.get("scaler", {}))
        self.best = float(content.get("best", math.inf))
        self.step = int(content["step"])
        self._batches = None
        self.curves.forget_after(self.step)
        self._minutes_before = float(content["minutes"])
        self._started = self._clock()

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
            weights: Mapping[str, Tensor] = load_snapshot(source)["network"]
        else:
            weights = load_network(source).state_dict()
        kept = dict(self.network.state_dict())
        restart = self.config.optim.restart_integrator
        taken = {k: v for k, v in weights.items() if not (restart and k.startswith(_INTEGRATOR))}
        try:
            self.network.load_state_dict({**kept, **taken})
        except RuntimeError as error:
            raise ValueError(
                f"{source} is of another network than the configuration's: {error}"
            ) from error


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: cuda, but no CUDA device is there; set device: cpu or auto")
    return torch.device(name)


def _start_standing(network: WhamNetwork) -> None:
    """Biases that make the untrained network answer a standing person before the camera."""
    pose = torch.tensor((1.0, 0.0, 0.0, 0.0, 1.0, 0.0)).repeat(24)
    pose[4] = -1.0
    pose_head, _, camera_head, _ = network.motion_decoder.regressor.heads()
    _, root_head = network.trajectory_decoder.regressor.heads()
    with torch.no_grad():
        pose_head.bias.copy_(pose)
        camera_head.bias.copy_(torch.tensor((1.0, 0.0, 0.0)))
        root_head.bias.copy_(pose[6:12])


def _curve_row(report: StepReport, epoch: int) -> dict[str, float]:
    return {
        "step": float(report.step),
        "epoch": float(epoch),
        "minutes": report.minutes,
        "loss": report.loss,
        "learning_rate": report.learning_rate,
        "gradient_norm": report.gradient_norm,
        **report.terms,
    }
