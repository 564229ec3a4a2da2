"""Roll-outs that go on from one training step to the next.

Scheduled sampling with feedback that carries no gradient treats every step of a roll-out alone, so
the steps of one roll-out need not stand in one training step. A pool of people, each at another
step of a window, is advanced by one with every training step: what was just predicted is what is
read next. That gives the same losses as whole windows, but for the weights' having moved a little
in between, at a fraction of the cost of walking through a window step by step.
"""

from __future__ import annotations

from dataclasses import fields, replace

import torch
from torch import Tensor

from humor_ros.humor.packed import PackedState, pivot_of
from humor_ros.humor.state import MotionState
from humor_ros.training.humor_transitions import TransitionLibrary, TransitionWindow

__all__ = ["RollOutPool"]

#: Velocities of the data stay under 16 m/s and 40 rad/s.
_LARGEST = 60.0


class RollOutPool:
    """B people in the middle of roll-outs of T steps.

    Args:
        library: where windows come from.
        size: B.
        steps: T.
        mirror_probability: share of windows that are mirrored.
    """

    def __init__(
        self, library: TransitionLibrary, size: int, steps: int, mirror_probability: float
    ) -> None:
        self._library = library
        self._size, self._steps = size, steps
        self._mirror_probability = mirror_probability
        self._windows: TransitionWindow | None = None
        self._own = torch.empty(0)
        self._at = torch.empty(0)

    def next(self, generator: torch.Generator, own_chance: float = 1.0) -> TransitionWindow:
        """(B, 1) windows of one transition: the truth where a window begins, else own output.

        Args:
            generator: draws windows for those whose roll-out is over.
            own_chance: chance of each other step to read own output rather than the truth.
        """
        if self._windows is None:
            self._windows = self._draw(self._size, generator)
            # Staggered, so that some begin and some end at every step.
            self._at = torch.arange(self._size) % self._steps
            self._own = self._windows.past[torch.arange(self._size), self._at]
        over = torch.nonzero(self._at == self._steps).flatten()
        if len(over):
            fresh = self._draw(len(over), generator)
            for entry in fields(fresh):
                getattr(self._windows, entry.name)[over] = getattr(fresh, entry.name)
            self._own[over] = fresh.past[:, 0]
            self._at[over] = 0
        everyone = torch.arange(self._size)
        if own_chance < 1.0:
            told = torch.rand(self._size, generator=generator) >= own_chance
            truth = self._windows.past[everyone, self._at]
            self._own = torch.where(told[:, None], truth, self._own)

        def now(values: Tensor) -> Tensor:
            return values[everyone, self._at][:, None]

        return replace(
            self._windows,
            past=self._own[:, None],
            following=now(self._windows.following),
            contacts=now(self._windows.contacts),
            joints=now(self._windows.joints),
        )

    def advance(self, predicted: MotionState) -> None:
        """Take the predictions (B, 1) for the last window as what is read next."""
        if self._windows is None:
            raise ValueError("advance needs the window of next() to be answered first")
        packed = PackedState.pack(predicted.map(lambda part: part.detach()[:, 0]))
        self._own = packed.canonical(packed.heading(), pivot_of(self._windows.offset)).row()
        self._at = self._at + 1
        # A prediction far off all motion teaches nothing: its window is given up.
        usable = torch.isfinite(self._own).all(dim=1) & (self._own.abs().amax(dim=1) < _LARGEST)
        self._at = torch.where(usable, self._at, self._steps)

    def state_dict(self) -> dict[str, Tensor]:
        """For a snapshot; empty before the first step."""
        if self._windows is None:
            return {}
        windows = {
            entry.name: getattr(self._windows, entry.name) for entry in fields(self._windows)
        }
        return {"own": self._own, "at": self._at, **windows}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from a snapshot."""
        if not state:
            self._windows = None
            return
        names = [entry.name for entry in fields(TransitionWindow)]
        self._windows = TransitionWindow(**{name: state[name].clone() for name in names})
        self._own, self._at = state["own"].clone(), state["at"].clone()

    def _draw(self, size: int, generator: torch.Generator) -> TransitionWindow:
        return self._library.draw(size, self._steps, generator, self._mirror_probability)
