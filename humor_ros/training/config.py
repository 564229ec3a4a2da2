"""Everything that the training of the packaged weights can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from humor_ros.field_checks import AT_LEAST_1, POSITIVE, SHARE, check_fields, one_of
from humor_ros.training.run_config import RunConfig
from humor_ros.training.synthesis_config import CameraConfig, DataConfig, NoiseConfig
from humor_ros.wham.config import WhamConfig

__all__ = ["LossConfig", "OptimConfig", "TrainConfig"]


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms, see :mod:`humor_ros.training.recipe_losses`."""

    pose: float = 2.0
    betas: float = 0.02
    betas_change: float = 2.0
    keypoints_network: float = 2.0
    keypoints_body: float = 6.0
    joints_body: float = 3.0
    velocity: float = 8.0
    acceleration: float = 4.0
    reprojection: float = 1.0
    camera_direction: float = 4.0
    camera_depth: float = 1.0
    camera_velocity: float = 2.0
    contact: float = 0.3
    root: float = 1.5
    root_refined: float = 1.5
    root_velocity: float = 20.0
    root_velocity_refined: float = 20.0
    sliding: float = 2.0
    sliding_refined: float = 4.0


@dataclass(frozen=True)
class OptimConfig:
    """How the weights move.

    Attributes:
        batch_size: windows a step.
        learning_rate: peak rate of AdamW.
        lifter_rate: rate of the part that lifts single frames, as a share of the others'.
        final_rate: rate at the end of the cosine, as a share of the peak.
        warmup_steps: linear rise at the start.
        weight_decay: of AdamW.
        clip_norm: largest gradient norm.
        ema_decay: decay of the running mean of the weights that is saved and validated.
        root_feedback: "teacher" trains the trajectory decoder in parallel on the true root
            with noise; "free" lets it run on its own output, as in use (slower).
        free_from: share of the run after which "free" takes over.
        bfloat16: whether the LSTMs compute in bfloat16 (weights stay float32).
        modules: "all"; "frames" trains the lifting of single frames with the LSTMs left out
            (a network with ``residual``); "recurrent" trains what relates frames, behind the
            frozen lifting; "pose" trains both, that is motion encoder and decoder, and leaves
            the trajectory's modules out of the pass (twice as fast); "trajectory" trains
            trajectory decoder and refiner behind frozen other modules.
        restart_lstms: whether a run that starts from another begins with fresh LSTMs of encoder
            and motion decoder, as after "frames".
        open_gates: added to the biases of the output gates of encoder and motion decoder in a run
            that starts from another.
        forget_bias: added to the LSTMs' forget gates at the start of a fresh run.
    """

    batch_size: int = 64
    learning_rate: float = 1.5e-3
    lifter_rate: float = 1.0
    final_rate: float = 0.01
    warmup_steps: int = 200
    weight_decay: float = 1e-3
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    root_feedback: str = "teacher"
    free_from: float = 0.6
    bfloat16: bool = True
    modules: str = "all"
    forget_bias: float = 1.0
    restart_lstms: bool = False
    open_gates: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self, POSITIVE, "batch_size", "learning_rate", "clip_norm")
        check_fields(self, SHARE, "final_rate", "ema_decay", "free_from")
        modules = one_of("all", "frames", "recurrent", "pose", "trajectory")
        check_fields(self, modules, "modules")
        check_fields(self, one_of("teacher", "free"), "root_feedback")


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """A whole training run of the packaged weights.

    Attributes:
        network: sizes of the network; the feedback switches decide what runs in parallel.
        steps: length of the run in optimiser steps; the cosine schedule ends there. With a
            time limit the run may stop earlier and be resumed.
        validation_windows: windows of the validation split, fixed by the seed.
        validation_frames: frames of each.
    """

    RECIPE: ClassVar[str | None] = "own"

    network: WhamConfig = field(
        default_factory=lambda: WhamConfig(
            d_embed=256,
            n_layers=2,
            d_feat=16,
            d_integrator=16,
            embed_dropout=0.0,
            rnn_dropout=0.05,
            kp_feedback=False,
            pose_feedback=False,
        )
    )
    data: DataConfig = field(default_factory=DataConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    steps: int = 5000
    validation_windows: int = 96
    validation_frames: int = 120

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fields(self, AT_LEAST_1, "steps", "validation_windows", "validation_frames")
