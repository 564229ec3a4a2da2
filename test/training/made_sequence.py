"""A training sequence of which everything is known, for tests."""

from __future__ import annotations

import numpy as np
import torch

from humor_ros.body.model import BodyModel
from humor_ros.geometry.rotation import axis_angle_to_matrix
from humor_ros.training.sequence_file import PersonSequence

FRAMES = 30


def whole_sequence(body: BodyModel, frames: int = FRAMES, **changes: object) -> PersonSequence:
    """A person walks before a camera that turns, both in a z-up world, everything known."""
    time = torch.arange(frames) / 30.0
    zero = torch.zeros(frames)
    # Optical frame looking along the world's y: x right, y down, z forward.
    looking = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    pan = axis_angle_to_matrix(torch.stack([zero, 0.4 * time, zero], -1))
    world_camera = looking @ pan
    bend = 0.3 * torch.sin(torch.arange(24 * 3) + time[:, None] * 4).reshape(frames, 24, 3)
    pose = axis_angle_to_matrix(bend)
    upright = axis_angle_to_matrix(torch.tensor([torch.pi / 2, 0.0, 0.0]))
    pose[:, 0] = world_camera.mT @ upright @ pose[:, 0]
    betas = torch.linspace(-1, 1, 10).expand(frames, 10)
    root_world = torch.stack([0.5 * time, 4.0 + zero, 0.9 + zero], -1)
    camera_world = torch.stack([0.2 * time, zero, 1.2 + zero], -1)
    root = (world_camera.mT @ (root_world - camera_world)[..., None])[..., 0]
    with torch.no_grad():
        posed = body(betas, pose)
    points = posed.keypoints31 - posed.joints[:, :1] + root[:, None]
    matrix = np.array([[500.0, 0, 330.0], [0, 520.0, 236.0], [0, 0, 1.0]])
    pixels = (points.numpy() @ matrix.T)[..., :2] / points[..., 2:].numpy()
    keypoints = np.concatenate([pixels[:, :17], np.full((frames, 17, 1), 0.9)], -1)
    centre = (pixels.min(1) + pixels.max(1)) / 2
    boxes = np.concatenate([centre, np.ptp(pixels, axis=1).max(1)[:, None] * 1.2 / 200], -1)
    rng = np.random.default_rng(1)
    values: dict[str, object] = {
        "dataset": "made",
        "split": "train",
        "sequence": "walk",
        "person": "1",
        "fps": 30.0,
        "frame": np.arange(frames),
        "stamp_s": np.arange(frames) / 30.0,
        "image_size": np.array([640, 480]),
        "camera_matrix": matrix,
        "keypoints": keypoints.astype(np.float32),
        "keypoint_source": "projected",
        "boxes": boxes.astype(np.float32),
        "rotation_world_camera": world_camera.numpy(),
        "position_world_camera": camera_world.numpy(),
        "gravity_known": True,
        "img_features": rng.standard_normal((frames, 8)).astype(np.float32),
        "body": "packaged",
        "pose": pose.numpy(),
        "betas": betas.numpy(),
        "root_position": root.numpy(),
        "has_trajectory": np.ones(frames, dtype=bool),
    }
    return PersonSequence(**(values | changes))  # type: ignore[arg-type]
