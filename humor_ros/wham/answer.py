"""The network's outputs for one person over the sub-steps of one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from humor_ros.geometry import PinholeCamera, rotation_6d_to_matrix
from humor_ros.types import Array
from humor_ros.wham.trajectory import turn
from humor_ros.wham.values import WhamOutputs

__all__ = ["Answer", "answer_of"]


@dataclass(frozen=True)
class Answer:
    """The network's outputs for one person over n sub-steps, float64.

    Attributes:
        rotations: (n, 24, 3, 3) root in the camera first.
        betas: (n, 10); contacts: (n, 4); cam: (n, 3) scale, tx, ty.
        velocity: (n, 3) refined displacement in the previous root frame.
        root_world: (n, 3, 3) refined root orientation, y-down world.
        displacement_world: (n, 3) refined displacement, y-down world.
    """

    rotations: Array
    betas: Array
    contacts: Array
    cam: Array
    velocity: Array
    root_world: Array
    displacement_world: Array

    def camera_translation(self, box: Array, camera: PinholeCamera) -> Array:
        """Mid-hip in the camera (3,), metres: the full-image camera (spec, section 1.6)."""
        scale, tx, ty = self.cam[-1]
        height = 200.0 * box[2] * scale
        depth = 2.0 * camera.fx / max(height, 1e-6)
        x = tx + 2.0 * (box[0] - camera.width / 2.0) / max(height, 1e-6)
        y = ty + 2.0 * (box[1] - camera.height / 2.0) / max(height, 1e-6)
        return np.array([x, y, depth])


def answer_of(outputs: WhamOutputs, row: int) -> Answer:
    """The answer for the person in one row of the outputs."""

    def numpy(tensor: Tensor) -> Array:
        return tensor[row].double().numpy()

    velocity = outputs.velocity_refined
    return Answer(
        rotations=numpy(outputs.rotations),
        betas=numpy(outputs.motion.betas),
        contacts=numpy(outputs.motion.contacts),
        cam=numpy(outputs.motion.cam),
        velocity=numpy(velocity),
        root_world=numpy(outputs.rotation_world_root),
        displacement_world=numpy(
            turn(rotation_6d_to_matrix(outputs.root_refined_previous), velocity)
        ),
    )
