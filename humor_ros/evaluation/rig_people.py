"""Mocap people in a virtual room, and what a 2D detector makes of them.

Clips of walking, dance and sport follow each other without a break, each turned so that the
person stays near; the detector's errors are those that the weights were trained with (measured
on real video: bias 0.015, wandering 0.017, white 0.009 of half the box, see the model card).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from humor_ros.body import BodyModel
from humor_ros.evaluation.rig_motion import CameraWay
from humor_ros.geometry import PinholeCamera, rotation_6d_to_matrix
from humor_ros.training.keypoint_noise import joint_visibility, keypoint_errors
from humor_ros.training.mocap import MOCAP_FPS, ZUP_TO_YDOWN, MocapLibrary
from humor_ros.training.synthesis_config import NoiseConfig
from humor_ros.types import Array, Track, TrackingState

__all__ = ["RigPerson", "detect_person", "draw_person"]

_CATEGORIES = ("walk", "dance", "sport", "martial")
_HOME_M = 1.2
_BLEND_FRAMES = 12
_SEEN, _UNSEEN = 0.9, 0.05
#: Nobody is followed with fewer seen key-points.
_FEWEST = 5
#: The detector of the study: usual strength in every window, nobody's legs hidden throughout.
_NOISE = NoiseConfig(
    strength_range=(1.0, 1.0),
    mask_probability=0.01,
    burst_probability=0.0,
    limb_mask_probability=0.0,
    lower_body_probability=0.0,
)


@dataclass(frozen=True, eq=False)
class RigPerson:
    """True motion of one person, T frames at 30 fps, z-up world, metres.

    Attributes:
        root_rotation: (T, 3, 3) SMPL's global orientation.
        joints: (T, 24, 3); coco17: (T, 17, 3); feet: (T, 4, 3).
    """

    root_rotation: Array
    joints: Array
    coco17: Array
    feet: Array

    @property
    def hips(self) -> Array:
        """(T, 3) mid-hip."""
        return self.coco17[:, 11:13].mean(1)

    def moved(self, offset: Array) -> RigPerson:
        """The person standing elsewhere: shifted by (3,) metres."""
        return replace(
            self, joints=self.joints + offset, coco17=self.coco17 + offset, feet=self.feet + offset
        )


def draw_person(
    library: MocapLibrary, body: BodyModel, frames: int, random: Generator
) -> RigPerson:
    """Chain clips to one long motion around the origin, the lowest foot point on z = 0.

    Args:
        library: clips.
        body: the packaged body.
        frames: T.
        random: source of all chance.
    """
    chosen = [i for i, name in enumerate(library.categories) if name in _CATEGORIES]
    rotations: list[Array] = []
    places: list[Array] = []
    total = 0
    while total < frames:
        clip = int(random.choice(chosen))
        turns, place = _zup_clip(library, clip)
        if rotations:
            turns, place = _continued(rotations[-1][-1], places[-1], turns, place)
        rotations.append(turns)
        places.append(place)
        total += len(turns)
    turns = np.concatenate(rotations)[:frames]
    place = np.concatenate(places)[:frames]
    betas = np.clip(random.normal(size=10), -2, 2) * 0.7
    with torch.no_grad():
        output = body(
            torch.as_tensor(np.tile(betas, (frames, 1)), dtype=torch.float32),
            torch.as_tensor(turns, dtype=torch.float32),
        )
    offset = place[:, None] - output.joints[:, :1].double().numpy()
    feet = output.feet.double().numpy() + offset
    offset[:, :, 2] -= np.percentile(feet[..., 2].min(1), 10)
    return RigPerson(
        root_rotation=turns[:, 0],
        joints=output.joints.double().numpy() + offset,
        coco17=output.keypoints31[:, :17].double().numpy() + offset,
        feet=output.feet.double().numpy() + offset,
    )


def detect_person(
    person: RigPerson, way: CameraWay, camera: PinholeCamera, track_id: int, seed: int
) -> list[Track | None]:
    """Tracks of one person, one an image at 30 fps; None while out of view.

    Args:
        person: true motion.
        way: of the camera.
        camera: intrinsics.
        track_id: the id.
        seed: of the detector's errors.
    """
    frames = len(person.coco17)
    times = np.arange(frames) / MOCAP_FPS
    rotation, place = way.rotation(times), way.position(times)
    points = np.einsum("tji,tkj->tki", rotation, person.coco17 - place[:, None])
    generator = torch.Generator().manual_seed(seed)
    depth = points[..., 2] - points[:, 11:13, 2].mean(1, keepdims=True)
    error = keypoint_errors(torch.as_tensor(depth, dtype=torch.float32)[None], _NOISE, generator)
    hidden = joint_visibility(1, frames, _NOISE, generator)[0].numpy()
    pixels = camera.project(points.reshape(-1, 3)).reshape(frames, 17, 2)
    half = (np.nanmax(pixels, 1) - np.nanmin(pixels, 1)).max(-1)[:, None, None] / 2
    pixels = pixels + half * error[0].double().numpy()
    size = np.array([camera.width, camera.height])
    hidden |= ((pixels < 0) | (pixels > size)).any(-1) | (points[..., 2] < 0.2)
    tracks: list[Track | None] = []
    first_s: float | None = None
    for frame in range(frames):
        seen = ~hidden[frame]
        if int(seen.sum()) < _FEWEST:
            tracks.append(None)
            continue
        first_s = times[frame] if first_s is None else first_s
        low, high = pixels[frame][seen].min(0), pixels[frame][seen].max(0)
        margin = 0.1 * (high - low).max()
        keypoints = np.column_stack((pixels[frame], np.where(seen, _SEEN, _UNSEEN)))
        tracks.append(
            Track(
                track_id,
                TrackingState.TRACKED,
                np.nan_to_num(keypoints),
                np.concatenate([low - margin, high + margin]),
                float(times[frame] - first_s),
                0.0,
                _SEEN,
            )
        )
    return tracks


def _zup_clip(library: MocapLibrary, clip: int) -> tuple[Array, Array]:
    """Rotations (T, 24, 3, 3) and pelvis (T, 3) of a clip in the z-up world."""
    rows = slice(int(library.start[clip]), int(library.start[clip] + library.length[clip]))
    to_zup = np.array(ZUP_TO_YDOWN).T
    rotations = rotation_6d_to_matrix(library.rotations_6d[rows]).double().numpy()
    rotations[:, 0] = to_zup @ rotations[:, 0]
    return rotations, library.root_position[rows].double().numpy() @ to_zup.T


def _facing(rotation: Array) -> float:
    """Heading of a root (3, 3): of its z axis, out of the belly, rad."""
    return float(np.arctan2(rotation[1, 2], rotation[0, 2]))


def _continued(last: Array, way: Array, turns: Array, place: Array) -> tuple[Array, Array]:
    """The next clip after a pose: turned towards home where far from it, and blended in."""
    here = way[-1]
    turn = _facing(last[0]) - _facing(turns[0, 0])
    travelled = place[-1] - place[0]
    if np.hypot(here[0], here[1]) > _HOME_M and np.hypot(travelled[0], travelled[1]) > 0.5:
        turn = float(np.arctan2(-here[1], -here[0]) - np.arctan2(travelled[1], travelled[0]))
    spin = Rotation.from_euler("z", turn).as_matrix()
    turns = turns.copy()
    turns[:, 0] = spin @ turns[:, 0]
    moved = (place - place[0]) @ spin.T
    moved[:, :2] += here[:2]
    moved[:, 2] = place[:, 2]
    # The old pose gives way to the new clip; the hips move by the clip's own steps.
    count = min(_BLEND_FRAMES, len(turns))
    for frame in range(count):
        share = 0.5 - 0.5 * np.cos(np.pi * (frame + 1) / (count + 1))
        difference = Rotation.from_matrix(np.swapaxes(last, 1, 2) @ turns[frame]).as_rotvec()
        turns[frame] = last @ Rotation.from_rotvec(share * difference).as_matrix()
        moved[frame, 2] = (1 - share) * here[2] + share * moved[frame, 2]
    return turns, moved
