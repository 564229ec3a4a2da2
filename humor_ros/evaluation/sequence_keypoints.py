"""2D key-points and boxes of data sets: their own, a detector's, a user's, or the truth's."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array
from humor_ros.wham.boxes import box_of_keypoints
from humor_ros.wham.keypoints import MIN_CONFIDENCE

if TYPE_CHECKING:
    from humor_ros.detection import Detector

__all__ = [
    "NO_KEYPOINTS",
    "coco17_of_coco18",
    "detected",
    "from_folder",
    "person_boxes",
    "projected",
    "square_to_xyxy",
]

_log = logging.getLogger(__name__)

#: ``keypoint_source`` of a sequence that still needs key-points.
NO_KEYPOINTS = "none"

#: OpenPose's 18 key-points of COCO (it adds the neck and orders the face last) as COCO-17.
_COCO18 = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
#: A person counts as seen with so many key-points (spec of WHAM, section 3).
_MIN_SEEN = 6
#: Side of the box around projected joints over their extent; joints end before head and soles.
_JOINT_MARGIN = 1.2
#: Every square box has at least this margin (``box_of_xyxy``).
_LEAST_MARGIN = 1.05


def coco17_of_coco18(keypoints: Array) -> Array:
    """Order OpenPose's COCO key-points as COCO-17 does.

    Args:
        keypoints: (T, 18, 3) x, y, confidence.

    Returns:
        (T, 17, 3).
    """
    return keypoints[:, list(_COCO18)]


def person_boxes(keypoints: Array, points: Array, image_size: tuple[int, int]) -> Array:
    """Square boxes: around the key-points, where few are seen around other points.

    Args:
        keypoints: (T, 17, 3) pixels and confidence.
        points: (T, N, 2) such as projected true joints, pixels; NaN where there are none.
        image_size: width and height, for a person of whom nothing is ever known.

    Returns:
        (T, 3) centre x, y (pixels) and side / 200; a frame of which nothing is known keeps the
        box before it.
    """
    width, height = image_size
    boxes = np.empty((len(keypoints), 3))
    last = np.array([width / 2.0, height / 2.0, max(width, height) / 200.0])
    for index, (frame, others) in enumerate(zip(keypoints, points, strict=True)):
        box = None
        if (frame[:, 2] > MIN_CONFIDENCE).sum() >= _MIN_SEEN:
            box = box_of_keypoints(frame, MIN_CONFIDENCE)
        elif np.isfinite(others).all() and len(others):
            flagged = np.column_stack((others, np.ones(len(others))))
            box = box_of_keypoints(flagged, margin=_JOINT_MARGIN)
        if box is not None and box[2] > 0:
            last = box
        boxes[index] = last
    return boxes


def square_to_xyxy(boxes: Array) -> Array:
    """Corners (T, 4) of square boxes (T, 3)."""
    half = 100.0 * boxes[:, 2:]
    return np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), axis=1)


def projected(sequence: PersonSequence) -> PersonSequence:
    """The sequence with its true 3D key-points projected in place of measured ones.

    Good for tests and for an upper bound, not for results: nobody detects so well.

    Raises:
        ValueError: the sequence has no 3D key-points in the camera frame.
    """
    if sequence.joints3d is None or not sequence.has_root_position.any():
        raise ValueError(
            f"{sequence.name}: there is no 3D truth to project; give the folder of SMPL bodies"
        )
    coco = sequence.joints3d[:, :17].astype(np.float64)
    pixels = sequence.camera.project(coco[..., :3].reshape(-1, 3)).reshape(len(sequence), 17, 2)
    known = (coco[..., 3] > 0) & np.isfinite(pixels).all(axis=-1)
    known &= sequence.has_root_position[:, None]
    inside = known & (pixels >= 0).all(axis=-1) & (pixels < sequence.image_size).all(axis=-1)
    keypoints = np.concatenate((np.where(known[..., None], pixels, 0.0), inside[..., None]), -1)
    return replace(sequence, keypoints=keypoints, keypoint_source="projected")


def from_folder(sequence: PersonSequence, folder: Path) -> PersonSequence:
    """The sequence with key-points of a user's own detector: ``NAME.npy``, (T, 17, 3).

    Raises:
        FileNotFoundError: there is no file for the sequence.
        ValueError: it has another shape.
    """
    path = folder / f"{sequence.name}.npy"
    if not path.is_file():
        raise FileNotFoundError(f"key-points not found: {path}")
    keypoints = np.load(path, allow_pickle=False)
    if keypoints.shape != (len(sequence), 17, 3):
        raise ValueError(
            f"{path} must have shape ({len(sequence)}, 17, 3), a row for each frame, got "
            f"{keypoints.shape}"
        )
    return replace(sequence, keypoints=keypoints, keypoint_source=f"folder {folder.name}")


def detected(
    sequence: PersonSequence,
    images: Path,
    detector: Detector,
    source: str,
) -> PersonSequence:
    """The sequence with key-points that a detector finds in its boxes.

    Args:
        sequence: with image paths.
        images: folder that these are relative to.
        detector: keeps no state between images.
        source: its name, for ``keypoint_source``.

    Raises:
        FileNotFoundError: not one image is there.
    """
    import cv2

    keypoints = np.zeros((len(sequence), 17, 3))
    # Detectors pad tight boxes themselves; these are square and have a margin already.
    boxes = square_to_xyxy(sequence.boxes * np.array([1.0, 1.0, 1.0 / _LEAST_MARGIN]))
    missing = 0
    paths = [""] * len(sequence) if sequence.image_path is None else sequence.image_path.tolist()
    for index, name in enumerate(paths):
        image = cv2.imread(str(images / name)) if name else None
        if image is None:
            missing += 1
            continue
        keypoints[index] = detector.refine(np.asarray(image, np.uint8), boxes[index : index + 1])[0]
    if missing == len(sequence):
        raise FileNotFoundError(f"{sequence.name}: no image found in {images}")
    if missing:
        _log.warning("%s: %d of %d images not found", sequence.name, missing, len(sequence))
    return replace(sequence, keypoints=keypoints, keypoint_source=source)
