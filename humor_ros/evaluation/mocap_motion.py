"""Clips of motion capture as true motion of people in a z-up world."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from humor_ros.body import BodyModel
from humor_ros.geometry import ROTATION_FLU_OPTICAL, rotation_6d_to_matrix
from humor_ros.training.mocap import MOCAP_FPS, MocapLibrary
from humor_ros.types import Array
from humor_ros.wham.contacts import contact_labels

__all__ = ["MocapPiece", "TruePerson", "cut_clips", "pose_person"]

#: Shape coefficients beyond this are caricatures.
_BETAS_LIMIT = 2.0


@dataclass(frozen=True)
class MocapPiece:
    """A part of a clip: frames ``start`` to ``stop`` of the library.

    Attributes:
        name: of the clip, with the part's number where there are several.
        category: of the clip.
        start, stop: rows of the library.
    """

    name: str
    category: str
    start: int
    stop: int

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class TruePerson:
    """True motion of one person over T frames at 30 fps, z-up world, metres.

    Attributes:
        piece: where it comes from.
        betas: (10,) shape.
        rotations: (T, 24, 3, 3) joint rotations, the root's in the world.
        joints: (T, 24, 3); coco17: (T, 17, 3); feet: (T, 4, 3) positions in the world.
        contacts: (T, 4) labels of toes and heels, probabilities (half at 1 cm a frame).
    """

    piece: MocapPiece
    betas: Array
    rotations: Array
    joints: Array
    coco17: Array
    feet: Array
    contacts: Array

    @property
    def hips(self) -> Array:
        """(T, 3) mid-hip."""
        return np.asarray(self.coco17[:, 11:13].mean(axis=1))


def cut_clips(library: MocapLibrary, longest_s: float) -> list[MocapPiece]:
    """Cut every clip into equal parts no longer than ``longest_s`` seconds.

    Raises:
        ValueError: the length is not positive.
    """
    if not longest_s > 0.0:
        raise ValueError(f"longest_s must be positive, got {longest_s}")
    longest = max(3, round(longest_s * MOCAP_FPS))
    pieces = []
    clips = zip(library.names, library.categories, strict=True)
    for clip, (name, category) in enumerate(clips):
        first, length = int(library.start[clip]), int(library.length[clip])
        count = math.ceil(length / longest)
        edges = np.linspace(0, length, count + 1).round().astype(int)
        for part, (low, high) in enumerate(pairwise(edges)):
            label = name if count == 1 else f"{name}#{part + 1}"
            pieces.append(MocapPiece(label, category, first + int(low), first + int(high)))
    return pieces


def pose_person(
    library: MocapLibrary, piece: MocapPiece, body: BodyModel, random: np.random.Generator
) -> TruePerson:
    """Give a piece a random shape and heading; the way scales with the legs.

    Args:
        library: that the piece is of.
        piece: frames.
        body: shape space.
        random: source of all chance.
    """
    rows = slice(piece.start, piece.stop)
    rotations = rotation_6d_to_matrix(library.rotations_6d[rows]).double().numpy()
    betas = np.clip(random.normal(size=10), -_BETAS_LIMIT, _BETAS_LIMIT)
    spin = Rotation.from_euler("z", random.uniform(0, 2 * np.pi)).as_matrix()
    to_world = spin @ ROTATION_FLU_OPTICAL
    rotations[:, 0] = to_world @ rotations[:, 0]
    place = library.root_position[rows].double().numpy() @ to_world.T
    shapes = torch.tensor(np.stack([np.zeros(10), betas]), dtype=torch.float32)
    with torch.no_grad():
        legs = _leg_length(body.rest_joints(shapes).double().numpy())
        output = body(shapes[1:], torch.as_tensor(rotations, dtype=torch.float32))
    joints = output.joints.double().numpy()
    offset = (place * legs[1] / legs[0])[:, None] - joints[:, :1]
    feet = output.feet.double().numpy() + offset
    return TruePerson(
        piece=piece,
        betas=betas,
        rotations=rotations,
        joints=joints + offset,
        coco17=output.coco17.double().numpy() + offset,
        feet=feet,
        contacts=contact_labels(torch.as_tensor(feet)).numpy(),
    )


def _leg_length(rest_joints: Array) -> Array:
    """(B,) hip to knee to ankle of both legs of T-poses (B, 24, 3)."""
    down = np.linalg.norm(rest_joints[:, [1, 2, 4, 5]] - rest_joints[:, [4, 5, 7, 8]], axis=-1)
    return np.asarray(down.sum(axis=-1))
