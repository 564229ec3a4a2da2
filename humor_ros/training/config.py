"""Everything that a training run can be told, read from a YAML file and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from humor_ros.training.config_file import build_config, read_config_file
from humor_ros.wham.config import WhamConfig

__all__ = [
    "CameraConfig",
    "DataConfig",
    "LossConfig",
    "NoiseConfig",
    "OptimConfig",
    "TrainConfig",
    "load_train_config",
]


def _check_share(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if not 0 <= value <= 1:
            raise ValueError(f"{type(owner).__name__}.{name} must be in [0, 1], got {value}")


def _check_positive(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if not value > 0:
            raise ValueError(f"{type(owner).__name__}.{name} must be positive, got {value}")


def _check_range(owner: object, *names: str) -> None:
    for name in names:
        low, high = getattr(owner, name)
        if not low <= high:
            raise ValueError(
                f"{type(owner).__name__}.{name} must be [low, high], got [{low}, {high}]"
            )


@dataclass(frozen=True)
class DataConfig:
    """How windows of motion are drawn from the shards.

    Attributes:
        window_frames: frames T that the network sees in one window, 30 fps.
        idle_share: share of windows from clips of the category "idle".
        category_exponent: the other categories share the rest by minutes ** exponent.
        category_boost: factors on the weight of single categories.
        speed_range: playback speed drawn uniformly; 1 is as recorded.
        mirror_probability: share of windows mirrored left to right.
        arm_mix_probability: share of windows whose arms come from another window.
        joint_perturbation_rad: standard deviation of a rotation offset of each upper-body
            joint, constant over a window.
        limb_mix_probability: chance of each arm, each leg and the torso, one by one, to come from
            another window. With a leg, feet and way no longer agree.
        limb_bend_probability: share of windows whose shoulders, hips, neck and spine are turned
            by an offset of ``limb_bend_rad``, and whose elbows and knees bend more or less.
        limb_bend_rad: standard deviation of that offset.
        tilt_probability: share of windows whose whole body is tilted by ``tilt_rad``.
        tilt_rad: standard deviation of that tilt about each horizontal axis.
        betas_mean_first: mean of the first shape coefficient (about: height).
        betas_std, betas_limit: the shape coefficients are N(mean, std) clipped to the limit.
        duplicate_first_probability: share of windows whose first input is the frame of the
            initialisation itself, as in a stream; otherwise it is the next frame.
    """

    window_frames: int = 81
    idle_share: float = 0.12
    category_exponent: float = 0.5
    category_boost: dict[str, float] = field(default_factory=dict)
    speed_range: tuple[float, float] = (0.7, 1.4)
    mirror_probability: float = 0.5
    arm_mix_probability: float = 0.15
    joint_perturbation_rad: float = 0.1
    limb_mix_probability: float = 0.0
    limb_bend_probability: float = 0.0
    limb_bend_rad: float = 0.4
    tilt_probability: float = 0.0
    tilt_rad: float = 0.5
    betas_mean_first: float = 0.4
    betas_std: float = 1.0
    betas_limit: float = 2.5
    duplicate_first_probability: float = 0.75

    def __post_init__(self) -> None:
        _check_positive(self, "betas_limit")
        _check_share(
            self,
            "idle_share",
            "mirror_probability",
            "arm_mix_probability",
            "limb_mix_probability",
            "limb_bend_probability",
            "tilt_probability",
            "duplicate_first_probability",
        )
        _check_range(self, "speed_range")
        if self.window_frames < 1:
            raise ValueError(f"DataConfig.window_frames must be >= 1, got {self.window_frames}")
        if self.speed_range[0] <= 0:
            raise ValueError(f"DataConfig.speed_range must be positive, got {self.speed_range}")


@dataclass(frozen=True)
class CameraConfig:
    """Virtual cameras: where they stand, how they move, and the gyro on them.

    Attributes:
        image_sizes: (W, H) in pixels, drawn with equal chance; f = sqrt(W² + H²).
        near_m, middle_m, far_m: ranges of the distance to the person, log-uniform.
        near_share, far_share: shares of near and far cameras.
        pitch_mean_rad, pitch_std_rad: looking down is positive.
        roll_std_rad: standard deviation of the roll.
        moving_share: share of cameras that move.
        ramp_std_rad: turn over the window about camera x, y, z of a moving camera.
        sway_std_rad, tremor_std_rad: slow swinging and white shaking of a moving camera.
        travel_std_m: way of a moving camera over the window.
        gyro_noise_rad_s: white noise of one frame's mean angular velocity.
        gyro_bias_rad_s: standard deviation of the bias of a window.
    """

    image_sizes: tuple[tuple[int, int], ...] = (
        (1000, 1000),
        (1280, 720),
        (1920, 1080),
        (640, 480),
        (1080, 1920),
        (720, 1280),
    )
    near_m: tuple[float, float] = (1.3, 2.2)
    middle_m: tuple[float, float] = (2.2, 7.0)
    far_m: tuple[float, float] = (7.0, 12.0)
    near_share: float = 0.1
    far_share: float = 0.12
    pitch_mean_rad: float = 0.09
    pitch_std_rad: float = 0.25
    roll_std_rad: float = 0.08
    moving_share: float = 0.6
    ramp_std_rad: tuple[float, float, float] = (0.15, 0.5, 0.1)
    sway_std_rad: float = 0.06
    tremor_std_rad: float = 0.004
    travel_std_m: float = 0.7
    gyro_noise_rad_s: float = 0.01
    gyro_bias_rad_s: float = 0.005

    def __post_init__(self) -> None:
        _check_share(self, "near_share", "far_share", "moving_share")
        _check_range(self, "near_m", "middle_m", "far_m")
        if not self.image_sizes:
            raise ValueError("CameraConfig.image_sizes is empty; give at least one [W, H]")
        if self.near_share + self.far_share > 1:
            raise ValueError("CameraConfig.near_share + far_share must not exceed 1")


@dataclass(frozen=True)
class NoiseConfig:
    """Errors of a 2D detector, in units of half the side of the person's tight box.

    Sizes of bias, drift, jitter, common wandering and peaks are those of MoveNet Thunder against
    triangulated joints (``humor-ros evaluate keypoints``); one easy scene of one man tells nothing
    of swaps, hidden limbs and gross errors, whose numbers are guesses, nor of worse scenes,
    for which ``strength_range`` goes up to twice the measured size.

    Attributes:
        strength_range: factor on all noise of a window, log-uniform.
        bias_std: error of a joint that stays over the window (conventions, appearance).
        drift_std: error of a joint that wanders (first-order autoregression).
        drift_frames: range of the correlation time of that wandering, frames.
        jitter_std: white noise.
        common_std: wandering of all joints together.
        hip_bias_std: additional bias of the hips, whose place is a matter of convention.
        definition_strength: factor on how far the places that a detector means by a joint lie
            from those of the body's regressors; they turn with the limbs and stay over a window
            (``keypoint_definition``). 0 takes the regressors at their word.
        peak_probability: chance that a short error starts at a joint in a frame.
        peak_std: size of these errors; peak_frames: longest duration.
        gross_probability, gross_std: the same of gross errors, another part of the body or scene.
        far_side_gain: growth of the noise of joints that are hidden behind the body, per
            0.3 m of depth behind the mid-hip.
        swap_probability: share of windows with a burst of left/right swaps.
        swap_frames: longest duration of such a burst.
        mask_probability: chance that a joint is unseen in a frame (passed down the limb).
        burst_probability: share of windows in which the person is unseen for a while.
        burst_frames: longest such while.
        limb_mask_probability: share of windows with one limb unseen for a long while.
        lower_body_probability: share of windows with the legs hidden throughout.
        box_scale_range: factor on the box, constant over a window, log-uniform.
        box_shift: largest shift of the box, in box sides.
        box_smoothing_max: largest coefficient of the box's exponential smoothing.
        init_image_probability: share of windows whose initialisation is near the truth, as
            an image-based one would be; else the neutral pose.
        init_rotation_rad: error of each joint of an image-based initialisation.
        init_root_rad: rotation error of the initial world orientation.
        gravity_tilt_rad: error of the gravity input about each axis, constant over a window.
        gravity_unknown_probability: share of windows without gravity.
        root_feedback_rad: white rotation noise on the fed-back root in teacher forcing.
        root_feedback_walk_rad: random-walk step of it, per frame.
    """

    strength_range: tuple[float, float] = (0.5, 2.0)
    bias_std: float = 0.01
    drift_std: float = 0.01
    drift_frames: tuple[float, float] = (1.5, 10.0)
    jitter_std: float = 0.004
    common_std: float = 0.003
    hip_bias_std: float = 0.007
    definition_strength: float = 0.0
    peak_probability: float = 0.03
    peak_std: float = 0.05
    peak_frames: int = 4
    gross_probability: float = 0.002
    gross_std: float = 0.2
    far_side_gain: float = 1.0
    swap_probability: float = 0.12
    swap_frames: int = 10
    mask_probability: float = 0.02
    burst_probability: float = 0.12
    burst_frames: int = 20
    limb_mask_probability: float = 0.15
    lower_body_probability: float = 0.06
    box_scale_range: tuple[float, float] = (0.85, 1.2)
    box_shift: float = 0.04
    box_smoothing_max: float = 0.85
    init_image_probability: float = 0.25
    init_rotation_rad: float = 0.2
    init_root_rad: float = 0.25
    gravity_tilt_rad: float = 0.015
    gravity_unknown_probability: float = 0.15
    root_feedback_rad: float = 0.03
    root_feedback_walk_rad: float = 0.01

    def __post_init__(self) -> None:
        _check_range(self, "strength_range", "drift_frames", "box_scale_range")
        _check_share(
            self,
            "peak_probability",
            "gross_probability",
            "swap_probability",
            "mask_probability",
            "burst_probability",
            "limb_mask_probability",
            "lower_body_probability",
            "init_image_probability",
            "gravity_unknown_probability",
            "box_smoothing_max",
        )


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
        _check_positive(self, "batch_size", "learning_rate", "clip_norm")
        _check_share(self, "final_rate", "ema_decay", "free_from")
        if self.modules not in ("all", "frames", "recurrent", "pose", "trajectory"):
            raise ValueError(
                "OptimConfig.modules must be 'all', 'frames', 'recurrent', 'pose' or "
                f"'trajectory', got {self.modules!r}"
            )
        if self.root_feedback not in ("teacher", "free"):
            raise ValueError(
                f"OptimConfig.root_feedback must be 'teacher' or 'free', got {self.root_feedback!r}"
            )


@dataclass(frozen=True)
class TrainConfig:
    """A whole training run.

    Attributes:
        network: sizes of the network; the feedback switches decide what runs in parallel.
        steps: length of the run in optimiser steps; the cosine schedule ends there. With a
            time limit the run may stop earlier and be resumed.
        validate_every, snapshot_every, log_every: steps between these.
        validation_windows: windows of the validation split, fixed by the seed.
        validation_frames: frames of each.
        seed: seed of initial weights and of all sampling.
    """

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
    validate_every: int = 500
    snapshot_every: int = 250
    log_every: int = 10
    validation_windows: int = 96
    validation_frames: int = 120
    seed: int = 1

    def __post_init__(self) -> None:
        _check_positive(
            self,
            "steps",
            "validate_every",
            "snapshot_every",
            "log_every",
            "validation_windows",
            "validation_frames",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionary, readable by :func:`train_config_from_dict`."""
        return asdict(self)


def train_config_from_dict(values: Mapping[str, Any], where: str = "config") -> TrainConfig:
    """Build a configuration from nested mappings; absent keys keep their defaults.

    Raises:
        ValueError: a key is unknown or a value out of range; ``where`` stands in the message.
    """
    return build_config(TrainConfig, values, where)


def load_train_config(path: str | Path) -> TrainConfig:
    """Read a training configuration from YAML.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no YAML mapping, a key is unknown or a value is out of range.
    """
    recipe, values = read_config_file(path)
    if recipe != "own":
        raise ValueError(f"{path} is for the recipe {recipe!r}, not 'own'")
    return train_config_from_dict(values, str(path))
