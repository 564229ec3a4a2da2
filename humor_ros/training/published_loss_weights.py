"""Weights of the published losses; ``config/train`` holds those of each stage."""

from __future__ import annotations

from dataclasses import dataclass, fields

from humor_ros.field_checks import AT_LEAST_0, check_fields, one_of

__all__ = ["PublishedLossWeights"]


@dataclass(frozen=True)
class PublishedLossWeights:
    """Weight of each term of :func:`~humor_ros.training.losses.published_losses`.

    Attributes:
        total: factor on the sum of all terms.
        pose, betas, vertices, contact: of these terms.
        keypoints2d: of the full image's and the crop's 2D key-points together.
        keypoints3d, keypoints3d_network: of the body's 31 points, of the encoder's 17.
        cascade: of the agreement of the encoder's points with the body's.
        root_velocity, root_rotation: inside the terms ``root`` and ``root_refined``.
        sliding: of ``sliding`` and ``sliding_refined``.
        camera: of the camera that pose and trajectory imply.
        camera_from_epoch: epoch from which that term counts.
        velocity_bound: how far the velocity error is summed: "batch", as published, only over
            as many first frames as there are clips in the batch; "window" over all frames.
    """

    total: float = 50.0
    pose: float = 8.0
    betas: float = 0.004
    keypoints2d: float = 0.1
    keypoints3d: float = 0.4
    keypoints3d_network: float = 0.4
    cascade: float = 0.0
    vertices: float = 1.0
    contact: float = 0.04
    root_velocity: float = 0.001
    root_rotation: float = 0.4
    sliding: float = 0.5
    camera: float = 0.04
    camera_from_epoch: int = 5
    velocity_bound: str = "batch"

    def __post_init__(self) -> None:
        numbers = [entry.name for entry in fields(self) if entry.name != "velocity_bound"]
        check_fields(self, AT_LEAST_0, *numbers)
        check_fields(self, one_of("batch", "window"), "velocity_bound")
