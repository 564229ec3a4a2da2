"""A correction of the past without a jump: what is told moves over to the corrected path.

When people are put on another path the difference between what was told last and what the new path
says at that same image is kept and dies away exponentially with time constant tau. The step of
what is told, from one image to the next ``dt`` later, then differs from the step of the new path
by at most ``(1 - exp(-dt / tau))`` times the difference: a fifth at 30 Hz with the default
0.15 s. Repeated corrections add up to a low-pass of that time constant on the corrections alone;
motion itself is not delayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from humor_ros.types import Array
from humor_ros.wham.answer import Answer

__all__ = ["Correction"]

#: Differences smaller than this (radians, and the camera's units) are dropped.
_NEGLIGIBLE = 1e-4


@dataclass(frozen=True)
class Correction:
    """Difference of what is told from what the network says, for one person.

    Attributes:
        rotations: (24, 3) rotation vectors: told = exp(v) said, each joint in its parent's axes,
            the root in the camera's.
        root_world: (3,) likewise for WHAM's own world orientation.
        cam: (3,) difference of the weak-perspective camera.
        contacts: (4,) difference of the contacts.
    """

    rotations: Array
    root_world: Array
    cam: Array
    contacts: Array

    @classmethod
    def between(cls, told: Answer, said: Answer) -> Correction:
        """Of what was told last from what the new path says, at the same image."""
        return cls(
            rotations=_difference(told.rotations[-1], said.rotations[-1]),
            root_world=_difference(told.root_world[-1:], said.root_world[-1:])[0],
            cam=told.cam[-1] - said.cam[-1],
            contacts=told.contacts[-1] - said.contacts[-1],
        )

    @property
    def negligible(self) -> bool:
        """Whether it may be dropped."""
        parts = (self.rotations, self.root_world, self.cam, self.contacts)
        return max(float(np.abs(part).max()) for part in parts) < _NEGLIGIBLE

    def after(self, duration_s: float, time_constant_s: float) -> Correction:
        """What is left of it after a time, both in seconds."""
        left = math.exp(-duration_s / time_constant_s)
        return Correction(
            self.rotations * left, self.root_world * left, self.cam * left, self.contacts * left
        )

    def applied(self, said: Answer) -> Answer:
        """What is told in place of what the network says at the newest image."""
        rotations, root_world = said.rotations.copy(), said.root_world.copy()
        cam, contacts = said.cam.copy(), said.contacts.copy()
        rotations[-1] = Rotation.from_rotvec(self.rotations).as_matrix() @ rotations[-1]
        root_world[-1] = Rotation.from_rotvec(self.root_world).as_matrix() @ root_world[-1]
        cam[-1] += self.cam
        contacts[-1] += self.contacts
        return replace(said, rotations=rotations, root_world=root_world, cam=cam, contacts=contacts)


def _difference(told: Array, said: Array) -> Array:
    return Rotation.from_matrix(told @ said.swapaxes(-1, -2)).as_rotvec()
