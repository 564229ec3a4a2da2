"""All transitions of recorded motion in memory, and windows drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_MIRROR
from humor_ros.humor.frames import LocalFrame, in_local_frame, local_frame, root_offset
from humor_ros.humor.mirror import MIRRORED_CONTACTS, REFLECTION, mirrored_rows
from humor_ros.humor.state import NUM_JOINTS, MotionState
from humor_ros.training.humor_motions import ClipTable, MotionSource

__all__ = ["TransitionLibrary", "TransitionWindow", "mirror_rows", "mirrored"]


@dataclass(frozen=True, eq=False)
class TransitionWindow:
    """T transitions on end of B people; each pair is in the canonical frame of its first state.

    Attributes:
        past: (B, T, 339) rows x_t.
        following: (B, T, 339) rows x_t+1.
        contacts: (B, T, 9) labels of x_t+1, 0 or 1.
        joints: (B, T, 22, 3) of x_t+1, all in the canonical frame of the first state.
        flat: (B,) 1 where the floor is flat, else 0.
        betas: (B, S) shapes.
        offset: (B, 3) place of the root joint beside the translation, in the ground plane.
    """

    past: Tensor
    following: Tensor
    contacts: Tensor
    joints: Tensor
    flat: Tensor
    betas: Tensor
    offset: Tensor


class TransitionLibrary:
    """States of all clips as one matrix of rows, from which windows are cut.

    Args:
        source: of the recordings.
        generator: of drawn shapes; None keeps default shapes.
    """

    def __init__(self, source: MotionSource, generator: torch.Generator | None = None) -> None:
        self.source = source
        self.rows = torch.empty(0)
        self.betas = torch.empty(0)
        self.draw_shapes(generator)

    @property
    def clips(self) -> ClipTable:
        """The clips."""
        return self.source.clips

    def draw_shapes(self, generator: torch.Generator | None) -> None:
        """Make all rows anew with other shapes."""
        recorded = self.source.recorded(generator)
        self.rows = recorded.states.vector()
        self.betas = recorded.betas

    def states(self, clip: int) -> MotionState:
        """(T) states of one clip in the world, with contact labels."""
        start, length = int(self.clips.start[clip]), int(self.clips.length[clip])
        return MotionState.from_vector(self.rows[start : start + length])

    def draw(
        self, size: int, steps: int, generator: torch.Generator, mirror_probability: float
    ) -> TransitionWindow:
        """Draw windows by the clips' weights; clips that are too short are left out.

        Args:
            size: B.
            steps: T.
            generator: of the random numbers.
            mirror_probability: share of windows that are mirrored.

        Raises:
            ValueError: no clip is long enough.
        """
        weights = self.clips.weights * (self.clips.length > steps)
        if not bool((weights > 0).any()):
            raise ValueError(f"no clip has {steps + 3} frames, as window_steps={steps} needs")
        clip = torch.multinomial(weights, size, replacement=True, generator=generator)
        room = (self.clips.length[clip] - steps).double()
        place = (torch.rand(size, generator=generator, dtype=torch.float64) * room).long()
        mirror = torch.rand(size, generator=generator) < mirror_probability
        window = self.windows(clip, place, steps)
        return mirrored(window, mirror) if bool(mirror.any()) else window

    def windows(self, clip: Tensor, place: Tensor, steps: int) -> TransitionWindow:
        """Cut windows.

        Args:
            clip: (B,) indices of clips.
            place: (B,) first state within the clip, of its length minus ``steps`` at most.
            steps: T.
        """
        index = (self.clips.start[clip] + place)[:, None] + torch.arange(steps + 1)
        states = MotionState.from_vector(self.rows[index])
        plain = states.without_contacts()
        past = plain.map(lambda part: part[:, :-1])
        frame = local_frame(past)
        offset = root_offset(past, frame)[:, :1]
        each = offset.expand_as(past.trans)
        following = plain.map(lambda part: part[:, 1:])
        start = LocalFrame(frame.rotation[:, :1], frame.shift[:, :1])
        return TransitionWindow(
            past=in_local_frame(past, frame, each).vector(),
            following=in_local_frame(following, frame, each).vector(),
            contacts=states.parts()["contacts"][:, 1:],
            joints=in_local_frame(following, start, offset).joints,
            flat=self.clips.flat[clip].float(),
            betas=self.betas[clip],
            offset=offset[:, 0],
        )


def mirrored(window: TransitionWindow, where: Tensor) -> TransitionWindow:
    """Exchange left and right in some windows; canonical frames stay canonical.

    Args:
        window: B windows.
        where: (B,) which.
    """
    point = window.offset.new_tensor(REFLECTION)

    def swapped(rows: Tensor) -> Tensor:
        return torch.where(where[:, None, None], mirrored_rows(rows), rows)

    return TransitionWindow(
        past=swapped(window.past),
        following=swapped(window.following),
        contacts=torch.where(
            where[:, None, None], window.contacts[..., list(MIRRORED_CONTACTS)], window.contacts
        ),
        joints=torch.where(
            where[:, None, None, None],
            window.joints[..., SMPL_MIRROR[:NUM_JOINTS], :] * point,
            window.joints,
        ),
        flat=window.flat,
        betas=window.betas,
        offset=torch.where(
            where[:, None],
            window.offset * point,
            window.offset,
        ),
    )


def mirror_rows(
    past: Tensor, following: Tensor, contacts: Tensor, first: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Exchange left and right in all transitions from number ``first`` on, in place.

    Args:
        past, following: (N, 339).
        contacts: (N, 9).
        first: number of the first mirrored one.
    """
    past[first:] = mirrored_rows(past[first:])
    following[first:] = mirrored_rows(following[first:])
    contacts[first:] = contacts[first:][:, list(MIRRORED_CONTACTS)]
    return past, following, contacts
