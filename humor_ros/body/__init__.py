"""The skeleton, and bodies in SMPL's file format."""

from __future__ import annotations

from humor_ros.body.kinematics import global_rotations, local_rotations
from humor_ros.body.model import BodyModel, BodyOutput, packaged_body_path
from humor_ros.body.shape import Capsule, bone_lengths, capsules, joint_offsets, stature
from humor_ros.body.skeleton import (
    COCO17_EDGES,
    COCO17_FLIP,
    COCO17_NAMES,
    COMMON14_NAMES,
    FOOT_POINT_MIRROR,
    FOOT_POINT_NAMES,
    LEFT_HIP,
    RIGHT_HIP,
    SMPL_EDGES,
    SMPL_JOINT_NAMES,
    SMPL_MIRROR,
    SMPL_PARENTS,
    WHAM31_NAMES,
)
from humor_ros.body.smpl_arrays import NUM_BETAS, SmplArrays, read_smpl_arrays

__all__ = [
    "COCO17_EDGES",
    "COCO17_FLIP",
    "COCO17_NAMES",
    "COMMON14_NAMES",
    "FOOT_POINT_MIRROR",
    "FOOT_POINT_NAMES",
    "LEFT_HIP",
    "NUM_BETAS",
    "RIGHT_HIP",
    "SMPL_EDGES",
    "SMPL_JOINT_NAMES",
    "SMPL_MIRROR",
    "SMPL_PARENTS",
    "WHAM31_NAMES",
    "BodyModel",
    "BodyOutput",
    "Capsule",
    "SmplArrays",
    "bone_lengths",
    "capsules",
    "global_rotations",
    "joint_offsets",
    "local_rotations",
    "packaged_body_path",
    "read_smpl_arrays",
    "stature",
]
