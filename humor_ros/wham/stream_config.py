"""Settings of the stream of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from humor_ros.field_checks import AT_LEAST_0, POSITIVE, SHARE_BELOW_1, check_fields, one_of

__all__ = ["StreamConfig"]


@dataclass(frozen=True)
class StreamConfig:
    """How the stream turns the network's answers into a world.

    Attributes:
        world_mode: ``"imu"``: orientation is the camera's gravity-true attitude times the
            camera-frame root, displacement is WHAM's velocity. ``"wham"``: the published
            trajectory decoder's orientation and roll-out.
        camera_fixed: the camera does not translate (a tripod, a wall): the seen position
            corrects the drift of the displacements. A known camera position does the same.
        common_ground: people share one floor, where the camera's place is known (odometry, TF or
            ``camera_fixed``).
        box_smoothing: weight of the previous box in the next one, in [0, 1).
        keypoint_memory_s: how long a key-point that is not seen is carried along with those around
            it, for network and box (``keypoint_memory``); 0 masks it at once, as published.
        betas_time_s: time over which the shape is averaged; bone lengths settle with it.
        fit_keypoints: fit the camera-frame position to the measured key-points, with the
            network's own answer as a prior; False leaves the network's answer.
        fit_pose: fit pose and orientation to the measured key-points, too, where the weights tell
            how the network errs (``pose_fit``).
        pose_fit_sigma: standard deviation of a key-point in that fit, in sides of the box; more
            than a detector's jitter, for its errors last.
        pose_fit_time_s: correlation time of the network's errors.
        orientation_sigma_rad: standard deviation of the camera-frame root orientation, root mean
            square over the axes.
        output_cutoff_hz, output_cutoff_per_speed: cut-off frequency of the filter of the told
            rotations at rest, and what each rad/s adds to it; 0 Hz leaves the filter out.
        hold_unseen_pose: whoever is not seen keeps the pose of the last sight, where the filter is
            in use; False tells what the network makes of no key-points at all.
        flip_averaging: average pose, shape and contacts with those of the mirrored image, as the
            published evaluation does; doubles the network's work.
        image_features: an image encoder is in use.
        missing_feature: what the integrator does at frames without a feature while an encoder is
            in use: ``"zero"``, a zero feature without the residual, as the published training
            had it; ``"context"``, nothing. See ``stepper``.
        history_s: how old the image of a late feature may be; 0 keeps no history.
        correction_time_s: time constant with which what is told moves over to a corrected path.
    """

    world_mode: Literal["imu", "wham"] = "imu"
    camera_fixed: bool = False
    common_ground: bool = True
    box_smoothing: float = 0.3
    keypoint_memory_s: float = 0.5
    betas_time_s: float = 10.0
    fit_keypoints: bool = True
    fit_pose: bool = True
    pose_fit_sigma: float = 0.03
    pose_fit_time_s: float = 0.2
    orientation_sigma_rad: float = 0.125
    output_cutoff_hz: float = 0.3
    output_cutoff_per_speed: float = 1.7
    hold_unseen_pose: bool = True
    flip_averaging: bool = False
    image_features: bool = False
    missing_feature: Literal["zero", "context"] = "zero"
    history_s: float = 0.0
    correction_time_s: float = 0.15

    def __post_init__(self) -> None:
        check_fields(self, one_of("imu", "wham"), "world_mode")
        check_fields(self, one_of("zero", "context"), "missing_feature")
        check_fields(self, SHARE_BELOW_1, "box_smoothing")
        positive = ("betas_time_s", "pose_fit_sigma", "pose_fit_time_s", "correction_time_s")
        check_fields(self, POSITIVE, *positive)
        cutoffs = ("output_cutoff_hz", "output_cutoff_per_speed")
        check_fields(self, AT_LEAST_0, *cutoffs, "keypoint_memory_s", "history_s")
