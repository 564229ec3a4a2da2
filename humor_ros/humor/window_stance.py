"""Where resting soles stand: one place for each stretch of contact, which holds the foot there.

The published contact velocity (Rempe et al., ICCV 2021, section 4.2) ties neighbouring frames
alone, so that many small steps add up to a slide, and a later window may move a foot that has been
told. A place for the whole stretch leaves no slide; it is the mean of what was told of the stretch,
or else of the present solution, renewed with every iteration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Stances", "find_stances"]

#: Contact probability from which a sole rests.
_RESTING = 0.5
#: A sole that moves faster does not rest whatever its probability, metres a frame.
_FAST_M = 0.03
#: A low sole that moves slower rests whatever its probability, metres a frame and metres.
_SLOW_M = 0.012
_LOW_M = 0.08
#: Told frames that say where a sole stands.
_RECENT = 5
#: Fewest frames of a stretch.
_LEAST = 3


@dataclass(frozen=True, eq=False)
class Stances:
    """Places of T frames' resting soles.

    Attributes:
        places: (T, 4, 3) of toes and heels, metres; anything where nothing rests.
        resting: (T, 4) 1 where a sole rests.
    """

    places: Tensor
    resting: Tensor

    def cut(self, first: int, last: int) -> Stances:
        """Frames first to last - 1."""
        return Stances(self.places[first:last], self.resting[first:last])


def find_stances(feet: Tensor, held: Tensor, height: Tensor, told: Tensor | None = None) -> Stances:
    """Find the stretches in which soles rest, and where.

    Args:
        feet: (T, 4, 3) toes and heels of the present motion, metres.
        held: (T, 4) contact probabilities.
        height: (T, 4) above the ground, metres.
        told: (k, 4, 3) the first k frames' feet where they have been told; they stay.
    """
    points = feet.numpy()
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    pad = np.full((1, step.shape[1]), np.inf)
    # The slower side counts: a stretch begins with the frame in which the sole has arrived.
    speed = np.minimum(np.concatenate((pad, step)), np.concatenate((step, pad)))
    known = (held.numpy() > _RESTING) & (speed < _FAST_M)
    resting = known | ((speed < _SLOW_M) & (height.numpy() < _LOW_M))
    places = points.copy()
    on = np.zeros(resting.shape)
    fixed = np.zeros((0, *points.shape[1:])) if told is None else told.numpy()
    for foot in range(resting.shape[1]):
        for first, stop in _stretches(resting[:, foot]):
            if stop - first < _LEAST:
                continue
            before = fixed[first:stop, foot]
            own = points[first:stop, foot] if len(before) < 2 else before[-_RECENT:]
            places[first:stop, foot] = np.median(own, axis=0)
            on[first:stop, foot] = 1.0
    return Stances(torch.from_numpy(places), torch.from_numpy(on))


def _stretches(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
