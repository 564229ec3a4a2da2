"""The ground that all people share, from what each one's window says of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from humor_ros.humor.window_config import WindowConfig
from humor_ros.types import Array

__all__ = ["CommonGround", "ground_plane"]

#: Deviation of the common ground's height for somebody else, metres.
_HEIGHT_M = 0.03
#: Frames from which on a person's estimate weighs no more, and all of those who are gone together.
_MOST_FRAMES, _MOST_PAST = 900.0, 1800.0


class CommonGround:
    """A mean of grounds (height at the origin and slopes), each weighed by its frames."""

    def __init__(self) -> None:
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
        """(3,) the mean; None where nobody has stood.

        Args:
            without: a person whose own estimate is left out.
        """
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


def ground_plane(ground: Tensor) -> Array:
    """(4,) unit normal (up) and offset of a ground given by height and slopes (3,)."""
    height, along_x, along_y = (float(value) for value in ground)
    plane = np.array([-along_x, -along_y, 1.0, height])
    result: Array = plane / np.linalg.norm(plane[:3])
    return result
