"""Stretches in which nobody sees a person: waited for, and bridged once they are over.

In real time a window can but guess where somebody unseen goes. A recording knows where they come
into sight again: with ``WindowConfig.bridge`` the frames of such a stretch are told only then, and
start from the last solution, led to that place.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from humor_ros.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from humor_ros.humor.window_values import WindowMotion, WindowObservations

__all__ = ["bridged", "closed_gap", "frames_in_open_gap"]


def frames_in_open_gap(hidden: Tensor, frame: int) -> int:
    """How many frames before this one belong to a stretch without sight that goes on at it.

    Args:
        hidden: (T,) whether nothing was seen.
        frame: in [0, T).
    """
    if not bool(hidden[frame]):
        return 0
    seen = (~hidden[:frame]).nonzero()
    return frame - (int(seen[-1]) + 1 if len(seen) else 0)


def closed_gap(hidden: Tensor, old: int) -> tuple[int, int] | None:
    """The stretch without sight that was open in the old frames and ends with the new ones.

    Args:
        hidden: (T,) whether nothing was seen.
        old: number of frames that were there before, in [1, T].

    Returns:
        Its first frame and the one after its last; None where there is none, or where nothing
        before it is in the window.
    """
    again = (~hidden[old:]).nonzero()
    if not bool(hidden[old - 1]) or not len(again):
        return None
    first = old - 1 - frames_in_open_gap(hidden, old - 1)
    return (first, old + int(again[0])) if first else None


def bridged(motion: WindowMotion, seen: WindowObservations, gap: tuple[int, int]) -> WindowMotion:
    """Lead a motion through a gap to where the tracker sees the person again.

    Args:
        motion: T frames; those from the gap's end on are replaced.
        seen: T frames of the tracker.
        gap: as of :func:`closed_gap`.

    Returns:
        The motion: as far from the tracker's after the gap as it was before it, and in the gap
        moved toward that by shares that grow evenly.
    """
    first, stop = gap
    at = first - 1
    bend = motion.rotations[at] @ seen.rotations[at].transpose(-1, -2)
    after = seen.root[stop:] + motion.root[at] - seen.root[at]
    after_rotations = bend @ seen.rotations[stop:]
    share = torch.arange(1, stop - at, dtype=after.dtype) / (stop - at)
    end = stop - 1
    miss = after[0] - motion.root[end]
    turn = matrix_to_axis_angle(after_rotations[0] @ motion.rotations[end].transpose(-1, -2))
    turned = axis_angle_to_matrix(turn * share[:, None, None]) @ motion.rotations[first:stop]
    return replace(
        motion,
        root=torch.cat(
            (motion.root[:first], motion.root[first:stop] + share[:, None] * miss, after)
        ),
        rotations=torch.cat((motion.rotations[:first], turned, after_rotations)),
    )
