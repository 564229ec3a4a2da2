"""3DPW (von Marcard et al., ECCV 2018) in its published layout, as training sequences.

    sequenceFiles/{train,validation,test}/NAME.pkl    annotation, one or two people
    imageFiles/NAME/image_00000.jpg                   images, optional

Keys of the annotation: the data set's own readme. The people's 2D key-points are OpenPose's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from humor_ros.array_pickle import read_array_pickle
from humor_ros.evaluation.annotation import annotation_array, image_size_of
from humor_ros.evaluation.sequence_keypoints import coco17_of_coco18, person_boxes
from humor_ros.evaluation.truth_bodies import TruthBodies, with_body_joints
from humor_ros.geometry import ROTATION_FLU_OPTICAL, ROTATION_YUP_YDOWN, PinholeCamera
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array

__all__ = ["SPLITS", "read_threedpw", "threedpw_files"]

#: Folder of the annotation of each split.
SPLITS = {"train": "train", "val": "validation", "test": "test"}
_FPS = 30.0
_GENDERS = {"m": "male", "f": "female", "n": "neutral"}
_NEEDED = ("poses", "trans", "betas", "cam_poses", "cam_intrinsics", "campose_valid")
_HEAD = 15
#: People mostly stand: their mean trunk must point so much along the vertical axis of the world.
_UPRIGHT = 0.8
#: SMPL's pelvis at rest stands about 0.25 m from the origin of ``trans``.
_PELVIS_FROM_TRANS_M = 1.0
_Z_UP_Y_UP = ROTATION_FLU_OPTICAL @ ROTATION_YUP_YDOWN


def threedpw_files(folder: Path, split: str | None = None) -> list[tuple[str, Path]]:
    """Split and path of each annotation file.

    Args:
        folder: with ``sequenceFiles``.
        split: one of :data:`SPLITS`; None for all.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there is no such split.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"3DPW has the splits {', '.join(SPLITS)}, not {split!r}")
    found = [
        (name, path)
        for name in (SPLITS if split is None else (split,))
        for path in sorted((folder / "sequenceFiles" / SPLITS[name]).glob("*.pkl"))
    ]
    if not found:
        wanted = "{train,validation,test}" if split is None else SPLITS[split]
        raise FileNotFoundError(f"no 3DPW annotation sequenceFiles/{wanted}/*.pkl in {folder}")
    return found


def read_threedpw(
    path: Path, split: str, folder: Path, bodies: TruthBodies | None = None
) -> Iterator[PersonSequence]:
    """Read the people of one annotation file.

    The frames that count are those whose camera pose the authors aligned (``campose_valid``).
    World trajectories of 3DPW drift, so ``has_trajectory`` is false as in the published training.

    Args:
        path: ``NAME.pkl``.
        split: its split.
        folder: of the data set; image paths are relative to it.
        bodies: adds the true 3D key-points where it has the person's body.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such annotation; names the key.
    """
    data = read_array_pickle(path)
    missing = [key for key in _NEEDED if key not in data]
    if missing:
        raise ValueError(f"{path} is no 3DPW annotation: it lacks {', '.join(missing)}")
    name = str(data.get("sequence", path.stem))
    camera_poses = annotation_array(path, "cam_poses", data["cam_poses"], (None, 4, 4))
    frames = len(camera_poses)
    matrix = annotation_array(path, "cam_intrinsics", data["cam_intrinsics"], (3, 3))
    images = [f"imageFiles/{name}/image_{frame:05d}.jpg" for frame in range(frames)]
    size = image_size_of(folder / images[0], matrix)
    people = len(data["poses"])
    joints = [_joints(path, data, person, frames) for person in range(people)]
    up, upright = _vertical([j for j in joints if j is not None])
    for person in range(people):
        sequence = _person(
            path, data, person, joints[person], camera_poses, matrix, size, np.array(images), up
        )
        sequence = replace(sequence, split=split, sequence=name, gravity_known=upright)
        yield with_body_joints(sequence, bodies)


