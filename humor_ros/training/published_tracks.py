"""A training sequence as tensors: what clips of the second stage are cut from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.body.model import BodyModel
from humor_ros.training.mocap import MOCAP_FPS, ZUP_TO_YDOWN
from humor_ros.training.published_config import PublishedDataConfig
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.wham.contacts import contact_labels
from humor_ros.wham.keypoints import MIN_CONFIDENCE

__all__ = ["PublishedTrack", "track_of"]

_N_POINTS, _N_COCO = 31, 17
#: Published crops of an unknown camera: 224 pixels, with a box that is a little larger.
WEAK_SIDE, WEAK_FOCAL, WEAK_BOX = 224.0, 316.8, 1.12


@dataclass(frozen=True)
class PublishedTrack:
    """One person over N frames at about 30 a second; what is not known is zero.

    Attributes:
        run: (N,) number of the unbroken run of frames that each belongs to.
        keypoints: (N, 17, 3) pixels and confidence; boxes: (N, 3); image_size: (2,);
            focal: pixels. For crops of an unknown camera: of the crop.
        weak: whether it is such crops.
        turns: (N, 3, 3) rotation from the camera now to the camera at the frame before.
        features: (N, F), F = 0 without any; zero rows where there is none.
        init_pose: (N, 24, 3, 3), init_kp3d: (N, 17, 3), has_init: (N,).
        pose: (N, 24, 3, 3), betas: (N, 10), has_smpl: (N,).
        body_index: into ``BODIES``; has_surface: whether that body is there.
        points: (N, 31, 4) camera axes, metres, and confidence.
        pixels: (N, 31, 3) and confidence.
        contact: (N, 4), -1 where unknown.
        rotation_world_camera: (N, 3, 3) to the y-down world; has_camera: (N,) whether that is
            known and gravity-true.
        hips: (N, 3) mid-hip in that world; has_trajectory: (N,).
    """

    run: Tensor
    keypoints: Tensor
    boxes: Tensor
    image_size: Tensor
    focal: float
    weak: bool
    turns: Tensor
    features: Tensor
    init_pose: Tensor
    init_kp3d: Tensor
    has_init: Tensor
    pose: Tensor
    betas: Tensor
    has_smpl: Tensor
    body_index: int
    has_surface: bool
    points: Tensor
    pixels: Tensor
    contact: Tensor
    rotation_world_camera: Tensor
    has_camera: Tensor
    hips: Tensor
    has_trajectory: Tensor

    def __len__(self) -> int:
        """Number of frames, N."""
        return len(self.run)

    def starts(self, frames: int) -> Tensor:
        """Where a clip of so many frames can begin without crossing a gap, (S,)."""
        if len(self) < frames:
            return torch.zeros(0, dtype=torch.int64)
        last = self.run[frames - 1 :]
        return (self.run[: len(last)] == last).nonzero()[:, 0]


def track_of(
    sequence: PersonSequence,
    bodies: Mapping[str, BodyModel],
    body_kind: str,
    data: PublishedDataConfig,
) -> PublishedTrack:
    """Prepare a sequence.

    Args:
        sequence: as read.
        bodies: body models by gender; "neutral" is the network's.
        body_kind: "smpl" or "packaged": whose shape space these bodies have.
        data: of the run.
    """
    stride = max(1, int(sequence.fps / MOCAP_FPS + 0.5))
    kept = slice(None, None, stride)

    def tensor(value: NDArray[np.floating[Any]] | None, *shape: int) -> Tensor:
        if value is None:
            return torch.zeros(len(sequence.frame[kept]), *shape)
        return torch.nan_to_num(torch.from_numpy(np.asarray(value[kept], dtype=np.float32)))

    body = bodies.get(sequence.gender) if sequence.body == body_kind else None
    has_smpl = _flag(sequence.has_smpl[kept])
    pose = _where(has_smpl, tensor(sequence.pose, 24, 3, 3))
    betas = _where(has_smpl, tensor(sequence.betas, 10))
    world, has_camera = _world(sequence, kept)
    has_trajectory = _flag(sequence.has_trajectory[kept]) & has_camera
    points = tensor(sequence.joints3d, _N_POINTS, 4)
    contact = tensor(sequence.contacts, 4)
    hips = torch.zeros(len(pose), 3)
    if body is not None and bool(has_smpl.any()):
        points, contact, hips = _posed(
            sequence, kept, body, (pose, betas, has_smpl), (world, has_trajectory), points, contact
        )
    else:
        has_trajectory = torch.zeros_like(has_trajectory)
    keypoints, boxes, pixels, size, focal = _image(sequence, kept, data)
    gaps = np.diff(sequence.frame[kept]) != stride
    runs = np.concatenate(([0], np.cumsum(gaps)))
    return PublishedTrack(
        run=torch.from_numpy(runs),
        keypoints=keypoints,
        boxes=boxes,
        image_size=size,
        focal=focal,
        weak=sequence.weak_camera,
        turns=_turns(sequence, stride),
        features=_where(_flag(sequence.has_features[kept]), tensor(sequence.img_features, 0)),
        init_pose=tensor(sequence.init_pose, 24, 3, 3),
        init_kp3d=tensor(sequence.init_kp3d, _N_COCO, 3),
        has_init=_flag(sequence.has_init[kept]),
        pose=pose,
        betas=betas,
        has_smpl=has_smpl,
        body_index=("neutral", "female", "male").index(sequence.gender),
        has_surface=body is not None,
        points=points,
        pixels=pixels,
        contact=contact,
        rotation_world_camera=world,
        has_camera=has_camera,
        hips=hips,
        has_trajectory=has_trajectory,
    )


def _flag(value: NDArray[np.bool_]) -> Tensor:
    return torch.from_numpy(np.asarray(value, dtype=bool).copy())


def _where(known: Tensor, value: Tensor) -> Tensor:
    return torch.where(known.reshape(-1, *(1,) * (value.dim() - 1)), value, 0.0)


def _world(sequence: PersonSequence, kept: slice) -> tuple[Tensor, Tensor]:
    """Camera to y-down world, and where it is known; elsewhere the camera counts as level."""
    frames = len(sequence.frame[kept])
    level = torch.eye(3).expand(frames, 3, 3)
    if sequence.rotation_world_camera is None or not sequence.gravity_known:
        return level, torch.zeros(frames, dtype=torch.bool)
    known = _flag(sequence.has_camera[kept])
    rotation = torch.from_numpy(sequence.rotation_world_camera[kept].astype(np.float32))
    world = torch.tensor(ZUP_TO_YDOWN) @ torch.nan_to_num(rotation)
    return torch.where(known[:, None, None], world, level), known


def _turns(sequence: PersonSequence, stride: int) -> Tensor:
    """Rotations from each kept camera to the kept one before; no turn at the first."""
    turns = sequence.camera_turns()
    for index in range(stride, len(turns), stride):
        for frame in range(index - 1, index - stride, -1):
            turns[index] = turns[frame] @ turns[index]
    return torch.from_numpy(turns[::stride].astype(np.float32))


def _posed(
    sequence: PersonSequence,
    kept: slice,
    body: BodyModel,
    truth: tuple[Tensor, Tensor, Tensor],
    place: tuple[Tensor, Tensor],
    points: Tensor,
    contact: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Points where only SMPL is known, contacts where they follow from the way, and that way."""
    pose, betas, has_smpl = truth
    world, has_trajectory = place
    safe = torch.where(has_smpl[:, None, None, None], pose, torch.eye(3))
    with torch.no_grad():
        posed = body(betas, safe)
    own = torch.nn.functional.pad(posed.keypoints31 - posed.mid_hip[:, None], (0, 1), value=1.0)
    unknown = has_smpl & ~(points[..., 3] > 0).any(1)
    points = torch.where(unknown[:, None, None], own, points)
    hips = torch.zeros(len(pose), 3)
    if sequence.root_position is None or sequence.position_world_camera is None:
        return points, contact, hips
    root = np.nan_to_num(sequence.root_position[kept].astype(np.float64))
    camera = np.nan_to_num(sequence.position_world_camera[kept].astype(np.float64))
    in_camera = torch.from_numpy(root).float() + posed.mid_hip - posed.joints[:, 0]
    centre = torch.from_numpy(camera @ np.array(ZUP_TO_YDOWN).T).float()
    hips = _where(has_trajectory, (world @ in_camera[..., None])[..., 0] + centre)
    feet = (posed.feet - posed.mid_hip[:, None]) @ world.mT + hips[:, None]
    labels = contact_labels(feet, one_sided_ends=True)
    # Central differences: a label needs its neighbours' way too.
    near = torch.nn.functional.pad(has_trajectory.float(), (1, 1))
    sure = torch.stack((near[:-2], near[1:-1], near[2:])).bool().all(0)
    missing = sure[:, None] & (contact < 0)
    return points, torch.where(missing, labels, contact), hips


