"""HuMoR: a learned prior over transitions of human motion, and what is fitted with it.

The world of this room is z-up with the floor at z = 0; the networks were made for 30 frames a
second. Every array is a torch tensor with named axes in its docstring.
"""

from __future__ import annotations

from humor_ros.humor.body import HumorBody
from humor_ros.humor.config import PUBLISHED_SIZE, HumorConfig
from humor_ros.humor.fit import FitResult, MotionFitter
from humor_ros.humor.fit_config import FitConfig, StageWeights, preset
from humor_ros.humor.mixture import InitialStateMixture
from humor_ros.humor.networks import HumorNetwork, LatentGaussian
from humor_ros.humor.pose_prior import PosePrior, RotationVectorPose, VPoser
from humor_ros.humor.rollout import RollOut, roll_out, transition_posterior
from humor_ros.humor.state import CONTACT_JOINTS, CONTACT_NAMES, MotionState
from humor_ros.humor.variables import FitObservations
from humor_ros.humor.weights import load_network
from humor_ros.humor.windows import LongFit, fit_recording

__all__ = [
    "CONTACT_JOINTS",
    "CONTACT_NAMES",
    "PUBLISHED_SIZE",
    "FitConfig",
    "FitObservations",
    "FitResult",
    "HumorBody",
    "HumorConfig",
    "HumorNetwork",
    "InitialStateMixture",
    "LatentGaussian",
    "LongFit",
    "MotionFitter",
    "MotionState",
    "PosePrior",
    "RollOut",
    "RotationVectorPose",
    "StageWeights",
    "VPoser",
    "fit_recording",
    "load_network",
    "preset",
    "roll_out",
    "transition_posterior",
]
