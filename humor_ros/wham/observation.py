"""From tracks to the network's inputs: virtual camera, boxes, masks, camera rotation."""

from __future__ import annotations

import numpy as np
import torch

from humor_ros.geometry import PinholeCamera
from humor_ros.types import Array, CameraMotion, Track, TrackingState
from humor_ros.wham.boxes import box_of_keypoints
from humor_ros.wham.camera_input import camera_angular_velocity
from humor_ros.wham.keypoint_motion import keypoint_motion
from humor_ros.wham.keypoints import MIN_CONFIDENCE, keypoint_mask, normalise_keypoints
from humor_ros.wham.values import WhamInputs

__all__ = [
    "gravity_in_camera",
    "network_inputs",
    "smoothed_boxes",
    "tight_box",
    "virtual_keypoints",
]

#: With fewer joints in view the extent of the key-points says nothing of the person.
_MIN_BOX_JOINTS = 3


def gravity_in_camera(motion: CameraMotion) -> Array | None:
    """(3,) direction down in camera axes, or None where the camera is only assumed level."""
    if not motion.gravity_known:
        return None
    return -np.asarray(motion.rotation_world_camera, dtype=float)[2]


def virtual_keypoints(track: Track, camera: PinholeCamera) -> Array:
    """(17, 3) key-points in the virtual camera; what cannot be seen there has confidence 0."""
    points = np.array(track.keypoints, dtype=float)
    points[:, :2] = camera.to_virtual(points[:, :2])
    lost = ~np.isfinite(points).all(axis=1)
    points[lost] = 0.0
    if track.state is TrackingState.OCCLUDED:
        points[:, 2] = 0.0
    return points


def tight_box(keypoints: Array) -> Array | None:
    """(3,) centre px and side / 200 of the seen key-points (17, 3), or None if too few."""
    if (keypoints[:, 2] >= MIN_CONFIDENCE).sum() < _MIN_BOX_JOINTS:
        return None
    return box_of_keypoints(keypoints, MIN_CONFIDENCE)


def smoothed_boxes(previous: Array, way: Array, keep: float) -> Array:
    """Boxes along the key-points of the sub-steps.

    Args:
        previous: (3,) box before.
        way: (n, 17, 3) key-points, virtual camera.
        keep: weight of the box before in the next one, in [0, 1).

    Returns:
        (n, 3); a box stays where too little is seen.
    """
    boxes = []
    for points in way:
        tight = tight_box(points)
        if tight is not None:
            previous = keep * previous + (1.0 - keep) * tight
        boxes.append(previous)
    return np.stack(boxes)


def network_inputs(
    way: Array,
    boxes: Array,
    rotation: Array,
    camera: PinholeCamera,
    gravity: Array | None = None,
    previous: Array | None = None,
) -> WhamInputs:
    """Network inputs of P people over n sub-steps.

    Args:
        way: (P, n, 17, 3) key-points in the virtual camera with confidence.
        boxes: (P, n, 3) centre px and side / 200.
        rotation: (3, 3) of the camera from sub-step to sub-step, R_{k-1} R_k^T.
        camera: the virtual camera.
        gravity: (3,) direction down in camera axes; None where it is unknown.
        previous: (P, 17, 3) key-points before the first sub-step; None for new people.
    """
    people, count = way.shape[:2]
    points = torch.as_tensor(way, dtype=torch.float32)
    size = torch.tensor([[float(camera.width), float(camera.height)]]).expand(people, 2)
    turn = torch.as_tensor(rotation, dtype=torch.float32)
    turned = camera_angular_velocity(turn)
    bbox = torch.as_tensor(boxes, dtype=torch.float32)
    motion = None
    if previous is not None:
        first = torch.as_tensor(previous, dtype=torch.float32)[:, None]
        before = torch.cat((first, points[:, :-1]), dim=1)
        seen = ~(keypoint_mask(points[..., 2]) | keypoint_mask(before[..., 2]))
        focal = points.new_full((people, count), camera.fx)
        motion = keypoint_motion(
            points[..., :2],
            before[..., :2],
            seen,
            turn.expand(people, count, 3, 3),
            focal,
            size[:, None].expand(people, count, 2),
            bbox,
        )
    return WhamInputs(
        x=normalise_keypoints(points, bbox, size),
        mask=keypoint_mask(points[..., 2]),
        cam_angvel=turned.expand(people, count, 6),
        gravity=None if gravity is None else turned.new_tensor(gravity).expand(people, count, 3),
        motion=motion,
    )
