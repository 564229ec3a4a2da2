"""What the real-time solver varies and observes, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor.state import NUM_JOINTS
from humor_ros.humor.window_normal import GROUND, SHAPE, Step

__all__ = ["WindowMotion", "WindowObservations", "ground_height"]


def ground_height(ground: Tensor, points: Tensor) -> Tensor:
    """(...) height under points (..., 3) of a ground (3,): height at the origin and slopes."""
    return ground[0] + points[..., :2] @ ground[1:]


@dataclass(frozen=True, eq=False)
class WindowMotion:
    """A person's motion over T frames at 30 a second, in one gravity-aligned world (z up).

    Velocities are central differences of the frames and no variables of their own.

    Attributes:
        root: (T, 3) root joint, metres.
        rotations: (T, 22, 3, 3) of each joint relative to its parent, root in the world.
        latents: (T - 2, L) transition from frame i + 1 to frame i + 2.
        betas: (10,) shape.
        ground: (3,) height of the ground at the origin and its slopes along x and y.
    """

    root: Tensor
    rotations: Tensor
    latents: Tensor
    betas: Tensor
    ground: Tensor

    @property
    def frames(self) -> int:
        """T."""
        return len(self.root)

    def ground_height(self, points: Tensor) -> Tensor:
        """(...) height of the ground under points (..., 3)."""
        return ground_height(self.ground, points)

    def moved(self, step: Step, latents: Tensor) -> WindowMotion:
        """Apply a step; ``latents`` (T - 2, L) is the change of the transitions."""
        turns = axis_angle_to_matrix(step.moves[:, 3:].unflatten(1, (NUM_JOINTS, 3)))
        return replace(
            self,
            root=self.root + step.moves[:, :3],
            rotations=turns @ self.rotations,
            latents=self.latents + latents,
            betas=self.betas + step.border[SHAPE],
            ground=self.ground + step.border[GROUND],
        )

    def cut(self, first: int, last: int) -> WindowMotion:
        """Frames first to last - 1."""
        return replace(
            self,
            root=self.root[first:last],
            rotations=self.rotations[first:last],
            latents=self.latents[first : max(first, last - 2)],
        )

    def finite(self) -> bool:
        """Whether all numbers are."""
        parts = (self.root, self.rotations, self.latents, self.betas, self.ground)
        return all(bool(torch.isfinite(part).all()) for part in parts)


@dataclass(frozen=True, eq=False)
class WindowObservations:
    """What is known of a person's T frames; the world is the motion's.

    Attributes:
        root: (T, 3) root joint of the tracker, metres.
        rotations: (T, 22, 3, 3) rotations of the tracker, root in the world.
        joints: (T, 22, 3) joints of the tracker, metres.
        confidence: (T, 22) of the tracker's joints in [0, 1]; 0 where nothing was seen.
        contacts: (T, 4) probability that toes and heels rest.
        betas: (T, 10) shape of the tracker.
        pixels: (T, 17, 2) COCO key-points on the image plane at z = 1, without distortion.
        pixel_confidence: (T, 17) in [0, 1]; 0 where unseen.
        pixel_scale: (T,) half side of the person's box on that plane: key-points err in
            proportion.
        rotation_camera_world: (T, 3, 3).
        camera_position: (T, 3) world, metres.
        camera_known: whether the camera's place is measured; else it follows the tracker.
    """

    root: Tensor
    rotations: Tensor
    joints: Tensor
    confidence: Tensor
    contacts: Tensor
    betas: Tensor
    pixels: Tensor
    pixel_confidence: Tensor
    pixel_scale: Tensor
    rotation_camera_world: Tensor
    camera_position: Tensor
    camera_known: bool = True

    @property
    def frames(self) -> int:
        """T."""
        return len(self.root)

    @property
    def hidden(self) -> Tensor:
        """(T,) where neither key-points nor joints were seen: the tracker guesses."""
        return (self.pixel_confidence.amax(1) <= 0) & (self.confidence.amax(1) <= 0)

    def cut(self, first: int, last: int) -> WindowObservations:
        """Frames first to last - 1."""
        parts = {k: v for k, v in self.__dict__.items() if k != "camera_known"}
        return replace(self, **{k: v[first:last] for k, v in parts.items()})
