"""How training windows of the packaged weights are made: motion, cameras, a detector's errors."""

from __future__ import annotations

from dataclasses import dataclass, field

from humor_ros.field_checks import (
    AT_LEAST_1,
    ORDERED,
    ORDERED_POSITIVE,
    POSITIVE,
    SHARE,
    check_fields,
)

__all__ = ["CameraConfig", "DataConfig", "NoiseConfig"]


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
        check_fields(self, AT_LEAST_1, "window_frames")
        check_fields(self, POSITIVE, "betas_limit")
        check_fields(
            self,
            SHARE,
            "idle_share",
            "mirror_probability",
            "arm_mix_probability",
            "limb_mix_probability",
            "limb_bend_probability",
            "tilt_probability",
            "duplicate_first_probability",
        )
        check_fields(self, ORDERED_POSITIVE, "speed_range")


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
        check_fields(self, SHARE, "near_share", "far_share", "moving_share")
        check_fields(self, ORDERED, "near_m", "middle_m", "far_m")
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
        check_fields(self, ORDERED, "strength_range", "drift_frames", "box_scale_range")
        check_fields(
            self,
            SHARE,
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
