"""What the online smoother tells of an image: each person refined, or as the tracker has it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from humor_ros.humor.contacts9 import nine_from_soles, soles_from_nine
from humor_ros.humor.refined_rows import RefinedRows
from humor_ros.humor.seen import SeenImage, SeenRow
from humor_ros.humor.state import CONTACT_JOINTS, FRAME_RATE
from humor_ros.types import Array, HumanState

__all__ = ["RefinedHuman", "RefinedImage", "as_tracked", "refined_human"]


@dataclass(frozen=True, eq=False)
class RefinedHuman:
    """One person in one image.

    Attributes:
        state: refined, or the tracker's own.
        contacts9: (9,) probabilities of HuMoR's contacts; hips, knees and hands are 0 where the
            motion is the tracker's.
        contact_positions9: (9, 3) those joints in the world, metres.
        smoothed: whether the state is refined.
        lag_s: time between the image and the newest one that the refined state knows of.
    """

    state: HumanState
    contacts9: Array
    contact_positions9: Array
    smoothed: bool
    lag_s: float


@dataclass(frozen=True, eq=False)
class RefinedImage:
    """All people of one image of the tracker."""

    image: SeenImage
    humans: tuple[RefinedHuman, ...]


def as_tracked(human: HumanState) -> RefinedHuman:
    """The tracker's own state of one person."""
    nine = nine_from_soles(torch.as_tensor(np.asarray(human.contacts, np.float64))).numpy()
    positions = np.asarray(human.joints_world)[list(CONTACT_JOINTS)]
    return RefinedHuman(human, nine, positions, smoothed=False, lag_s=0.0)


def refined_human(row: SeenRow, rows: RefinedRows, index: int, centre: Array) -> RefinedHuman:
    """The tracker's state with the refined motion in its place; covariances stay the tracker's.

    Args:
        row: the tracker's.
        rows: refined motion.
        index: of the row in it.
        centre: (3,) where the camera is taken to have been, world, metres.
    """
    human, image = row.human, row.image
    turn = np.asarray(image.rotation_world_camera)
    joints = rows.joints[index]
    seen = (joints - centre) @ turn
    contacts9 = rows.contacts9[index]
    state = replace(
        human,
        betas=rows.betas,
        body_pose=np.concatenate((rows.body[index], human.body_pose[21:])),
        root_orientation_camera=turn.T @ rows.root_orientation[index],
        root_position_camera=seen[0],
        root_orientation_world=rows.root_orientation[index],
        root_position_world=joints[0],
        root_linear_velocity_world=rows.root_velocity[index],
        root_angular_velocity_world=rows.root_turning[index],
        joints_camera=seen,
        joints_world=joints,
        coco17_camera=(rows.coco[index] - centre) @ turn,
        contacts=soles_from_nine(torch.as_tensor(contacts9)).numpy(),
        contact_positions_world=rows.feet[index],
    )
    lag_s = float(rows.lag_frames[index]) / FRAME_RATE
    return RefinedHuman(state, contacts9, joints[list(CONTACT_JOINTS)], True, lag_s)
