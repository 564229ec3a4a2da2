"""HuMoR: a learned prior over transitions of human motion, and what is fitted with it.

The world of this room is z-up with the floor at z = 0; the networks were made for 30 frames a
second. Every array is a torch tensor with named axes in its docstring.
"""

from __future__ import annotations

from humor_ros.humor.config import PUBLISHED_SIZE, HumorConfig
from humor_ros.humor.networks import HumorNetwork, LatentGaussian
from humor_ros.humor.rollout import RollOut, roll_out, transition_posterior
from humor_ros.humor.state import CONTACT_JOINTS, CONTACT_NAMES, MotionState

__all__ = [
    "CONTACT_JOINTS",
    "CONTACT_NAMES",
    "PUBLISHED_SIZE",
    "HumorConfig",
    "HumorNetwork",
    "LatentGaussian",
    "MotionState",
    "RollOut",
    "roll_out",
    "transition_posterior",
]
