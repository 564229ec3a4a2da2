"""Where resting soles stand: one place for each stretch of contact, which holds the foot there.

The published contact velocity (Rempe et al., ICCV 2021, section 4.2) ties neighbouring frames
alone, so that many small steps add up to a slide, and a later window may move a foot that has been
told. A place for the whole stretch leaves no slide. It is a variable of the window: a fixed place
would hold the whole person where the tracker's wrong distance has put it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Stances", "find_stances"]

#: Contact probability from which a sole rests.
_RESTING = 0.8
#: A sole that moves faster does not rest whatever its probability, metres a frame.
_FAST_M = 0.03
#: A low sole that moves slower rests whatever its probability, metres a frame and metres.
_SLOW_M = 0.016
_LOW_M = 0.08
#: Told frames that say where a sole stands.
_RECENT = 5
#: Fewest frames of a stretch, and fewest told ones that say where it is.
_LEAST, _FEWEST_TOLD = 3, 2


@dataclass(frozen=True, eq=False)
class Stances:
    """S stretches in which soles rest, over T frames.

    Attributes:
        owner: (T, 4) number of the stretch that a toe or heel is in, -1 for none.
        told: (S, 3) places that have been told of them, metres; zeros where none was.
        known: (S,) 1 where a place was told.
    """

    owner: Tensor
    told: Tensor
    known: Tensor

    def __len__(self) -> int:
        """S."""
        return len(self.told)

    @property
    def resting(self) -> Tensor:
        """(T, 4) whether a sole rests."""
        return self.owner >= 0

    def cut(self, first: int, last: int) -> Stances:
        """Frames first to last - 1, with all stretches."""
        return Stances(self.owner[first:last], self.told, self.known)

    def places(self, feet: Tensor, deviation: float, told_deviation: float) -> Tensor:
        """(S, 3) the likeliest places, between the feet's mean and what was told, metres.

        Args:
            feet: (T, 4, 3) of a motion, metres.
            deviation: of a foot from the place of its stretch, metres.
            told_deviation: of a place from what was told of it, metres.
        """
        resting = self.resting
        weight = 1.0 / deviation**2
        before = self.known[:, None] / told_deviation**2
        sums = (before * self.told).index_add(0, self.owner[resting], weight * feet[resting])
        counts = weight * torch.bincount(self.owner[resting], minlength=len(self)).to(sums.dtype)
        return sums / (counts[:, None] + before).clamp(min=1e-9)


def find_stances(feet: Tensor, held: Tensor, height: Tensor, told: Tensor | None = None) -> Stances:
    """Find the stretches in which soles rest.

    Args:
        feet: (T, 4, 3) toes and heels of the present motion, metres.
        held: (T, 4) contact probabilities.
        height: (T, 4) above the ground, metres.
        told: (k, 4, 3) the first k frames' feet where they have been told.
    """
    points = feet.numpy()
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    pad = np.full((1, step.shape[1]), np.inf)
    # The slower side counts: a stretch begins with the frame in which the sole has arrived.
    speed = np.minimum(np.concatenate((pad, step)), np.concatenate((step, pad)))
    known = (held.numpy() > _RESTING) & (speed < _FAST_M)
    resting = known | ((speed < _SLOW_M) & (height.numpy() < _LOW_M))
    owner = np.full(resting.shape, -1, dtype=np.int64)
    fixed = np.zeros((0, *points.shape[1:])) if told is None else told.numpy()
    places: list[NDArray[np.float64]] = []
    for foot in range(resting.shape[1]):
        for first, stop in _stretches(resting[:, foot]):
            if stop - first < _LEAST:
                continue
            owner[first:stop, foot] = len(places)
            before = fixed[first:stop, foot]
            recent = before[-_RECENT:] if len(before) >= _FEWEST_TOLD else np.full((1, 3), np.nan)
            places.append(np.median(recent, axis=0))
    found = np.array(places).reshape(-1, 3)
    return Stances(
        torch.from_numpy(owner),
        torch.from_numpy(np.nan_to_num(found)),
        torch.from_numpy(np.isfinite(found).all(axis=1).astype(float)),
    )


def _stretches(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
