"""Small track files of people who sway on the spot before a still camera."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from humor_ros.body import BodyModel
from humor_ros.io.track_file import FORMAT_VERSION, TrackFile

UPRIGHT = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
#: Optical axes of a level camera that looks along the world's y.
CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
CENTRE = np.array([0.0, -4.0, 1.2])
FOCAL = 800.0


def person(
    body: BodyModel, frames: int, *, name: str = "aaaaa", seed: int = 0, noise: float = 0.01
) -> dict[str, NDArray[Any]]:
    """Rows of one person over consecutive frames."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / 30.0
    vectors = np.zeros((frames, 23, 3))
    vectors[:, 15, 2] = -1.0 + 0.3 * np.sin(2.0 * time)
    vectors[:, 16, 2] = 1.0
    vectors[:, 2, 0] = 0.1 * np.sin(3.0 * time)
    vectors[:, :21] += rng.normal(scale=noise, size=(frames, 21, 3))
    turns = np.zeros((frames, 24, 3, 3))
    turns[:, 0] = UPRIGHT
    turns[:, 1:] = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(-1, 23, 3, 3)
    posed = body(torch.zeros(1, 10), torch.as_tensor(turns).float())
    root = np.stack((0.5 * seed + 0.05 * np.sin(time), 0.0 * time, 0.0 * time), axis=-1)
    root[:, 2] = -float((posed.feet[:, :, 2] - posed.joints[:, :1, 2]).amin(1).median())
    root += rng.normal(scale=noise, size=root.shape)
    shift = root[:, None] - posed.joints[:, :1].numpy()
    joints, coco, feet = (
        points.numpy() + shift for points in (posed.joints, posed.coco17, posed.feet)
    )
    in_camera = [(points - CENTRE) @ CAMERA for points in (joints, coco)]
    pixels = FOCAL * in_camera[1][..., :2] / in_camera[1][..., 2:] + np.array([640.0, 360.0])
    keypoints = np.concatenate((pixels, np.full((frames, 17, 1), 0.9)), axis=-1)
    box = np.concatenate((pixels.min(1), pixels.max(1)), axis=-1)
    many = {
        "rotation_world_camera": CAMERA,
        "position_world_camera": CENTRE,
        "root_orientation_camera": CAMERA.T @ UPRIGHT,
        "root_orientation_world": UPRIGHT,
        "betas": np.zeros(10),
        "joint_confidence": np.full(24, 0.9),
        "contacts": np.ones(4),
        "tracking_state": np.array(1),
        "gravity_known": np.array(True),
        "root_linear_velocity_world": np.zeros(3),
    }
    rows: dict[str, NDArray[Any]] = {
        key: np.repeat(np.asarray(value)[None], frames, axis=0) for key, value in many.items()
    }
    return rows | {
        "frame": np.arange(frames),
        "stamp_s": time,
        "person_id": np.full(frames, name),
        "body_pose": vectors,
        "root_position_camera": in_camera[0][:, 0],
        "root_position_world": root,
        "joints_camera": in_camera[0],
        "joints_world": joints,
        "coco17_camera": in_camera[1],
        "contact_positions_world": feet,
        "keypoints_image": keypoints,
        "box_xyxy": box,
    }


def arrays_of(*people: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """All arrays of a file with these people."""
    rows = {key: np.concatenate([one[key] for one in people]) for key in people[0]}
    stamps = np.unique(rows["stamp_s"][np.isfinite(rows["stamp_s"])])
    return rows | {
        "version": np.array(FORMAT_VERSION),
        "processed_frame": np.arange(len(stamps)),
        "processed_stamp_s": stamps,
        "image_size": np.array([1280, 720]),
        "camera_matrix": np.array([[FOCAL, 0, 640], [0, FOCAL, 360], [0, 0, 1.0]]),
        "camera_distortion": np.zeros(0),
        "camera_model": np.array("plumb_bob"),
        "camera_assumed": np.array(False),
        "fps": np.array(30.0),
    }


def track_of(*people: dict[str, NDArray[Any]]) -> TrackFile:
    """The file as it is read."""
    return TrackFile.from_arrays(arrays_of(*people))


def chosen(rows: dict[str, NDArray[Any]], index: Any) -> dict[str, NDArray[Any]]:
    """Some rows."""
    return {key: value[index] for key, value in rows.items()}
