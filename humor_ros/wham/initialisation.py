"""Where a stream starts: from an image encoder's pose, or from a person standing upright.

The published network starts from HMR2's pose of the first crop. Without image features a neutral
standing pose that faces the camera takes its place; the packaged weights were trained with it (and,
for a share of the windows, with a start near the truth, so that an image-based one works too).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from humor_ros.geometry.rotation import axis_angle_to_matrix, matrix_to_rotation_6d
from humor_ros.wham.keypoints import initial_input

__all__ = [
    "FirstFrame",
    "NeutralInitialisation",
    "initial_keypoints",
    "initial_root",
    "neutral_initialisation",
    "neutral_rotations",
    "start_from_pose",
]

#: Axis-angle (radians) of the joints that differ from SMPL's T-pose: arms hang down.
_BENT_JOINTS: dict[int, tuple[float, float, float]] = {
    16: (0.0, 0.0, -1.15),
    17: (0.0, 0.0, 1.15),
    18: (0.0, -0.25, 0.0),
    19: (0.0, 0.25, 0.0),
}
#: SMPL's root frame (x left, y up, z forward) of a person who faces the camera upright, seen in
#: the optical frame (x right, y down, z forward): a half turn about x.
_FACING_CAMERA = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))


class _Body(Protocol):
    def __call__(self, betas: Tensor, rotations: Tensor) -> _BodyOutput: ...


class _BodyOutput(Protocol):
    @property
    def keypoints31(self) -> Tensor: ...


@dataclass(frozen=True)
class NeutralInitialisation:
    """The neutral start of B people.

    Attributes:
        init_kp: (B, 1, 88) 17 mid-hip centred 3D key-points of the neutral pose in the camera
            frame (51 numbers, metres) and the 37 normalised inputs of the first frame, unseen
            key-points zero.
        init_smpl: (B, 1, 24, 6) rotations of the neutral pose, the root's in the camera.
    """

    init_kp: Tensor
    init_smpl: Tensor


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


def start_from_pose(
    body: _Body, betas: Tensor, rotations: Tensor, x: Tensor, rotation_world_camera: Tensor
) -> FirstFrame:
    """Start WHAM from a known pose, as the published network starts from HMR2's first crop.

    Args:
        body: body model in use.
        betas: (P, 10) shape.
        rotations: (P, 24, 3, 3) pose, the root's in the camera frame.
        x: (P, 37) network input of the frame, unseen key-points not masked (as published).
        rotation_world_camera: (3, 3) or (P, 3, 3) camera to WHAM's y-down world: gravity-true
            in training, which an IMU supplies (the published demo takes the camera for it).
    """
    keypoints = body(betas, rotations).keypoints31[:, :17]
    world = rotation_world_camera.to(rotations).expand(len(rotations), 3, 3)
    return FirstFrame(
        init_kp=initial_input(keypoints, x[:, None]),
        init_smpl=matrix_to_rotation_6d(rotations)[:, None],
        init_root=initial_root(world, rotations[:, 0]),
    )


def neutral_rotations(batch: int) -> Tensor:
    """(B, 24, 3, 3) standing, arms down, upright and facing the camera; root in the camera."""
    vectors = torch.zeros(24, 3)
    for joint, vector in _BENT_JOINTS.items():
        vectors[joint] = torch.tensor(vector)
    rotations = axis_angle_to_matrix(vectors)
    rotations[0] = torch.tensor(_FACING_CAMERA)
    return rotations.expand(batch, 24, 3, 3).contiguous()


def initial_keypoints(keypoints_3d: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    """Put the encoder's initialisation together.

    Args:
        keypoints_3d: (B, 17, 3) camera axes, metres, any origin.
        x: (B, 37) network input of the first frame (34 key-point coordinates, 3 of the box).
        mask: (B, 17) True where a key-point is unseen; its coordinates count as zero.

    Returns:
        (B, 1, 88).
    """
    hips = keypoints_3d[:, 11:13].mean(1, keepdim=True)
    points = x[:, :34].reshape(-1, 17, 2).masked_fill(mask[..., None], 0.0)
    parts = [(keypoints_3d - hips).flatten(1), points.flatten(1), x[:, 34:]]
    return torch.cat(parts, -1)[:, None]


def initial_root(rotation_world_camera: Tensor, rotation_camera_root: Tensor) -> Tensor:
    """The trajectory decoder's start: (B, 1, 6) root in the y-down world.

    Args:
        rotation_world_camera: (B, 3, 3) camera to WHAM's y-down world at the first frame.
        rotation_camera_root: (B, 3, 3) root orientation in the camera: of an image encoder, or
            of a first pass of the motion decoder over the first frame.
    """
    return matrix_to_rotation_6d(rotation_world_camera @ rotation_camera_root)[:, None]


def neutral_initialisation(body: _Body, x: Tensor, mask: Tensor) -> NeutralInitialisation:
    """Start of people about whom only the first frame's 2D key-points are known.

    Args:
        body: body model in use, ``body(betas, rotations).keypoints31``.
        x: (B, 37) network input of the first frame.
        mask: (B, 17) True where a key-point is unseen.

    Returns:
        Both initialisations; the world root comes from :func:`initial_root` after a first pass.
    """
    batch = len(x)
    rotations = neutral_rotations(batch).to(x)
    with torch.no_grad():
        keypoints = body(x.new_zeros(batch, 10), rotations).keypoints31[:, :17]
    return NeutralInitialisation(
        init_kp=initial_keypoints(keypoints, x, mask),
        init_smpl=matrix_to_rotation_6d(rotations)[:, None],
    )