def _image(
    sequence: PersonSequence, kept: slice, data: PublishedDataConfig
) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    """Key-points, boxes, true pixels, image size and focal length as the network assumes them."""
    keypoints = np.nan_to_num(sequence.keypoints[kept].astype(np.float64))
    boxes = sequence.boxes[kept].astype(np.float64)
    if sequence.joints2d is None:
        pixels = np.zeros((len(keypoints), _N_POINTS, 3))
        pixels[:, :_N_COCO] = keypoints
        pixels[..., 2] *= pixels[..., 2] >= MIN_CONFIDENCE
    else:
        pixels = np.nan_to_num(sequence.joints2d[kept].astype(np.float64))
    size = sequence.image_size.astype(np.float64)
    camera = sequence.camera
    focal = float(np.sqrt(camera.fx * camera.fy))
    if sequence.weak_camera:
        # The crop of the box becomes an image of 224 pixels, as published.
        factor = WEAK_SIDE / (boxes[:, 2] * 200.0)
        for values in (keypoints, pixels):
            values[..., :2] -= boxes[:, None, :2]
            values[..., :2] = values[..., :2] * factor[:, None, None] + WEAK_SIDE / 2
        boxes = np.tile((WEAK_SIDE / 2, WEAK_SIDE / 2, WEAK_BOX), (len(boxes), 1))
        size, focal = np.full(2, WEAK_SIDE), WEAK_FOCAL
    elif data.virtual_camera:
        for values in (keypoints, pixels):
            moved = camera.to_virtual(values[..., :2])
            values[..., 2] *= np.isfinite(moved).all(-1)
            values[..., :2] = np.nan_to_num(moved)
        virtual = camera.virtual()
        boxes[:, :2] = np.nan_to_num(camera.to_virtual(boxes[:, :2]))
        boxes[:, 2] *= virtual.fx / focal
        focal = virtual.fx
    return (
        torch.from_numpy(keypoints).float(),
        torch.from_numpy(boxes).float(),
        torch.from_numpy(pixels).float(),
        torch.from_numpy(size).float(),
        focal,
    )
