"""Small copies of 3DPW and EMDB in their published layouts, of a made-up walk."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from humor_ros.body import BodyModel, packaged_body_path

SIZE = (540, 960)
MATRIX = np.array([[900.0, 0, 270], [0, 905.0, 480], [0, 0, 1]])
FRAMES = 40
MALE_SCALE = 1.3

#: Row of OpenPose's 18 COCO key-points for each of COCO-17, by name, independently of the code.
OPENPOSE18 = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder"),
    *("left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip"),
    *("left_knee", "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear"),
)


def write_bodies(folder: Path) -> Path:
    """Bodies of two genders: the free body, and the same enlarged for men."""
    folder.mkdir()
    with np.load(packaged_body_path()) as archive:
        arrays = dict(archive)
    np.savez(folder / "SMPL_FEMALE.npz", **arrays)
    arrays["v_template"] = arrays["v_template"] * MALE_SCALE
    np.savez(folder / "basicmodel_m_lbs_10_207_0_v1.1.0.npz", **arrays)
    return folder


def load_body(folder: Path, gender: str) -> BodyModel:
    assets = packaged_body_path().parent
    name = "SMPL_FEMALE.npz" if gender == "female" else "basicmodel_m_lbs_10_207_0_v1.1.0.npz"
    return BodyModel.load(
        folder / name,
        keypoint_regressor=assets / "J_regressor_wham31.npy",
        feet_regressor=assets / "J_regressor_feet.npy",
    )


class Walk:
    """A walk in a y-up world and a camera that pans after it.

    Attributes:
        pose: (T, 24, 3) axis-angle, root in the world; betas (10,); trans (T, 3) SMPL's.
        extrinsics: (T, 4, 4) world to camera.
        joints, keypoints31: (T, 24, 3), (T, 31, 3) in the world.
    """

    def __init__(self, body: BodyModel, frames: int = FRAMES, seed: int = 0, side: float = 0.0):
        random = np.random.default_rng(seed)
        time = np.arange(frames) / 30.0
        self.betas = 0.5 * random.normal(size=10)
        self.pose = np.zeros((frames, 24, 3))
        self.pose[:, 0] = Rotation.from_euler("y", 0.3 * time[:, None]).as_rotvec()
        self.pose[:, 1, 0] = 0.4 * np.sin(6 * time)
        self.pose[:, 2, 0] = -0.4 * np.sin(6 * time)
        self.pose[:, 4, 0] = 0.3 - 0.3 * np.sin(6 * time)
        self.pose[:, 5, 0] = 0.3 + 0.3 * np.sin(6 * time)
        self.pose[:, 16, 2], self.pose[:, 17, 2] = -1.1, 1.1
        self.trans = np.stack([side + 0.1 * time, 0.9 + 0 * time, 0.8 * time], axis=1)
        matrices = Rotation.from_rotvec(self.pose.reshape(-1, 3)).as_matrix()
        with torch.inference_mode():
            points = body(
                torch.as_tensor(np.tile(self.betas, (frames, 1)), dtype=torch.float32),
                torch.as_tensor(matrices.reshape(frames, 24, 3, 3), dtype=torch.float32),
            )
        self.joints = points.joints.double().numpy() + self.trans[:, None]
        self.keypoints31 = points.keypoints31.double().numpy() + self.trans[:, None]
        # Optical axes of a camera 5 m in front that looks back along -z of a y-up world.
        looks = np.array([[1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0]])
        pan = Rotation.from_euler("yx", np.stack([0.1 * time, 0.05 + 0 * time], 1)).as_matrix()
        centre = np.stack([0.2 * time, 1.2 + 0 * time, 5.0 + 0 * time], axis=1)
        self.extrinsics = np.tile(np.eye(4), (frames, 1, 1))
        self.extrinsics[:, :3, :3] = pan @ looks
        self.extrinsics[:, :3, 3] = -np.einsum("tij,tj->ti", pan @ looks, centre)

    def camera(self, points: np.ndarray) -> np.ndarray:
        turn, shift = self.extrinsics[:, :3, :3], self.extrinsics[:, :3, 3]
        return np.einsum("tij,tnj->tni", turn, points) + shift[:, None]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        placed = self.camera(points) @ MATRIX.T
        return placed[..., :2] / placed[..., 2:]


def openpose(walk: Walk) -> np.ndarray:
    """(T, 3, 18) as 3DPW keeps them."""
    from humor_ros.body import COCO17_NAMES

    pixels = walk.pixels(walk.keypoints31)
    neck = (pixels[:, COCO17_NAMES.index("left_shoulder")] + pixels[:, 6]) / 2
    rows = [neck if n == "neck" else pixels[:, COCO17_NAMES.index(n)] for n in OPENPOSE18]
    points = np.stack(rows, axis=1)
    return np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], axis=2).transpose(0, 2, 1)


def write_threedpw(folder: Path, bodies: Path, *, images: bool = False) -> list[Walk]:
    """One test sequence of two people and one training sequence of one."""
    genders = ["f", "m"]
    walks = [
        Walk(load_body(bodies, gender), seed=seed, side=side)
        for gender, seed, side in (("female", 0, -0.4), ("male", 1, 0.6))
    ]
    for split, name, people in (("test", "bar_00", walks), ("train", "park_01", walks[:1])):
        valid = np.ones(FRAMES, dtype=np.int64)
        valid[5:8] = 0
        content = {
            "sequence": name,
            "poses": [walk.pose.reshape(FRAMES, 72) for walk in people],
            "trans": [walk.trans for walk in people],
            "betas": [np.pad(walk.betas, (0, 290)) for walk in people],
            "poses2d": [openpose(walk) for walk in people],
            "jointPositions": [walk.joints.reshape(FRAMES, 72) for walk in people],
            "genders": genders[: len(people)],
            "texture_maps": [None for _ in people],
            "cam_poses": walks[0].extrinsics,
            "cam_intrinsics": MATRIX,
            "campose_valid": [valid for _ in people],
            "img_frame_ids": np.arange(0, 2 * FRAMES, 2),
        }
        path = folder / "sequenceFiles" / split / f"{name}.pkl"
        path.parent.mkdir(parents=True)
        path.write_bytes(pickle.dumps(content, protocol=2))
        if images:
            write_images(folder / "imageFiles" / name, "image_{:05d}.jpg")
    walks[1].extrinsics = walks[0].extrinsics
    return walks


def write_emdb(folder: Path, bodies: Path, frames: int = FRAMES, *, images: bool = False) -> Walk:
    """One woman who belongs to both benchmarks, one man who belongs to the second alone."""
    for place, gender, first in (("P0", "female", True), ("P1", "male", False)):
        walk = Walk(load_body(bodies, gender), frames, seed=3)
        pixels = walk.pixels(walk.joints)
        good = np.ones(frames, dtype=bool)
        good[10:12] = False
        name = f"{place}_00_park"
        content = {
            "gender": gender,
            "name": name,
            "emdb1": first,
            "emdb2": True,
            "n_frames": frames,
            "good_frames_mask": good,
            "camera": {
                "intrinsics": MATRIX,
                "extrinsics": walk.extrinsics,
                "width": SIZE[0],
                "height": SIZE[1],
            },
            "smpl": {
                "poses_root": walk.pose[:, 0],
                "poses_body": walk.pose[:, 1:].reshape(frames, 69),
                "trans": walk.trans,
                "betas": walk.betas,
            },
            "kp2d": pixels,
            "bboxes": {
                "bboxes": np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1),
                "invalid_idxs": np.array([10, 11, 20]),
            },
        }
        path = folder / place / "00_park" / f"{name}_data.pkl"
        path.parent.mkdir(parents=True)
        path.write_bytes(pickle.dumps(content))
        if images:
            write_images(path.parent / "images", "{:05d}.jpg", frames)
        if first:
            woman = walk
    return woman


def write_images(folder: Path, name: str, frames: int = FRAMES) -> None:
    folder.mkdir(parents=True)
    for frame in range(frames):
        picture = np.full((SIZE[1], SIZE[0], 3), frame, dtype=np.uint8)
        cv2.imwrite(str(folder / name.format(frame)), picture)
