"""Limits of what a body does in a frame, for roll-outs that nothing observes.

Far from all recordings a network says anything, and a roll-out that reads its own output never
comes back from there. So roll-outs of ``rigid`` networks stay within what the recordings hold: no
faster changes, no faster motion, and nobody sinks into the ground or takes off from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from humor_ros.humor.packed import PackedState
from humor_ros.humor.state import NUM_JOINTS

__all__ = ["StepLimits", "limit_constants"]

#: Largest changes in a frame: place, m; its velocity, m/s; turn, rad; turning, rad/s; joints'
#: turns, rad; joints, m; their velocities, m/s. The recordings stay within them.
_CHANGES = ((0.3, 1), (3.0, 1), (0.6, 1), (6.0, 1), (0.8, 21), (1.0, 22), (6.0, 22), (1e9, 3))
#: Largest velocities: of the root, m/s; its turning, rad/s; of joints, m/s.
_SPEED, _SPIN, _JOINT_SPEED = 8.0, 15.0, 16.0
#: The lowest joint stays between these heights; ankles and toes stand at 2 to 9 cm.
_LOW_M, _HIGH_M = -0.1, 0.6
#: Beyond the height that a person starts at, where that is higher (on stairs, say).
_ROOM_M = 0.1


@dataclass(frozen=True, eq=False)
class StepLimits:
    """Limits for B bodies.

    Attributes:
        low, high: (B) heights between which the lowest joint stays.
    """

    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, state: PackedState) -> StepLimits:
        """Those of people who start in states (B)."""
        lowest = state.joints[..., 2].amin(dim=-1)
        return cls((lowest - _ROOM_M).clamp_max(_LOW_M), (lowest + _ROOM_M).clamp_min(_HIGH_M))

    @staticmethod
    def changes(raw: Tensor) -> Tensor:
        """(B, 216) what the decoder writes, shortened where it is too much for a frame."""
        triples = raw.unflatten(-1, (-1, 3))
        return _shortened(triples, limit_constants(raw.dtype, raw.device)[0]).flatten(-2)

    def state(self, state: PackedState) -> PackedState:
        """States (B) slowed down, and lifted or lowered to the ground."""
        vectors = _shortened(
            state.vectors, limit_constants(state.vectors.dtype, state.vectors.device)[1]
        )
        lowest = state.joints[..., 2].amin(dim=-1)
        shift = torch.minimum(torch.maximum(lowest, self.low), self.high) - lowest
        up = limit_constants(vectors.dtype, vectors.device)[2]
        return PackedState(vectors + shift[..., None, None] * up, state.rotations)


def _shortened(vectors: Tensor, longest: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors * (longest / torch.maximum(length, longest))


@cache
def limit_constants(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Longest changes (72, 1), longest vectors (47, 1), and what a lift changes (47, 3)."""
    with torch.inference_mode(False):
        changes = torch.tensor([value for value, count in _CHANGES for _ in range(count)])
        places = torch.full((NUM_JOINTS,), 1e9)
        vectors = torch.cat(
            (
                torch.tensor([1e9, _SPEED, _SPIN]),
                places,
                torch.full((NUM_JOINTS,), _JOINT_SPEED),
            )
        )
        up = torch.zeros(3 + 2 * NUM_JOINTS, 3)
        up[0, 2] = 1.0
        up[3 : 3 + NUM_JOINTS, 2] = 1.0
        return tuple(  # type: ignore[return-value]
            part.to(dtype=dtype, device=device) for part in (changes[:, None], vectors[:, None], up)
        )