def _person(
    path: Path,
    data: dict[str, Any],
    person: int,
    joints: Array | None,
    camera_poses: Array,
    matrix: Array,
    size: tuple[int, int],
    images: NDArray[np.str_],
    to_z_up: Array,
) -> PersonSequence:
    frames = len(camera_poses)
    pose = annotation_array(path, "poses", data["poses"][person], (frames, 72))
    rotations = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(frames, 24, 3, 3)
    turn, shift = camera_poses[:, :3, :3], camera_poses[:, :3, 3]
    rotations[:, 0] = turn @ rotations[:, 0]
    valid = np.asarray(data["campose_valid"][person]).astype(bool).ravel()
    if valid.shape != (frames,):
        raise ValueError(f"{path}: campose_valid has {len(valid)} entries for {frames} frames")
    keypoints = np.zeros((frames, 17, 3))
    measured = data.get("poses2d", data.get("poses2D"))
    if measured is not None and np.size(measured[person]):
        measured = annotation_array(path, "poses2d", measured[person], (frames, 3, 18))
        keypoints = coco17_of_coco18(measured.transpose(0, 2, 1))
    seen = np.full((frames, 0, 2), np.nan)
    pelvis = None
    if joints is not None:
        placed = np.einsum("tij,tnj->tni", turn, joints) + shift[:, None]
        camera = PinholeCamera(*size, matrix)
        seen = camera.project(placed.reshape(-1, 3)).reshape(frames, 24, 2)
        seen[~valid] = np.nan
        pelvis = placed[:, 0]
    centre = -np.einsum("tji,tj->ti", turn, shift)
    gender = str((data.get("genders", data.get("gender")) or ["n"] * 9)[person])
    return PersonSequence(
        dataset="3dpw",
        split="",
        sequence=path.stem,
        person=str(person),
        fps=_FPS,
        frame=np.arange(frames),
        stamp_s=np.arange(frames) / _FPS,
        image_size=np.array(size),
        camera_matrix=matrix,
        keypoints=keypoints,
        keypoint_source="openpose",
        boxes=person_boxes(keypoints, seen, size),
        image_path=images,
        rotation_world_camera=to_z_up @ turn.transpose(0, 2, 1),
        position_world_camera=centre @ to_z_up.T,
        has_camera=valid,
        gender=_GENDERS.get(gender[:1].lower(), "neutral"),
        pose=rotations,
        betas=np.tile(
            annotation_array(path, "betas", np.ravel(data["betas"][person])[:10], (10,)),
            (frames, 1),
        ),
        has_smpl=valid,
        root_position=pelvis,
        has_root_position=valid & (pelvis is not None),
        scored=valid,
        benchmarks=np.array(["3dpw"]),
    )


def _joints(path: Path, data: dict[str, Any], person: int, frames: int) -> Array | None:
    """(T, 24, 3) SMPL joints in the world, where the file has them."""
    given = data.get("jointPositions")
    if given is None:
        return None
    joints = annotation_array(path, "jointPositions", given[person], (frames, 72)).reshape(
        frames, 24, 3
    )
    trans = annotation_array(path, "trans", data["trans"][person], (frames, 3))
    if np.median(np.linalg.norm(joints[:, 0] - trans, axis=1)) > _PELVIS_FROM_TRANS_M:
        raise ValueError(f"{path}: jointPositions and trans are not of one world or unit")
    return joints


def _vertical(joints: list[Array]) -> tuple[Array, bool]:
    """Rotation to a z-up world, and whether the people's trunks confirm which axis is up.

    The readme does not name the vertical axis of the world; y is assumed where nobody tells.
    """
    if joints:
        trunk = np.concatenate([j[:, _HEAD] - j[:, 0] for j in joints])
        mean = (trunk / np.linalg.norm(trunk, axis=1, keepdims=True)).mean(axis=0)
        axis = int(np.abs(mean).argmax())
        if abs(mean[axis]) > _UPRIGHT:
            if axis == 1 and mean[1] > 0:
                return _Z_UP_Y_UP, True
            up = np.zeros(3)
            up[axis] = np.sign(mean[axis])
            turn, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [up])
            return turn.as_matrix(), True
    return _Z_UP_Y_UP, False
