"""Frames that a window has told, brought to the times of the tracker's rows, with all 24 joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from humor_ros.body import BodyModel
from humor_ros.humor.motion import angular_velocity, velocity
from humor_ros.humor.slerp import rotations_at
from humor_ros.humor.window import SmoothedFrames
from humor_ros.types import Array

__all__ = ["RefinedRows", "refine_rows"]


@dataclass(frozen=True, eq=False)
class RefinedRows:
    """Refined motion of one person at n times; world, metres.

    Attributes:
        betas: (10,) shape.
        body: (n, 21, 3, 3) rotation of each joint relative to its parent, without the hands.
        root_orientation: (n, 3, 3) root to world.
        root_position: (n, 3) root joint.
        root_velocity: (n, 3) m/s; ``root_turning`` (n, 3) rad/s in world axes.
        joints: (n, 24, 3), ``feet`` (n, 4, 3), ``coco`` (n, 17, 3).
        contacts9: (n, 9) probabilities of HuMoR's contacts.
        lag_frames: (n,) frames of 30 a second that were waited for.
    """

    betas: Array
    body: Array
    root_orientation: Array
    root_position: Array
    root_velocity: Array
    root_turning: Array
    joints: Array
    feet: Array
    coco: Array
    contacts9: Array
    lag_frames: Array


def refine_rows(
    told: SmoothedFrames,
    frame_times_s: Array,
    times_s: Array,
    hands: Array,
    body: BodyModel,
) -> RefinedRows:
    """Interpolate told frames.

    Args:
        told: of m frames.
        frame_times_s: (m,) of the frames, growing.
        times_s: (n,) of the rows; those beyond the frames take the nearest one.
        hands: (n, 2, 3, 3) rotations of the hands relative to the wrists.
        body: of the track's shape space.
    """
    motion = told.motion
    take = _Between(frame_times_s, np.clip(times_s, frame_times_s[0], frame_times_s[-1]))
    rotations = rotations_at(take.stamps, motion.rotations.numpy(), take.times)
    root = take.linear(motion.root.numpy())
    speed, turning = np.zeros_like(root), np.zeros_like(root)
    if len(motion.root) > 1:
        speed = take.linear(velocity(motion.root[None])[0].numpy())
        turning = take.linear(angular_velocity(motion.rotations[None, :, 0])[0].numpy())
    whole = torch.as_tensor(np.concatenate((rotations, hands), axis=1)).float()
    posed = body(motion.betas[None].float(), whole)
    shift = root[:, None] - posed.joints[:, :1].double().numpy()
    return RefinedRows(
        betas=motion.betas.numpy(),
        body=rotations[:, 1:],
        root_orientation=rotations[:, 0],
        root_position=root,
        root_velocity=speed,
        root_turning=turning,
        joints=posed.joints.double().numpy() + shift,
        feet=posed.feet.double().numpy() + shift,
        coco=posed.coco17.double().numpy() + shift,
        contacts9=take.linear(told.contacts.numpy()).clip(0.0, 1.0),
        lag_frames=take.linear(told.lag.numpy()[:, None].astype(float))[:, 0],
    )


class _Between:
    """Values of frames at times between them."""

    def __init__(self, stamps: Array, times: Array) -> None:
        self.stamps, self.times = stamps, times

    def linear(self, values: NDArray[Any]) -> Array:
        """(n, k) at the times."""
        columns = [np.interp(self.times, self.stamps, values[:, i]) for i in range(values.shape[1])]
        return np.stack(columns, axis=-1)
