"""All transitions of recorded motion in memory, and windows drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_MIRROR
from humor_ros.humor.frames import LocalFrame, in_local_frame, local_frame, root_offset
from humor_ros.humor.state import INPUT_SIZE, NUM_JOINTS, MotionState
from humor_ros.training.humor_motions import ClipTable, MotionSource

__all__ = ["TransitionLibrary", "TransitionWindow", "mirror_rows", "mirrored"]

#: In the plane x = 0.
_REFLECTION = (-1.0, 1.0, 1.0)


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
    order, sign, contact_order = _mirror_constants()
    point = window.offset.new_tensor(_REFLECTION)

    def swapped(rows: Tensor) -> Tensor:
        return torch.where(where[:, None, None], rows[..., order] * sign, rows)

    return TransitionWindow(
        past=swapped(window.past),
        following=swapped(window.following),
        contacts=torch.where(
            where[:, None, None], window.contacts[..., contact_order], window.contacts
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
    order, sign, contact_order = _mirror_constants()
    past[first:] = past[first:][:, order] * sign
    following[first:] = following[first:][:, order] * sign
    contacts[first:] = contacts[first:][:, contact_order]
    return past, following, contacts


@cache
def _mirror_constants() -> tuple[Tensor, Tensor, Tensor]:
    """Mirroring in the plane x = 0 as a signed permutation of rows (339), and of contacts (9)."""
    joints = torch.tensor(SMPL_MIRROR[:NUM_JOINTS])
    point = torch.tensor(_REFLECTION)
    turn = point[:, None] * point  # R' = M R M
    spin = torch.tensor([1.0, -1.0, -1.0])  # an axial vector
    numbers = MotionState.from_vector(torch.arange(INPUT_SIZE))
    order = MotionState(
        trans=numbers.trans,
        trans_vel=numbers.trans_vel,
        root_orient=numbers.root_orient,
        root_orient_vel=numbers.root_orient_vel,
        pose_body=numbers.pose_body[joints[1:] - 1],
        joints=numbers.joints[joints],
        joints_vel=numbers.joints_vel[joints],
    ).vector()
    sign = MotionState(
        trans=point,
        trans_vel=point,
        root_orient=turn,
        root_orient_vel=spin,
        pose_body=turn.expand(NUM_JOINTS - 1, 3, 3),
        joints=point.expand(NUM_JOINTS, 3),
        joints_vel=point.expand(NUM_JOINTS, 3),
    ).vector()
    # hips, knees, ankles, toes, hands: pairs stand side by side
    return order, sign, torch.tensor([0, 2, 1, 4, 3, 6, 5, 8, 7])
