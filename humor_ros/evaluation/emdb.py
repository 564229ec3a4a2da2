"""EMDB (Kaufmann et al., ICCV 2023) in its published layout, as training sequences.

    P0/00_name/P0_00_name_data.pkl    annotation of one person, electromagnetic sensors and SLAM
    P0/00_name/images/00000.jpg       images, optional

Keys of the annotation: ``dataset.md`` of the data set. Its 2D key-points are the projected truth
(SMPL's 24 joints), so a detector, or a user's own detections, must see the images.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from humor_ros.array_pickle import read_array_pickle
from humor_ros.evaluation.annotation import annotation_array
from humor_ros.evaluation.sequence_keypoints import NO_KEYPOINTS
from humor_ros.evaluation.truth_bodies import GENDERS, TruthBodies, posed_truth, with_body_joints
from humor_ros.geometry import ROTATION_FLU_OPTICAL, ROTATION_YUP_YDOWN
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array
from humor_ros.wham.boxes import box_of_xyxy

__all__ = ["emdb_files", "read_emdb"]

_log = logging.getLogger(__name__)

_FPS = 30.0
_NEEDED = ("gender", "emdb1", "emdb2", "good_frames_mask", "camera", "smpl", "bboxes")
#: EMDB's world is y-up (spec of WHAM, section 2: the evaluation's initial root).
_Z_UP_EMDB = ROTATION_FLU_OPTICAL @ ROTATION_YUP_YDOWN
#: The annotated 2D joints are projections of the very truth. A body that misses them by so much
#: of the box is worth a word, by so much it is another body or convention.
_DOUBTFUL, _WRONG = 0.01, 0.05


def emdb_files(folder: Path) -> list[Path]:
    """Annotation files ``P*/*/*_data.pkl``.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sorted(folder.glob("P*/*/*_data.pkl"))
    if not found:
        raise FileNotFoundError(f"no EMDB annotation P*/*/*_data.pkl in {folder}")
    return found


def read_emdb(path: Path, folder: Path, bodies: TruthBodies | None = None) -> PersonSequence:
    """Read the person of one annotation file.

    The frames that count are the good ones with a valid box. The place of the pelvis, the 3D
    key-points and so the trajectory need the body that the truth was fitted with.

    Args:
        path: ``P0_00_name_data.pkl``.
        folder: of the data set; image paths are relative to it.
        bodies: the user's SMPL bodies; None leaves places out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such annotation, names the key; or the body does not land on the
            annotated 2D joints.
    """
    data = read_array_pickle(path)
    missing = [key for key in _NEEDED if key not in data]
    if missing:
        raise ValueError(f"{path} is no EMDB annotation: it lacks {', '.join(missing)}")
    camera, smpl, boxes = (_part(path, data, key) for key in ("camera", "smpl", "bboxes"))
    good = np.asarray(data["good_frames_mask"]).astype(bool).ravel()
    frames = len(good)
    extrinsics = annotation_array(
        path, "camera.extrinsics", camera.get("extrinsics"), (frames, 4, 4)
    )
    root = annotation_array(path, "smpl.poses_root", smpl.get("poses_root"), (frames, 3))
    rest = annotation_array(path, "smpl.poses_body", smpl.get("poses_body"), (frames, 69))
    betas = annotation_array(path, "smpl.betas", np.ravel(smpl.get("betas", ()))[:10], (10,))
    xyxy = annotation_array(path, "bboxes.bboxes", boxes.get("bboxes"), (frames, 4))
    good = good.copy()
    good[np.asarray(boxes.get("invalid_idxs", ()), dtype=int)] = False
    if not good.any():
        raise ValueError(f"{path}: good_frames_mask and bboxes leave no frame")
    vectors = np.concatenate((root, rest), axis=1).reshape(-1, 3)
    rotations = Rotation.from_rotvec(vectors).as_matrix().reshape(frames, 24, 3, 3)
    turn, shift = extrinsics[:, :3, :3], extrinsics[:, :3, 3]
    rotations[:, 0] = turn @ rotations[:, 0]
    centre = -np.einsum("tji,tj->ti", turn, shift)
    gender = str(data["gender"])
    if gender not in GENDERS:
        raise ValueError(f"{path}: gender is {gender!r}, expected one of {', '.join(GENDERS)}")
    pelvis = None
    if bodies is not None:
        start = bodies.load(gender).rest_joints(torch.as_tensor(betas, dtype=torch.float32)[None])
        trans = annotation_array(path, "smpl.trans", smpl.get("trans"), (frames, 3))
        pelvis = np.einsum("tij,tj->ti", turn, trans + start[0, 0].double().numpy()) + shift
    names = [(path.parent / "images" / f"{i:05d}.jpg").relative_to(folder) for i in range(frames)]
    sequence = PersonSequence(
        dataset="emdb",
        split="test",
        sequence=str(data.get("name", path.stem.removesuffix("_data"))),
        person="",
        fps=_FPS,
        frame=np.arange(frames),
        stamp_s=np.arange(frames) / _FPS,
        image_size=np.array((int(camera["width"]), int(camera["height"]))),
        camera_matrix=annotation_array(path, "camera.intrinsics", camera.get("intrinsics"), (3, 3)),
        keypoints=np.zeros((frames, 17, 3)),
        keypoint_source=NO_KEYPOINTS,
        boxes=_held(box_of_xyxy(xyxy), good),
        image_path=np.array([name.as_posix() for name in names]),
        rotation_world_camera=_Z_UP_EMDB @ turn.transpose(0, 2, 1),
        position_world_camera=centre @ _Z_UP_EMDB.T,
        gravity_known=True,
        gender=gender,
        pose=rotations,
        betas=np.tile(betas, (frames, 1)),
        root_position=pelvis,
        has_trajectory=np.full(frames, pelvis is not None),
        scored=good,
        benchmarks=np.array([name for name in ("emdb1", "emdb2") if bool(data[name])], dtype="U5"),
    )
    sequence = with_body_joints(sequence, bodies)
    if bodies is not None and "kp2d" in data:
        kp2d = annotation_array(path, "kp2d", data["kp2d"], (frames, 24, 2))
        _check_places(path, sequence, kp2d, bodies)
    return sequence


def _part(path: Path, data: dict[str, Any], key: str) -> dict[str, Any]:
    part = data[key]
    if not isinstance(part, dict):
        raise ValueError(f"{path}: {key} is a {type(part).__name__}, expected a dictionary")
    return part


def _held(boxes: Array, good: Array) -> Array:
    """Boxes (T, 3) with each bad one replaced by the good one before it (or after, at first)."""
    index = np.maximum.accumulate(np.where(good, np.arange(len(good)), -1))
    return boxes[np.where(index < 0, int(good.argmax()), index)]


def _check_places(path: Path, sequence: PersonSequence, kp2d: Array, bodies: TruthBodies) -> None:
    """Compare the posed body's joints with the annotated 2D joints.

    Raises:
        ValueError: they lie elsewhere.
    """
    if sequence.root_position is None:
        return
    joints = posed_truth(bodies.of(sequence), sequence)[0].double().numpy()
    placed = joints - joints[:, :1] + sequence.root_position[:, None]
    pixels = sequence.camera.project(placed.reshape(-1, 3)).reshape(kp2d.shape)
    side = 200.0 * sequence.boxes[:, 2:]
    error = (np.linalg.norm(pixels - kp2d, axis=-1) / side)[sequence.scored]
    middle = float(np.nanmedian(error)) if np.isfinite(error).any() else np.inf
    told = (
        f"{path}: the {sequence.gender} body's joints land {100.0 * middle:.1f} % of the box from "
        "the annotated ones; is it the SMPL body (not SMPL+H or SMPL-X) of that gender?"
    )
    if middle > _WRONG:
        raise ValueError(told)
    if middle > _DOUBTFUL:
        _log.warning(told)
