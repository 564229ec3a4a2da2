"""Everything that a training run of HuMoR can be told."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from humor_ros.field_checks import (
    AT_LEAST_0,
    AT_LEAST_1,
    POSITIVE,
    SHARE,
    Rule,
    check_fields,
    one_of,
)
from humor_ros.humor.config import HumorConfig
from humor_ros.training.run_config import RunConfig

__all__ = [
    "HumorDataConfig",
    "HumorLossConfig",
    "HumorOptimConfig",
    "HumorTrainConfig",
]


@dataclass(frozen=True)
class HumorDataConfig:
    """How windows of transitions are drawn.

    Attributes:
        window_steps: transitions on end in one window.
        idle_share: share of windows from clips of the category "idle".
        category_exponent: the other categories share the rest by minutes ** exponent.
        category_boost: factors on the weight of single categories.
        mirror_probability: share of windows mirrored left to right.
        betas_std, betas_limit: shapes of clips without one are N(0, std) clipped to the limit.
        default_shape_share: share of those clips that keep the default shape.
        new_shapes_every: steps after which those shapes are drawn anew.
        distinct_shapes: number of shapes that the clips share; 0 gives every clip its own, by which
            a network can tell clips apart and learn them by heart.
        slowest, fastest: playing speeds between which each clip's is drawn with its shape.
        other_arms: share of the clips that are given the arms of another one then: what arms do
            says less of where people go than a network finds in few recordings.
        size_std: standard deviation of the logarithm of sizes that windows are scaled to, with
            ``HumorOptimConfig.scaled`` only.
    """

    window_steps: int = 10
    idle_share: float = 0.12
    category_exponent: float = 0.5
    category_boost: dict[str, float] = field(default_factory=dict)
    mirror_probability: float = 0.5
    betas_std: float = 1.0
    betas_limit: float = 2.5
    default_shape_share: float = 0.25
    new_shapes_every: int = 2000
    distinct_shapes: int = 0
    slowest: float = 1.0
    fastest: float = 1.0
    other_arms: float = 0.0
    size_std: float = 0.0

    def __post_init__(self) -> None:
        shares = ("idle_share", "mirror_probability", "default_shape_share", "other_arms")
        check_fields(self, SHARE, *shares)
        check_fields(self, AT_LEAST_1, "window_steps", "new_shapes_every")
        check_fields(self, AT_LEAST_0, "betas_std", "distinct_shapes", "size_std")
        check_fields(self, POSITIVE, "betas_limit", "slowest")
        least = max(1.0, self.slowest)
        check_fields(self, Rule("at least 1 and slowest", lambda value: value >= least), "fastest")


@dataclass(frozen=True)
class HumorLossConfig:
    """Weights of the terms, see :mod:`humor_ros.training.humor_losses`; published by default.

    ``forecast`` is not published: it is the error of the prior's own mean roll-out.
    """

    kl: float = 4e-4
    trans: float = 1.0
    trans_vel: float = 1.0
    root_orient: float = 1.0
    root_orient_vel: float = 1.0
    pose_body: float = 1.0
    joints: float = 1.0
    joints_vel: float = 1.0
    contacts: float = 0.01
    contact_velocity: float = 0.01
    body_joints: float = 1.0
    body_consistency: float = 1.0
    body_vertices: float = 1.0
    forecast: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self, AT_LEAST_0, *(entry.name for entry in fields(self)))


@dataclass(frozen=True)
class HumorOptimConfig:
    """How the weights move. Shares are of the whole run.

    Attributes:
        optimiser: "adamax" (published) or "adamw".
        batch_size: windows a step.
        learning_rate: peak rate.
        schedule: "milestones" halves the rate at ``milestones`` (published); "cosine".
        milestones: shares of the run.
        final_rate: rate at the end of the cosine, as a share of the peak.
        warmup_steps: linear rise at the start.
        clip_norm: largest gradient norm.
        ema_decay: decay of the running mean of the weights that is saved and validated; 0 keeps
            the last weights, as published.
        kl_anneal: share over which the weight of the KL term rises from 0.
        supervised_until: share up to which every step reads the truth.
        own_output_from: share from which every step reads the one before; in between a coin
            is thrown for each step.
        single_steps: in the supervised phase draw this many times more windows of one step in
            place of windows of many (they share nothing then).
        pool_size: where every step reads the one before, advance a pool of so many people by one
            transition a training step (see :mod:`humor_ros.training.humor_pool`) in place of
            walking through windows of many steps; 0 walks.
        forecast_steps: length of the prior's mean roll-out in the ``forecast`` term.
        forecast_batch: windows of that roll-out.
        forecast_every: steps between two such roll-outs.
        constant_velocity_start: begin with a decoder that moves bodies on as they move (see
            :mod:`humor_ros.training.humor_start`).
        slow_rate: factor on the rate of the decoder's rows that are precise from the start then
            (see :func:`humor_ros.training.humor_start.slow_rows`).
        bfloat16: whether posterior and prior multiply in bfloat16 (weights stay float32), and
            with ``scaled`` the decoder's layers too.
        scaled: train in scaled numbers with pieces of long roll-outs, see
            :mod:`humor_ros.training.humor_scaled_trainer`, in place of the published losses; of
            those weights only ``kl``, ``contacts`` and ``forecast`` count then.
        forecast_pieces: most pieces of ``forecast_steps`` that one such roll-out goes on for.
        disturbed_share: share of single states that are disturbed there.
        forecast_disturbed: the same of the states that pieces begin with.
        forecast_sampled: share of training steps in which pieces are samples, not means.
        dropout: share of hidden units of prior and decoder that are dropped in those roll-outs.
        blur: noise on what the layers read in them, in units of its spread.
        weight_decay: of AdamW.
    """

    optimiser: str = "adamax"
    batch_size: int = 200
    learning_rate: float = 1e-4
    schedule: str = "milestones"
    milestones: tuple[float, ...] = (0.25, 0.4, 0.7)
    final_rate: float = 0.01
    warmup_steps: int = 0
    clip_norm: float = 1e9
    ema_decay: float = 0.0
    kl_anneal: float = 0.25
    supervised_until: float = 0.05
    own_output_from: float = 0.1
    single_steps: int = 0
    pool_size: int = 0
    forecast_steps: int = 30
    forecast_batch: int = 64
    forecast_every: int = 1
    constant_velocity_start: bool = False
    slow_rate: float = 1.0
    bfloat16: bool = False
    scaled: bool = False
    forecast_pieces: int = 4
    disturbed_share: float = 0.2
    forecast_disturbed: float = 0.2
    forecast_sampled: float = 0.0
    dropout: float = 0.0
    blur: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self, one_of("adamax", "adamw"), "optimiser")
        check_fields(self, one_of("milestones", "cosine"), "schedule")
        counts = ("batch_size", "forecast_steps", "forecast_batch", "forecast_every")
        check_fields(self, AT_LEAST_1, *counts, "forecast_pieces")
        check_fields(self, AT_LEAST_0, "single_steps", "pool_size", "warmup_steps")
        check_fields(self, POSITIVE, "learning_rate", "clip_norm")
        check_fields(
            self,
            SHARE,
            "final_rate",
            "ema_decay",
            "kl_anneal",
            "supervised_until",
            "own_output_from",
            "slow_rate",
            "disturbed_share",
            "forecast_disturbed",
            "forecast_sampled",
            "dropout",
            "blur",
            "weight_decay",
        )
        supervised = self.supervised_until
        later = Rule(f"at least supervised_until ({supervised})", lambda v: v >= supervised)
        check_fields(self, later, "own_output_from")


@dataclass(frozen=True)
class HumorTrainConfig(RunConfig):
    """A whole training run; the defaults are the published ones but for the number of steps.

    Attributes:
        network: sizes of the networks.
        data, loss, optim: see there.
        steps: length of the run; with a time limit it may stop earlier and be resumed.
        mixture_components: Gaussians over initial states.
        mixture_frames: frames that the mixture is fitted to.
    """

    network: HumorConfig = field(default_factory=HumorConfig)
    data: HumorDataConfig = field(default_factory=HumorDataConfig)
    loss: HumorLossConfig = field(default_factory=HumorLossConfig)
    optim: HumorOptimConfig = field(default_factory=HumorOptimConfig)
    steps: int = 100_000
    validate_every: int = 2000
    snapshot_every: int = 1000
    log_every: int = 50
    mixture_components: int = 12
    mixture_frames: int = 40_000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fields(self, AT_LEAST_1, "steps", "mixture_components", "mixture_frames")
