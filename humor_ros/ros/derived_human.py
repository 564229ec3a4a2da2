"""What several outputs need of one human state, each computed at most once an image."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from humor_ros.body.skeleton import SMPL_JOINT_NAMES, SMPL_PARENTS
from humor_ros.types import Array, HumanState, TrackingState

__all__ = ["ROTATION_ROOT_BODY", "DerivedHuman"]

#: REP-155 body axes (x forward out of the body, y left, z up) to SMPL root axes (x left, y up,
#: z out of the belly).
ROTATION_ROOT_BODY: Array = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
ROTATION_ROOT_BODY.setflags(write=False)

_LEFT_HIP = SMPL_JOINT_NAMES.index("left_hip")
_RIGHT_HIP = SMPL_JOINT_NAMES.index("right_hip")
_PARENTS = np.array(SMPL_PARENTS[1:])


class DerivedHuman:
    """A human state and the rotations, offsets and frames that follow from it.

    Args:
        state: the human state; finite throughout.
    """

    def __init__(self, state: HumanState) -> None:
        self.state = state

    @property
    def alive(self) -> bool:
        """Whether the person is still there (a LOST person is told of once, without a pose)."""
        return self.state.tracking_state is not TrackingState.LOST

    @cached_property
    def _rotations(self) -> Rotation:
        state = self.state
        return Rotation.from_matrix(
            np.concatenate(
                (
                    state.root_orientation_camera[None],
                    state.body_pose,
                    state.root_orientation_world[None],
                )
            )
        )

    @cached_property
    def _quaternions(self) -> Array:
        return self._rotations.as_quat()

    @property
    def joint_quaternions_xyzw(self) -> Array:
        """(24, 4) root in the camera, then each joint in its parent."""
        return self._quaternions[:24]

    @property
    def root_world_quaternion_xyzw(self) -> Array:
        """(4,) SMPL root frame in the world."""
        return self._quaternions[24]

    @cached_property
    def rotation_vectors(self) -> Array:
        """(23, 3) axis-angle of each joint in its parent, radians."""
        return self._rotations[1:24].as_rotvec()

    @cached_property
    def rotations_root(self) -> Array:
        """(24, 3, 3) each joint's frame in the SMPL root frame; the first is the identity."""
        rotations = np.empty((24, 3, 3))
        rotations[0] = np.eye(3)
        for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
            rotations[joint] = rotations[parent] @ self.state.body_pose[joint - 1]
        return rotations

    @cached_property
    def joints_root(self) -> Array:
        """(24, 3) joints in the SMPL root frame, metres from the pelvis joint."""
        state = self.state
        return (state.joints_camera - state.joints_camera[0]) @ state.root_orientation_camera

    @cached_property
    def bone_offsets(self) -> Array:
        """(24, 3) each joint in its parent's frame, metres: the person's own bones; row 0 zero."""
        offsets = np.zeros((24, 3))
        steps = self.joints_root[1:] - self.joints_root[_PARENTS]
        offsets[1:] = np.einsum("nji,nj->ni", self.rotations_root[_PARENTS], steps)
        return offsets

    @cached_property
    def body_origin_root(self) -> Array:
        """(3,) origin of ``body_<id>`` (middle of the hips) in the SMPL root frame, metres."""
        return 0.5 * (self.joints_root[_LEFT_HIP] + self.joints_root[_RIGHT_HIP])

    @cached_property
    def joints_body(self) -> Array:
        """(24, 3) joints in the frame ``body_<id>`` (x forward, y left, z up), metres."""
        return (self.joints_root - self.body_origin_root) @ ROTATION_ROOT_BODY
