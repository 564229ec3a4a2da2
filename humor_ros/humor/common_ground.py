"""The ground that all people share, as each one's window has it, and who stands elsewhere."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig
from humor_ros.humor.window_values import WindowObservations, ground_height
from humor_ros.types import Array

__all__ = ["CommonGround", "LevelWatch", "ground_plane", "is_apart"]

#: Deviation of the common ground's height for somebody else, metres.
_HEIGHT_M = 0.03
#: Whose feet rest further than this from a ground stands on something else, metres.
_LEVEL_M = 0.3
#: Frames of resting feet after which that is believed: a second.
_BELIEVED = 30
#: Contact probability from which a sole rests.
_RESTING = 0.5
#: Frames from which on a person's estimate weighs no more, and all of those who are gone together.
_MOST_FRAMES, _MOST_PAST = 900.0, 1800.0


class CommonGround:
    """A mean of grounds (height at the origin and slopes), each weighed by its frames.

    Args:
        known: (3,) a ground that is known from elsewhere; no person changes it.
    """

    def __init__(self, known: Tensor | None = None) -> None:
        self.known = known
        self._present: dict[str, tuple[Tensor, float]] = {}
        self._past: tuple[Tensor, float] | None = None
        self._gone = 0

    @property
    def people(self) -> int:
        """People that the ground rests on, gone ones included."""
        return self._gone + len(self._present)

    @property
    def frames(self) -> float:
        """Frames that it rests on."""
        past = 0.0 if self._past is None else self._past[1]
        return past + sum(frames for _, frames in self._present.values())

    def see(self, person: str, ground: Tensor, frames: float) -> None:
        """Take a person's newest estimate in place of its last one.

        Args:
            person: who.
            ground: (3,) height and slopes.
            frames: that it rests on.
        """
        if bool(torch.isfinite(ground).all()) and frames > 0:
            self._present[person] = (ground.detach().clone(), min(frames, _MOST_FRAMES))

    def forget(self, person: str) -> None:
        """Leave out what a person has said, who stands elsewhere by now."""
        self._present.pop(person, None)

    def leave(self, person: str) -> None:
        """Keep what a person who is gone has said of the ground."""
        if person not in self._present:
            return
        ground, frames = self._present.pop(person)
        self._gone += 1
        if self._past is not None:
            before, weight = self._past
            ground = before + frames / (weight + frames) * (ground - before)
            frames += weight
        self._past = (ground, min(frames, _MOST_PAST))

    def mean(self, without: str = "") -> Tensor | None:
        """(3,) the mean, or the known one; None where nobody has stood.

        Args:
            without: a person whose own estimate is left out.
        """
        if self.known is not None:
            return self.known
        parts = [part for name, part in self._present.items() if name != without]
        if self._past is not None:
            parts.append(self._past)
        if not parts:
            return None
        total = sum(frames for _, frames in parts)
        return torch.stack([ground * (frames / total) for ground, frames in parts]).sum(0)

    @staticmethod
    def information(config: WindowConfig) -> Tensor:
        """(3,) inverse variances of the common ground for one who did not make it."""
        slope = 1.0 / config.weights.ground_slope**2
        return torch.tensor([1.0 / _HEIGHT_M**2, slope, slope], dtype=torch.float64)


class LevelWatch:
    """Notices that a person has come to stand on something else than a ground."""

    def __init__(self) -> None:
        self._apart = 0

    @property
    def in_doubt(self) -> bool:
        """Whether the last resting feet were far from the ground."""
        return self._apart > 0

    def left(self, body: SolverBody, seen: WindowObservations, ground: Tensor) -> bool:
        """Whether the feet have rested far from the ground for a second, without a break.

        Frames without a resting foot, as in a jump, say nothing.

        Args:
            body: kinematics.
            seen: the person's newest frames, as tracked.
            ground: (3,) height and slopes of the ground that the person is taken to stand on.
        """
        feet = body(seen.betas.median(dim=0).values, seen.rotations, seen.root).feet
        above = feet[..., 2] - ground_height(ground, feet)
        for frame, resting in zip(above, seen.contacts > _RESTING, strict=True):
            if bool(resting.any()):
                far = float(frame[resting].abs().min()) > _LEVEL_M
                self._apart = self._apart + 1 if far else 0
        if self._apart < _BELIEVED:
            return False
        self._apart = 0
        return True


def is_apart(own: Tensor, common: Tensor, at: Tensor) -> bool:
    """Whether one's own ground is another level than the common one.

    Args:
        own: (3,) height and slopes; ``common`` (3,) the same.
        common: see ``own``.
        at: (2,) place where they are compared, metres.
    """
    return abs(float(own[0] - common[0] + (own[1:] - common[1:]) @ at)) > _LEVEL_M


def ground_plane(ground: Tensor) -> Array:
    """(4,) unit normal (up) and offset of a ground given by height and slopes (3,)."""
    height, along_x, along_y = (float(value) for value in ground)
    plane = np.array([-along_x, -along_y, 1.0, height])
    result: Array = plane / np.linalg.norm(plane[:3])
    return result
