"""Training sequences of the people that the tracker found in a video: measured, without truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from humor_ros.io.track_file import TrackFile
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array
from humor_ros.wham.boxes import box_of_xyxy
from humor_ros.wham.observation import smoothed_boxes, tight_box
from humor_ros.wham.resampling import MAX_GAP_S
from humor_ros.wham.stream_config import StreamConfig

__all__ = ["MIN_FRAMES", "tracked_sequences"]

#: Shorter tracks are left out, as in the published demo.
MIN_FRAMES = 30
_ASSUMED_FPS = 30.0


def tracked_sequences(
    tracks: TrackFile,
    sequence: str,
    *,
    min_frames: int = MIN_FRAMES,
    keypoint_source: str = "humor-ros track",
    box_smoothing: float = StreamConfig.box_smoothing,
) -> Iterator[PersonSequence]:
    """Make a sequence of each person: key-points and the boxes that go with them.

    No ``has_...`` flag is set but the camera's attitude, where gravity is known; what the tracker
    says of the body is no truth. Boxes are smoothed over the past alone, as the tracker's are.

    Args:
        tracks: from ``humor-ros track``.
        sequence: name of the video.
        min_frames: people seen in fewer frames are left out.
        keypoint_source: what measured the key-points.
        box_smoothing: weight of the previous box in the next one, in [0, 1).

    Yields:
        One sequence a person.
    """
    for person, rows in tracks.by_person():
        seen = (rows["keypoints_image"][..., 2] > 0.0).any(axis=1)
        if seen.sum() < min_frames:
            continue
        camera = rows.camera
        gravity = bool(rows["gravity_known"].all())
        keypoints = np.nan_to_num(rows["keypoints_image"])
        yield PersonSequence(
            dataset="video",
            split="train",
            sequence=sequence,
            person=person,
            fps=tracks.fps if tracks.fps > 0.0 else _ASSUMED_FPS,
            frame=rows["frame"],
            stamp_s=rows["stamp_s"],
            image_size=np.array((camera.width, camera.height)),
            camera_matrix=camera.matrix,
            camera_distortion=np.array(camera.distortion, dtype=np.float64),
            camera_model=camera.model,
            camera_assumed=camera.assumed,
            keypoints=keypoints,
            keypoint_source=keypoint_source,
            boxes=_boxes(rows, keypoints, box_smoothing).astype(np.float32),
            rotation_world_camera=rows["rotation_world_camera"] if gravity else None,
            gravity_known=gravity,
        )


def _boxes(rows: TrackFile, keypoints: Array, smoothing: float) -> Array:
    """(T, 3) square boxes, smoothed over the past; they start anew after a gap."""
    boxes: list[Array] = []
    stamps = rows["stamp_s"]
    for index, points in enumerate(keypoints.astype(np.float64)):
        if not boxes or stamps[index] - stamps[index - 1] > MAX_GAP_S:
            tight = tight_box(points)
            box = box_of_xyxy(rows["box_xyxy"][index]) if tight is None else tight
        else:
            box = smoothed_boxes(boxes[-1], points[None], smoothing)[0]
        boxes.append(box)
    return np.stack(boxes)
