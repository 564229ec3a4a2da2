"""Tracks of val motion: recorded motion seen by virtual cameras, a simulated detector and WHAM.

The streaming tracker itself runs on the simulated key-points, so that its errors are its own.
One person a clip; the camera turns and travels, its pose is known (odometry) or its place is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from humor_ros.body import BodyModel
from humor_ros.geometry import PinholeCamera, rotation_6d_to_matrix
from humor_ros.io.track_file import FORMAT_VERSION, TrackFile
from humor_ros.training.augmentation import sample_betas
from humor_ros.training.keypoint_noise import joint_visibility, keypoint_errors, swap_sides
from humor_ros.training.mocap import ZUP_TO_YDOWN, MocapLibrary
from humor_ros.training.synthesis import _leg_ratio, _pose_body
from humor_ros.training.synthesis_config import CameraConfig, DataConfig, NoiseConfig
from humor_ros.training.virtual_camera import place_cameras, project
from humor_ros.types import CameraMotion, CameraMotionMode, Track, TrackingState
from humor_ros.wham.models import load_models
from humor_ros.wham.stream import StreamConfig, WhamStream

__all__ = ["SimulatedClip", "simulate"]

#: Errors of a usual detector with no long gaps: gaps are added as variants.
NOISE = NoiseConfig(burst_probability=0.0, limb_mask_probability=0.0, lower_body_probability=0.0)
CAMERA = CameraConfig(near_share=0.0, far_share=0.0)
_CONFIDENCE = 0.9


@dataclass(frozen=True, eq=False)
class SimulatedClip:
    """One clip as the tracker tells it, and as it was.

    Attributes:
        name: of the clip.
        category: of the clip.
        track: T rows of one person.
        joints: (T, 24, 3) true joints, world with the ground at z = 0, metres.
        feet: (T, 4, 3) true toes and heels.
        rotations: (T, 24, 3, 3) true joint rotations, the root's in the world.
        contacts9: (T, 9) true contacts of HuMoR's joints.
        betas: (10,) true shape.
    """

    name: str
    category: str
    track: TrackFile
    joints: NDArray[np.float64]
    feet: NDArray[np.float64]
    rotations: NDArray[np.float64]
    contacts9: NDArray[np.bool_]
    betas: NDArray[np.float64]


def simulate(
    data: Path,
    *,
    clips: int,
    frames: int,
    seed: int,
    missing: float = 0.0,
    occluded_frames: int = 0,
    position_known: bool = True,
) -> Iterator[SimulatedClip]:
    """Run the tracker on val clips.

    Args:
        data: folder of the motion shards.
        clips: how many, spread over the categories (flat floors only).
        frames: longest clip.
        seed: of everything drawn; variants with the same seed share motion, camera and noise.
        missing: share of key-points that are unseen at random.
        occluded_frames: length of one gap in the middle in which nobody is seen.
        position_known: whether odometry tells where the camera is.
    """
    library = MocapLibrary.load(data, "val")
    contacts = _contacts(data)
    network, body = load_models(None, None)
    for index in _chosen(library, data, clips, frames):
        generator = torch.Generator().manual_seed(seed * 1000 + index)
        start, length = int(library.start[index]), min(int(library.length[index]), frames)
        rows = slice(start, start + length)
        betas = sample_betas(DataConfig(betas_std=0.7), 1, generator)
        rotations = rotation_6d_to_matrix(library.rotations_6d[rows])[None]
        yield _clip(
            library.names[index],
            library.categories[index],
            rotations,
            library.root_position[rows][None],
            betas,
            contacts[rows],
            WhamStream(network, body, StreamConfig()),
            body,
            generator,
            missing=missing,
            occluded_frames=occluded_frames,
            position_known=position_known,
        )


def _clip(
    name: str,
    category: str,
    rotations: torch.Tensor,
    root: torch.Tensor,
    betas: torch.Tensor,
    contacts: NDArray[np.bool_],
    stream: WhamStream,
    body: BodyModel,
    generator: torch.Generator,
    *,
    missing: float,
    occluded_frames: int,
    position_known: bool,
) -> SimulatedClip:
    length = rotations.shape[1]
    posed = _pose_body(body, rotations, betas)
    scale = _leg_ratio(body, betas)
    hips = root * scale[:, None, None] + posed.hips_from_pelvis
    # The true ground stays at z = 0 for every shape: the default body's lowest points touch it.
    lowest = (posed.feet + hips[:, :, None])[0, ..., 1].amax(-1).quantile(0.5)
    default = root + _pose_body(body, rotations, 0 * betas).hips_from_pelvis
    lowest_default = (
        (_pose_body(body, rotations, 0 * betas).feet + default[:, :, None])[0, ..., 1]
        .amax(-1)
        .quantile(0.5)
    )
    hips = hips + torch.tensor([0.0, 1.0, 0.0]) * (lowest_default - lowest)
    camera = place_cameras(hips, CAMERA, generator)
    turn = camera.rotation_camera_world
    points = posed.keypoints31[:, :, :17] @ turn.mT
    pixels = project(points + camera.translation[:, :, None], camera.focal, camera.image_size)
    half = (pixels.amax(-2) - pixels.amin(-2)).amax(-1)[..., None, None] / 2
    depth = points[..., 2] - points[..., 11:13, 2].mean(-1, keepdim=True)
    pixels = pixels + half * keypoint_errors(depth, NOISE, generator)
    mask = joint_visibility(1, length, NOISE, generator)
    pixels = swap_sides(pixels, NOISE, generator)
    size = camera.image_size[:, None, None]
    mask |= ((pixels < 0) | (pixels > size)).any(-1)
    mask |= torch.rand(mask.shape, generator=generator) < missing
    hidden = torch.zeros(length, dtype=torch.bool)
    if occluded_frames:
        first = max(30, (length - occluded_frames) // 2)
        hidden[first : first + occluded_frames] = True
    mask |= hidden[None, :, None]

    zup = torch.tensor(ZUP_TO_YDOWN, dtype=torch.float64).T.numpy()
    to_world = zup @ turn[0].double().numpy().transpose(0, 2, 1)
    hips_world = hips[0].double().numpy() @ zup.T
    centre = hips_world - np.einsum("tij,tj->ti", to_world, camera.translation[0].double().numpy())
    width, height = (int(v) for v in camera.image_size[0])
    focal = float(camera.focal[0])
    pinhole = PinholeCamera(
        width, height, np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    )
    rows: dict[str, list[Any]] = {}
    box = None
    for t in range(length):
        keypoints = np.zeros((17, 3))
        keypoints[:, :2] = pixels[0, t].double().numpy()
        keypoints[:, 2] = np.where(mask[0, t].numpy(), 0.0, _CONFIDENCE)
        seen = ~mask[0, t].numpy()
        if seen.sum() >= 3 or box is None:
            some = keypoints[seen if seen.sum() >= 3 else slice(None), :2]
            box = np.concatenate((some.min(0), some.max(0)))
        state = TrackingState.TRACKED if seen.sum() >= 3 else TrackingState.OCCLUDED
        if state is TrackingState.OCCLUDED:
            keypoints[:, 2] = 0.0
        track = Track(1, state, keypoints, box, t / 30.0, 0.0, _CONFIDENCE)
        previous = to_world[t - 1].T @ to_world[t] if t else np.eye(3)
        place = centre[t] if position_known else centre[0]
        moved = CameraMotion(
            stamp_s=t / 30.0,
            interval_s=1 / 30.0 if t else 0.0,
            rotation_previous_current=previous,
            rotation_world_camera=to_world[t],
            position_world_camera=place,
            position_known=position_known,
            gravity_known=True,
            mode=CameraMotionMode.ODOMETRY if position_known else CameraMotionMode.IMU,
            rotation_covariance=1e-4 * np.eye(3),
        )
        person = stream.step([track], moved, pinhole)[0]
        from scipy.spatial.transform import Rotation

        confidence = keypoints[:, 2]
        entry = {
            "frame": t,
            "stamp_s": t / 30.0,
            "person_id": "aaaaa",
            "tracking_state": int(state),
            "betas": person.betas,
            "body_pose": Rotation.from_matrix(person.rotations_camera[1:]).as_rotvec(),
            "root_orientation_camera": person.rotations_camera[0],
            "root_position_camera": person.joints_camera[0],
            "root_orientation_world": person.root_orientation_world,
            "root_position_world": person.joints_world[0],
            "root_linear_velocity_world": person.linear_velocity_world,
            "joints_camera": person.joints_camera,
            "joints_world": person.joints_world,
            "joint_confidence": np.full(24, confidence.mean()),
            "coco17_camera": person.coco17_camera,
            "contacts": person.contacts,
            "contact_positions_world": person.contact_positions_world,
            "keypoints_image": keypoints,
            "box_xyxy": box,
            "rotation_world_camera": to_world[t],
            "position_world_camera": place,
            "gravity_known": True,
        }
        for key, value in entry.items():
            rows.setdefault(key, []).append(value)
    arrays = {key: np.asarray(value) for key, value in rows.items()}
    arrays |= {
        "version": np.array(FORMAT_VERSION),
        "processed_frame": np.arange(length),
        "processed_stamp_s": np.arange(length) / 30.0,
        "image_size": np.array([width, height]),
        "camera_matrix": np.array(pinhole.matrix),
        "camera_distortion": np.zeros(0),
        "camera_model": np.array("plumb_bob"),
        "camera_assumed": np.array(False),
        "fps": np.array(30.0),
    }
    world = rotations[0].double().numpy().copy()
    world[:, 0] = zup @ world[:, 0]
    return SimulatedClip(
        name=name,
        category=category,
        track=TrackFile.from_arrays(arrays),
        joints=posed.joints[0].double().numpy() @ zup.T + hips_world[:, None],
        feet=posed.feet[0].double().numpy() @ zup.T + hips_world[:, None],
        rotations=world,
        contacts9=contacts,
        betas=betas[0].double().numpy(),
    )


def _contacts(data: Path) -> NDArray[np.bool_]:
    shards = sorted(data.glob("val_*.npz"))
    return np.concatenate([np.load(path)["contacts"] for path in shards]).astype(bool)


def _chosen(library: MocapLibrary, data: Path, clips: int, frames: int) -> list[int]:
    """Long flat clips, one category after the other."""
    import csv

    with (data / "index.csv").open(newline="", encoding="utf-8") as file:
        flat = {row["name"]: row.get("flat_floor", "1") == "1" for row in csv.DictReader(file)}
    pools: dict[str, list[int]] = {}
    for index in torch.argsort(library.length, descending=True).tolist():
        if flat.get(library.names[index], True) and int(library.length[index]) >= min(frames, 90):
            pools.setdefault(library.categories[index], []).append(index)
    chosen: list[int] = []
    while len(chosen) < clips and any(pools.values()):
        for pool in pools.values():
            if pool and len(chosen) < clips:
                chosen.append(pool.pop(0))
    return chosen
