"""WHAM's first frame from the image encoder, as the published network was trained to start."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.features.values import EncoderOutput
from humor_ros.geometry.rotation import matrix_to_rotation_6d
from humor_ros.wham.initialisation import initial_root
from humor_ros.wham.keypoints import centre_on_hips, initial_input
from humor_ros.wham.values import Body

__all__ = ["FirstFrame", "first_frame", "first_pose"]


@dataclass(frozen=True)
class FirstFrame:
    """What ``WhamNetwork.initial_state`` takes, for P people.

    Attributes:
        init_kp: (P, 1, 88) 3D key-points (51, mid-hip centred, camera axes, metres) and the
            network input of the frame (37).
        init_smpl: (P, 1, 24, 6) pose, root in the camera frame, 6D in WHAM's rows.
        init_root: (P, 1, 6) root orientation in WHAM's y-down world, 6D.
    """

    init_kp: Tensor
    init_smpl: Tensor
    init_root: Tensor

    @property
    def keypoints(self) -> Tensor:
        """(P, 17, 3) COCO key-points, mid-hip centred, camera axes, metres."""
        return self.init_kp[:, 0, :51].unflatten(-1, (17, 3))


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
    keypoints = body(people.betas, people.rotations).keypoints31[:, :17]
    init_smpl, init_root = first_pose(people, rotation_world_camera)
    return FirstFrame(
        init_kp=initial_input(centre_on_hips(keypoints), x[:, None]),
        init_smpl=init_smpl,
        init_root=init_root,
    )
