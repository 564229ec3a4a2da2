"""Turns the six raw heads of MoveNet MultiPose into people.

The network is a CenterNet with key-points (MoveNet's TF.js blog post, May 2021; Zhou et al.,
"Objects as Points", 2019, sections 4 and 5.2): peaks of the centre map are people, a
regression from the centre says roughly where each joint is, and the joint's own heat map,
weighted by the distance to that guess, says where exactly.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.detection.boxes import box_iou, keypoint_box
from humor_ros.detection.coco import NUM_KEYPOINTS
from humor_ros.types import Detection

__all__ = ["STRIDE", "decode_multipose"]

Float32 = NDArray[np.float32]

#: Pixels of the network's input for each cell of its output.
STRIDE = 4

#: Spread of the weight around the regressed joint, as a part of the regressed body's side.
_REGRESSION_SPREAD = 0.1


def decode_multipose(
    heads: list[Float32],
    *,
    pixels_per_input: float,
    threshold: float,
    max_people: int,
    overlap: float = 0.5,
) -> list[Detection]:
    """People in one image, best first.

    Args:
        heads: centre (h, w, 1), joint heat maps (h, w, 17), joint regression (h, w, 34),
            joint offset (h, w, 34), then box scale and box offset (not used: boxes come from
            the key-points), without the batch axis. Maps are logits; regressions are y, x
            in cells.
        pixels_per_input: image pixels for each pixel of the network's input.
        threshold: least value of the centre map.
        max_people: most people returned.
        overlap: of two people whose boxes overlap more (IoU) the weaker is dropped.

    Returns:
        Detections with key-points, in pixels of the image.
    """
    centre, joint_maps = _sigmoid(heads[0][..., 0]), _sigmoid(heads[1])
    regression, offset = heads[2], heads[3]
    width = centre.shape[1]
    peaks = np.where(centre >= cv2.dilate(centre, np.ones((3, 3), np.uint8)) - 1e-6, centre, 0.0)
    order = np.argsort(peaks, axis=None)[::-1][: 3 * max_people]
    people: list[Detection] = []
    for flat in order:
        row, column = divmod(int(flat), width)
        score = float(peaks[row, column])
        if score < threshold or len(people) == max_people:
            break
        guess = regression[row, column].reshape(NUM_KEYPOINTS, 2) + np.array([row, column])
        cells, confidence = _locate_joints(joint_maps, offset, guess)
        scale = STRIDE * pixels_per_input
        keypoints = np.column_stack([cells[:, 1] * scale, cells[:, 0] * scale, confidence])
        box = keypoint_box(keypoints, 0.1)
        taken = [p.box_xyxy for p in people]
        if not taken or box_iou(box[None], np.array(taken)).max() < overlap:
            people.append(Detection(box, score, keypoints))
    return people


def _locate_joints(joint_maps: Float32, offset: Float32, guess: Float32) -> tuple[Float32, Float32]:
    """(17, 2) y, x in cells and (17,) confidence, best match of heat map and guess."""
    height, width, joints = joint_maps.shape
    spread = float((guess.max(axis=0) - guess.min(axis=0)).max()) * _REGRESSION_SPREAD + 1.0
    down = np.exp(-((np.arange(height)[:, None] - guess[:, 0]) ** 2) / (2.0 * spread**2))
    across = np.exp(-((np.arange(width)[:, None] - guess[:, 1]) ** 2) / (2.0 * spread**2))
    weighted = joint_maps * (down[:, None] * across[None])
    best = weighted.reshape(-1, joints).argmax(axis=0)
    rows, columns = np.divmod(best, width)
    each = np.arange(joints)
    shift = offset[rows, columns].reshape(joints, joints, 2)[each, each]
    cells = np.column_stack([rows, columns]) + shift
    return cells, joint_maps[rows, columns, each]


def _sigmoid(logits: Float32) -> Float32:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float32)
