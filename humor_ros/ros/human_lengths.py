"""The lengths of one person that the URDF of REP-155 is made of."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from humor_ros.body.skeleton import SMPL_JOINT_NAMES, SMPL_PARENTS
from humor_ros.ros.derived_human import ROTATION_ROOT_BODY, DerivedHuman

__all__ = ["HumanLengths"]

_INDEX = {name: index for index, name in enumerate(SMPL_JOINT_NAMES)}


@dataclass(frozen=True)
class HumanLengths:
    """Bone lengths in metres, the mean of both sides.

    Attributes:
        hip_width: between the hip joints.
        torso: from the middle of the hips up to the middle of the shoulders, T-pose.
        torso_lean: the same forward (negative: the shoulders stand behind the hips).
        shoulder_width: between the shoulder joints.
        neck: from the middle of the shoulders up to the head joint.
        upper_arm: shoulder to elbow.
        forearm: elbow to wrist.
        thigh: hip to knee.
        shank: knee to ankle.
    """

    hip_width: float
    torso: float
    torso_lean: float
    shoulder_width: float
    neck: float
    upper_arm: float
    forearm: float
    thigh: float
    shank: float

    @classmethod
    def of(cls, human: DerivedHuman) -> HumanLengths:
        """Measure a person in the T-pose that its bone offsets make."""
        offsets = human.bone_offsets
        joints = np.zeros((24, 3))
        for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
            joints[joint] = joints[parent] + offsets[joint]
        joints = joints @ ROTATION_ROOT_BODY

        def at(name: str) -> np.ndarray:
            return joints[_INDEX[name]]

        def both(upper: str, lower: str) -> float:
            steps = [at(f"{side}_{lower}") - at(f"{side}_{upper}") for side in ("left", "right")]
            return float(np.mean(np.linalg.norm(steps, axis=1)))

        hips = 0.5 * (at("left_hip") + at("right_hip"))
        shoulders = 0.5 * (at("left_shoulder") + at("right_shoulder"))
        return cls(
            hip_width=float(np.linalg.norm(at("left_hip") - at("right_hip"))),
            torso=float(shoulders[2] - hips[2]),
            torso_lean=float(shoulders[0] - hips[0]),
            shoulder_width=float(np.linalg.norm(at("left_shoulder") - at("right_shoulder"))),
            neck=max(0.02, float(at("head")[2] - shoulders[2])),
            upper_arm=both("shoulder", "elbow"),
            forearm=both("elbow", "wrist"),
            thigh=both("hip", "knee"),
            shank=both("knee", "ankle"),
        )

    def differs_from(self, other: HumanLengths, tolerance: float) -> bool:
        """Whether any length differs by more than ``tolerance`` metres."""
        return bool(np.max(np.abs(np.subtract(astuple(self), astuple(other)))) > tolerance)
