"""WHAM's first frame from the image encoder, as the published network was trained to start."""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.features.values import EncoderOutput
from humor_ros.geometry.rotation import matrix_to_rotation_6d
from humor_ros.wham.initialisation import FirstFrame, initial_root, start_from_pose
from humor_ros.wham.values import Body

__all__ = ["FirstFrame", "first_frame", "first_pose"]


def first_pose(
    people: EncoderOutput, rotation_world_camera: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The part of :func:`first_frame` that needs no body: ``init_smpl`` and ``init_root``."""
    rotations = people.rotations
    if rotation_world_camera is None:
        rotation_world_camera = torch.eye(3)
    rotation_world_camera = rotation_world_camera.to(rotations).expand(len(rotations), 3, 3)
    return (
        matrix_to_rotation_6d(rotations)[:, None],
        initial_root(rotation_world_camera, rotations[:, 0]),
    )


def first_frame(
    people: EncoderOutput,
    body: Body,
    x: Tensor,
    rotation_world_camera: Tensor | None = None,
) -> FirstFrame:
    """Start WHAM from what the encoder sees in the first crops.

    Args:
        people: of P people whose boxes were valid.
        body: body model in use, of the same type of numbers.
        x: (P, 37) network input of the frame, unseen key-points not masked (as published).
        rotation_world_camera: (3, 3) or (P, 3, 3) camera to WHAM's y-down world, from gravity;
            None takes the camera for the world, as the published demo does.

    Raises:
        ValueError: the numbers of people differ.
    """
    if x.shape != (len(people.feature), 37):
        raise ValueError(
            f"x must have shape ({len(people.feature)}, 37), one row a person, got {tuple(x.shape)}"
        )
    if rotation_world_camera is None:
        rotation_world_camera = torch.eye(3)
    return start_from_pose(body, people.betas, people.rotations, x, rotation_world_camera)
