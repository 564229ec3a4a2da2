"""Every transition of a library in its canonical frame, ready to be drawn by its number."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_MIRROR
from humor_ros.geometry import matrix_to_axis_angle
from humor_ros.humor.packed import PackedState
from humor_ros.humor.state import NUM_JOINTS, MotionState
from humor_ros.training.humor_noise import mirrored_changes
from humor_ros.training.humor_transitions import TransitionLibrary, mirror_rows

__all__ = ["TransitionBatch", "TransitionTable"]

_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class TransitionBatch:
    """N transitions.

    Attributes:
        past, following: (N, 339) in the canonical frame of the first.
        changes: (N, 207) what the decoder should write.
        contacts: (N, 9) labels of the second.
        flat: (N,) 1 where the floor is flat.
    """

    past: Tensor
    following: Tensor
    changes: Tensor
    contacts: Tensor
    flat: Tensor


class TransitionTable:
    """All transitions of all clips; it is made anew where the library's shapes change.

    Args:
        library: of the clips.
    """

    def __init__(self, library: TransitionLibrary) -> None:
        clips = library.clips
        each = clips.length - 1
        self._first = each.cumsum(0) - each
        self._count = each
        self._weights = clips.weights * (each > 0)
        clip = torch.repeat_interleave(torch.arange(len(each)), each)
        place = torch.arange(int(each.sum())) - self._first[clip]
        parts: list[tuple[Tensor, ...]] = []
        for begin in range(0, len(clip), _CHUNK):
            cut = slice(begin, begin + _CHUNK)
            window = library.windows(clip[cut], place[cut], 1)
            past, following = window.past[:, 0], window.following[:, 0]
            parts.append((past, following, changes(past, following), window.contacts[:, 0]))
        self._past, self._following, self._changes, self._contacts = (
            torch.cat(values) for values in zip(*parts, strict=True)
        )
        self._flat = clips.flat[clip].float()
        self._change_mirror = mirrored_changes(torch.tensor(SMPL_MIRROR[:NUM_JOINTS]))

    def __len__(self) -> int:
        return len(self._past)

    def draw(
        self, size: int, generator: torch.Generator, mirror_probability: float
    ) -> TransitionBatch:
        """Draw transitions by the clips' weights; some are mirrored.

        Args:
            size: N.
            generator: of the random numbers.
            mirror_probability: share of mirrored ones, which stand last.
        """
        clip = torch.multinomial(self._weights, size, replacement=True, generator=generator)
        share = torch.rand(size, generator=generator, dtype=torch.float64)
        index = self._first[clip] + (share * self._count[clip]).long()
        plain = size - int(torch.rand(size, generator=generator).lt(mirror_probability).sum())
        past, following, contacts = mirror_rows(
            self._past[index], self._following[index], self._contacts[index], plain
        )
        order, sign = self._change_mirror
        wanted = self._changes[index]
        wanted[plain:] = wanted[plain:][:, order] * sign
        return TransitionBatch(past, following, wanted, contacts, self._flat[index])


def changes(past: Tensor, following: Tensor) -> Tensor:
    """(N, 207) what the decoder should write between rows (N, 339) of one frame."""
    before = PackedState.pack(MotionState.from_vector(past))
    after = PackedState.pack(MotionState.from_vector(following))
    moved = (after.vectors - before.vectors).flatten(1)
    turned = matrix_to_axis_angle(after.rotations @ before.rotations.transpose(-1, -2)).flatten(1)
    return torch.cat((moved[:, :6], turned[:, :3], moved[:, 6:9], turned[:, 3:], moved[:, 9:]), 1)
