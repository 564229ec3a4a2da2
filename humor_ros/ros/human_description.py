"""REP-155's 20 joints of a human (the names and axes of ``human_description``) from SMPL.

The chain below ``body_<id>`` (x forward, y left, z up; limbs hang along -z at zero):

* ``waist`` turns about y; ``torso`` is fixed above it, between the shoulders;
* ``r_head`` about x, then ``y_head`` about z, then ``p_head`` about -y;
* per arm ``y_shoulder`` about -z (left; +z right), ``p_shoulder`` about x (-x right),
  ``r_shoulder`` about z (-z right), ``elbow`` about -y;
* per leg ``y_hip`` about -z, ``p_hip`` about x (-x right), ``r_hip`` about -y, ``knee`` about -y.

It is a lossy picture of SMPL: one bend for the spine, hinges for elbows and knees, no wrists or
ankles. Limbs keep their true direction in space as far as the hinges allow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from humor_ros.body.skeleton import SMPL_JOINT_NAMES
from humor_ros.ros.derived_human import ROTATION_ROOT_BODY, DerivedHuman
from humor_ros.ros.human_lengths import HumanLengths
from humor_ros.types import Array

__all__ = ["HUMAN_JOINT_NAMES", "HumanAngles"]

#: The 20 joints without their suffix ``_<id>``.
HUMAN_JOINT_NAMES: tuple[str, ...] = (
    "waist",
    "r_head",
    "y_head",
    "p_head",
    *(f"{side}_{joint}" for side in "lr" for joint in ("y_shoulder", "p_shoulder", "r_shoulder")),
    *(f"{side}_elbow" for side in "lr"),
    *(f"{side}_{joint}" for side in "lr" for joint in ("y_hip", "p_hip", "r_hip")),
    *(f"{side}_knee" for side in "lr"),
)

_INDEX = {name: index for index, name in enumerate(SMPL_JOINT_NAMES)}
_SIDES = (("l", "left", 1.0), ("r", "right", -1.0))
#: Below this sine of the shoulder's lift its yaw cannot be seen (the arm hangs, 1.1 degrees).
_SINGULAR = 0.02
#: Sine of the bend of elbow or knee from which the distal limb alone tells the twist.
_SURE_BEND = 0.35


class HumanAngles:
    """Angles of one person over time; keeps yaw and roll continuous where they are singular."""

    def __init__(self) -> None:
        self._previous: dict[str, float] = dict.fromkeys(HUMAN_JOINT_NAMES, 0.0)

    def update(self, human: DerivedHuman, lengths: HumanLengths) -> Array:
        """Angles of this image.

        Args:
            human: the person.
            lengths: of the same person; the lean of the torso in the T-pose is zero bend.

        Returns:
            (20,) radians, order of :data:`HUMAN_JOINT_NAMES`.
        """
        joints = human.joints_body
        frames = ROTATION_ROOT_BODY.T @ human.rotations_root @ ROTATION_ROOT_BODY
        angles: dict[str, float] = {}
        shoulders = 0.5 * (joints[_INDEX["left_shoulder"]] + joints[_INDEX["right_shoulder"]])
        upright = math.atan2(lengths.torso_lean, lengths.torso)
        angles["waist"] = math.atan2(shoulders[0], shoulders[2]) - upright
        torso = Rotation.from_rotvec((0.0, angles["waist"], 0.0)).as_matrix()
        self._head(torso.T @ frames[_INDEX["head"]], angles)
        for short, side, sign in _SIDES:
            arm = _limb(joints, side, ("shoulder", "elbow", "wrist")) @ torso
            # The T-pose arm comes to hang by a quarter turn; its "up" becomes this hinge axis.
            hinge = sign * (torso.T @ frames[_INDEX[f"{side}_shoulder"]])[:, 2]
            self._arm(short, sign, arm, hinge, angles)
            leg = _limb(joints, side, ("hip", "knee", "ankle"))
            self._leg(short, sign, leg, frames[_INDEX[f"{side}_hip"]][:, 1], angles)
        for name, angle in angles.items():
            angles[name] = _nearest_turn(angle, self._previous[name])
        self._previous = angles
        return np.array([angles[name] for name in HUMAN_JOINT_NAMES])

    def _head(self, rotation: Array, angles: dict[str, float]) -> None:
        """Rx(roll) Rz(yaw) Ry(-pitch) = rotation; yaw stays within a quarter turn."""
        angles["y_head"] = math.asin(float(np.clip(-rotation[0, 1], -1.0, 1.0)))
        angles["r_head"] = math.atan2(rotation[2, 1], rotation[1, 1])
        angles["p_head"] = -math.atan2(rotation[0, 2], rotation[0, 0])

    def _arm(
        self, short: str, sign: float, limb: Array, hinge: Array, angles: dict[str, float]
    ) -> None:
        """Rz(-s yaw) Rx(s lift) Rz(s roll) Ry(-elbow) takes -z along upper arm and forearm."""
        upper, fore = limb
        names = [f"{short}_{axis}_shoulder" for axis in "ypr"]
        horizontal = math.hypot(upper[0], upper[1])
        yaw = self._previous[names[0]]
        lift = math.atan2(horizontal, -upper[2])
        if horizontal >= _SINGULAR:
            yaw, lift = _nearest_branch(
                math.atan2(upper[0], sign * upper[1]), lift, yaw, self._previous[names[1]]
            )
        base = _rotation("zx", (-sign * yaw, sign * lift))
        axis = _hinge_axis(upper, fore, hinge)
        roll = sign * _turn_about_z(base.T @ axis)
        angles[names[0]], angles[names[1]], angles[names[2]] = yaw, lift, roll
        angles[f"{short}_elbow"] = _bend(upper, fore)

    def _leg(
        self, short: str, sign: float, limb: Array, hinge: Array, angles: dict[str, float]
    ) -> None:
        """Rz(-yaw) Rx(s lift) Ry(-roll) Ry(-knee) takes -z along thigh and shank."""
        thigh, shank = limb
        # A knee bends backwards: its axis points the other way than an elbow's.
        axis = _hinge_axis(thigh, shank, hinge, backwards=True)
        up = -thigh
        axis = axis - (axis @ up) * up
        axis /= np.linalg.norm(axis)
        frame = np.column_stack((np.cross(axis, up), axis, up))
        lift = math.asin(float(np.clip(frame[2, 1], -1.0, 1.0)))
        angles[f"{short}_p_hip"] = sign * lift
        angles[f"{short}_y_hip"] = -math.atan2(-frame[0, 1], frame[1, 1])
        angles[f"{short}_r_hip"] = -math.atan2(-frame[2, 0], frame[2, 2])
        angles[f"{short}_knee"] = -_bend(thigh, shank)


def _limb(joints: Array, side: str, names: Sequence[str]) -> Array:
    """(2, 3) unit directions of the two segments through three joints."""
    points = joints[[_INDEX[f"{side}_{name}"] for name in names]]
    steps = np.diff(points, axis=0)
    return steps / np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-9)


def _bend(proximal: Array, distal: Array) -> float:
    """Angle between two segments, [0, pi]."""
    return math.atan2(float(np.linalg.norm(np.cross(proximal, distal))), float(proximal @ distal))


def _hinge_axis(proximal: Array, distal: Array, hinge: Array, *, backwards: bool = False) -> Array:
    """Local y axis of a limb: from the bend where there is one, from SMPL's twist where not."""
    normal = np.cross(proximal, distal)
    if not backwards:
        normal = -normal
    trust = min(1.0, float(np.linalg.norm(normal)) / _SURE_BEND)
    across = hinge - (hinge @ proximal) * proximal
    axis = trust * normal / max(float(np.linalg.norm(normal)), 1e-9) + (1.0 - trust) * across
    length = float(np.linalg.norm(axis))
    return axis / length if length > 1e-6 else across


def _turn_about_z(axis: Array) -> float:
    """Angle about z that takes the y axis to ``axis``."""
    return math.atan2(-axis[0], axis[1])


def _nearest_branch(
    yaw: float, lift: float, previous_yaw: float, previous_lift: float
) -> tuple[float, float]:
    """Of (yaw, lift) and (yaw + pi, -lift), which say the same, the one nearer the last."""
    yaw = _nearest_turn(yaw, previous_yaw)
    other = _nearest_turn(yaw + math.pi, previous_yaw)
    here = abs(yaw - previous_yaw) + abs(lift - previous_lift)
    there = abs(other - previous_yaw) + abs(-lift - previous_lift)
    return (yaw, lift) if here <= there else (other, -lift)


def _nearest_turn(angle: float, previous: float) -> float:
    """The angle shifted by whole turns to lie nearest ``previous``."""
    return angle - 2.0 * math.pi * round((angle - previous) / (2.0 * math.pi))


def _rotation(axes: str, angles: Sequence[float]) -> Array:
    """Intrinsic turns about ``axes``."""
    return Rotation.from_euler(axes.upper(), angles).as_matrix()
