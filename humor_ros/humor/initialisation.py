"""Where the fit starts: a body in the pose prior's zero pose, turned by pi about x.

That is upright in a camera frame, and what the published fit starts from in any frame.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from humor_ros.humor.body import OPENPOSE_FROM_POINTS, OPENPOSE_VERTICES, HumorBody
from humor_ros.humor.pose_prior import PosePrior
from humor_ros.humor.rotations import rodrigues
from humor_ros.humor.variables import FitObservations, PoseVariables

__all__ = ["OPENPOSE_EDGES", "initial_poses"]

#: Bones between OpenPose's 25 joints.
OPENPOSE_EDGES = (
    *((0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (10, 11)),
    *((8, 12), (12, 13), (13, 14), (0, 15), (0, 16), (15, 17), (16, 18), (14, 19), (19, 20)),
    *((14, 21), (11, 22), (22, 23), (11, 24)),
)

#: Depth where no bone is visible at all, metres.
_FALLBACK_DEPTH = 3.0


def initial_poses(
    observations: FitObservations, body: HumorBody, pose_prior: PosePrior
) -> PoseVariables:
    """First values of stage 1.

    With image key-points the depth follows from the mean length of the visible bones in the frame
    that shows most joints; with surface points the body starts at their mean; otherwise at zero.

    Args:
        observations: what is fitted to.
        body: with the vertices of SMPL's mesh where there are image key-points.
        pose_prior: space of the latents.
    """
    batch, frames = observations.size
    like = next(iter(body.buffers()))
    trans = like.new_zeros(batch, frames, 3)
    root = like.new_zeros(batch, frames, 3)
    root[..., 0] = math.pi
    if observations.joints2d is not None and observations.camera_matrix is not None:
        joints = _zero_pose_openpose(body, pose_prior, root[:1, :1])
        focal = observations.camera_matrix[:, 0, 0]
        trans[..., 2] = _depth(joints, observations.joints2d, focal)[:, None]
    elif observations.points3d is not None:
        trans = _mean_points(observations.points3d)
    return PoseVariables(
        trans=trans,
        root_orient=root,
        latent_pose=like.new_zeros(batch, frames, pose_prior.latent_size),
        betas=like.new_zeros(batch, body.num_betas),
    )


def _zero_pose_openpose(body: HumorBody, pose_prior: PosePrior, root: Tensor) -> Tensor:
    """(25, 3) OpenPose joints of the body that the fit starts with."""
    pose = pose_prior.decode(root.new_zeros(1, 1, pose_prior.latent_size))
    rotations = torch.cat((rodrigues(root)[:, :, None], pose), dim=2)
    points = body.with_vertices(OPENPOSE_VERTICES)(
        root.new_zeros(1, body.num_betas), rotations, torch.zeros_like(root)
    )
    joints = torch.cat((points.joints, points.vertices), dim=2)[0, 0]
    return joints[list(OPENPOSE_FROM_POINTS)]


def _depth(joints: Tensor, observed: Tensor, focal: Tensor) -> Tensor:
    """(B,) depth at which the bones have their lengths in the image."""
    starts, ends = (list(side) for side in zip(*OPENPOSE_EDGES, strict=True))
    length = torch.linalg.vector_norm(joints[starts] - joints[ends], dim=-1)
    seen = torch.isfinite(observed).all(dim=-1) & (observed[..., 2] > 0)
    best = seen.sum(dim=-1).argmax(dim=-1)
    rows = torch.arange(len(observed), device=observed.device)
    points, seen = observed[rows, best, :, :2], seen[rows, best]
    bone_seen = seen[:, starts] & seen[:, ends]
    pixels = torch.linalg.vector_norm(points[:, starts] - points[:, ends], dim=-1)
    image = pixels.where(bone_seen, 0.0).sum(dim=-1)
    metres = length.where(bone_seen, 0.0).sum(dim=-1)
    found = image > 0
    return torch.where(found, focal * metres / image.where(found, 1.0), _FALLBACK_DEPTH)


def _mean_points(points: Tensor) -> Tensor:
    """(B, T, 3) mean of the points seen in each frame, of the sequence where a frame has none."""
    seen = torch.isfinite(points).all(dim=-1, keepdim=True)
    known = points.where(seen, 0.0)
    count = seen.sum(dim=2)
    whole = known.sum(dim=(1, 2)) / seen.sum(dim=(1, 2)).clamp(min=1)
    mean = known.sum(dim=2) / count.clamp(min=1)
    return torch.where(count > 0, mean, whole[:, None])
