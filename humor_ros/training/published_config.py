"""Everything that a run of the published training can be told; the defaults are stage 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from humor_ros.field_checks import (
    AT_LEAST_0,
    AT_LEAST_1,
    ORDERED_POSITIVE,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    Rule,
    at_least,
    check_fields,
    one_of,
)
from humor_ros.training.published_loss_weights import PublishedLossWeights
from humor_ros.training.run_config import RunConfig
from humor_ros.wham.config import WhamConfig

__all__ = [
    "PublishedCameraConfig",
    "PublishedConfig",
    "PublishedDataConfig",
    "PublishedNoiseConfig",
    "PublishedOptimConfig",
]

#: Name of the source that projects motion capture; all others are folders of sequences.
MOCAP = "mocap"
_SHARES = Rule(
    "a source with a positive share, none negative",
    lambda value: bool(value) and min(value.values()) >= 0 and sum(value.values()) > 0,
)
_GENDERS = Rule("by 'female' and 'male' alone", lambda value: set(value) <= {"female", "male"})


@dataclass(frozen=True)
class PublishedDataConfig:
    """Clips and where they come from.

    Attributes:
        clip_frames: T that the network sees; one frame more initialises it.
        sources: share of each source in a batch: "mocap", or the name of a folder of sequences.
        window_stride: frames from one window of motion capture to the next.
        epoch_share: share of these windows that makes an epoch.
        speed_factor: playback speed lies between 1 / this and this.
        betas_std: noise added to the shapes of motion capture (shards have shape zero: give
            them about 1).
        init_rotation_std_rad: noise of the joints of a true initial pose.
        subtract_hip_offset: true, as published, takes the mid-hip's distance from the pelvis
            off the pelvis' way; false adds it, which is where the mid-hip is.
        mask_confidence: key-points of video less confident count as unseen.
        virtual_camera: whether key-points of a known camera are taken to the camera that the
            network assumes, as the tracker does; the published training leaves them.
        bodies: SMPL files of "female" and "male" truth; without one its surface and its way
            in the world are left out, and its points unless the file holds them.
    """

    clip_frames: int = 81
    sources: dict[str, float] = field(default_factory=lambda: {MOCAP: 1.0})
    window_stride: int = 30
    epoch_share: float = 0.25
    speed_factor: float = 1.5
    betas_std: float = 0.1
    init_rotation_std_rad: float = 0.01
    subtract_hip_offset: bool = True
    mask_confidence: float = 0.6
    virtual_camera: bool = True
    bodies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self, at_least(2), "clip_frames")
        check_fields(self, AT_LEAST_1, "window_stride", "speed_factor")
        check_fields(self, POSITIVE_SHARE, "epoch_share")
        check_fields(self, _SHARES, "sources")
        check_fields(self, _GENDERS, "bodies")


@dataclass(frozen=True)
class PublishedCameraConfig:
    """Virtual cameras around motion capture.

    Attributes:
        image_size: W, H pixels; the focal length is their diagonal.
        pitch_mean_rad, pitch_std_rad, roll_std_rad: tilt; the heading is anything.
        depth_m: range of the person's first distance.
        offset_std: of the person's first place beside the axis, in half image widths.
        moving_share: share of moving cameras.
        turn_std_rad: turn of these over the clip about camera x, y, z.
        travel_std_m: way of these over the clip.
        time_jitter: unevenness of the motion, frames.
    """

    image_size: tuple[int, int] = (1000, 1000)
    pitch_mean_rad: float = 0.0872665
    pitch_std_rad: float = 0.3926991
    roll_std_rad: float = 0.1308997
    depth_m: tuple[float, float] = (2.0, 12.0)
    offset_std: float = 0.25
    moving_share: float = 0.75
    turn_std_rad: tuple[float, float, float] = (0.3926991, 0.7853982, 0.3926991)
    travel_std_m: float = 1.0
    time_jitter: float = 0.2

    def __post_init__(self) -> None:
        check_fields(self, SHARE, "moving_share")
        check_fields(self, ORDERED_POSITIVE, "depth_m")

    @property
    def focal(self) -> float:
        """Focal length, pixels."""
        width, height = self.image_size
        return float((width**2 + height**2) ** 0.5)


@dataclass(frozen=True)
class PublishedNoiseConfig:
    """Errors of the simulated detector.

    The published sizes for each joint lie in a binary file that comes without numbers; these are
    the values that its users put in its place, one for all joints.

    Attributes:
        bias_m, jitter_m, peak_m: standard deviations, metres at the body.
        peak_probability: chance of a peak at a joint in a frame.
        mask_probability: chance that a joint is unseen in a frame, before its limb's end is too.
        box_padding: side of a box in extents of the key-points.
        box_scale_range, box_shift: of the boxes of a clip; the shift in sides.
        box_median_frames: running median over the boxes.
    """

    bias_m: float = 0.025
    jitter_m: float = 0.012
    peak_m: float = 0.25
    peak_probability: float = 0.005
    mask_probability: float = 0.03
    box_padding: float = 1.2
    box_scale_range: tuple[float, float] = (0.8, 1.4)
    box_shift: float = 0.05
    box_median_frames: int = 15

    def __post_init__(self) -> None:
        check_fields(self, SHARE, "peak_probability", "mask_probability")
        check_fields(self, Rule("odd", lambda value: value % 2 == 1), "box_median_frames")


@dataclass(frozen=True)
class PublishedOptimConfig:
    """How the weights move.

    Attributes:
        batch_size: clips a step.
        epochs: length of the run.
        steps_per_epoch: 0: as many as the windows of the sources fill.
        learning_rate: of Adam.
        integrator_learning_rate: of the integrator; 0: the same.
        restart_integrator: whether the integrator begins with fresh weights.
        milestones: epochs at which the rates are multiplied by ``decay``.
        clip_norm: largest gradient norm.
        standing_start: whether a fresh network first answers a standing person before the
            camera; false as published.
    """

    batch_size: int = 64
    epochs: int = 100
    steps_per_epoch: int = 0
    learning_rate: float = 5e-4
    integrator_learning_rate: float = 0.0
    restart_integrator: bool = False
    milestones: tuple[int, ...] = (60, 80)
    decay: float = 0.1
    clip_norm: float = 1.0
    standing_start: bool = False

    def __post_init__(self) -> None:
        check_fields(self, POSITIVE, "batch_size", "epochs", "learning_rate", "decay", "clip_norm")
        check_fields(self, AT_LEAST_0, "steps_per_epoch")

    def rate_factor(self, epoch: int) -> float:
        """What both rates are multiplied by in this epoch."""
        return float(self.decay ** sum(epoch >= milestone for milestone in self.milestones))


@dataclass(frozen=True)
class PublishedConfig(RunConfig):
    """A whole run.

    Attributes:
        network: sizes; the published ones by default.
        features: whether image features reach the network (stage 2).
        vertices: whether the surface is compared; the dearest part on a CPU.
        device: "auto", "cpu" or "cuda"; precision: "float32", or mixed with "bfloat16" or
            "float16".
        tensorboard: whether curves are written for TensorBoard too.
        validate_every: epochs between validations; there is one at the end too.
        validation_clips: drawn once, by the seed.
    """

    RECIPE: ClassVar[str | None] = "published"

    network: WhamConfig = field(default_factory=WhamConfig)
    data: PublishedDataConfig = field(default_factory=PublishedDataConfig)
    camera: PublishedCameraConfig = field(default_factory=PublishedCameraConfig)
    noise: PublishedNoiseConfig = field(default_factory=PublishedNoiseConfig)
    loss: PublishedLossWeights = field(default_factory=PublishedLossWeights)
    optim: PublishedOptimConfig = field(default_factory=PublishedOptimConfig)
    features: bool = False
    vertices: bool = True
    device: str = "auto"
    precision: str = "float32"
    tensorboard: bool = False
    validate_every: int = 1
    validation_clips: int = 64
    seed: int = 42

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fields(self, AT_LEAST_1, "validation_clips")
        check_fields(self, one_of("auto", "cpu", "cuda"), "device")
        check_fields(self, one_of("float32", "bfloat16", "float16"), "precision")
