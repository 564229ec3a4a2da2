"""The 69 degrees of freedom of SMPL as ``sensor_msgs/JointState``.

``<id>/<joint>_x``, ``_y`` and ``_z`` are the components of the joint's rotation vector
(axis times angle, radians) in its parent's frame, SMPL order without the root: not three
successive turns.
"""

from __future__ import annotations

import array
from functools import lru_cache

from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from humor_ros.body.skeleton import SMPL_JOINT_NAMES
from humor_ros.ros.derived_human import DerivedHuman

__all__ = ["smpl_joint_state", "smpl_joint_state_names"]


@lru_cache(maxsize=256)
def smpl_joint_state_names(person_id: str) -> list[str]:
    """Names of the 69 degrees of freedom; do not change the list."""
    return [f"{person_id}/{joint}_{axis}" for joint in SMPL_JOINT_NAMES[1:] for axis in "xyz"]


def smpl_joint_state(human: DerivedHuman, header: Header) -> JointState:
    """All joint angles of one person.

    Args:
        human: the person.
        header: stamp of the image; the frame has no meaning here.
    """
    return JointState(
        header=header,
        name=smpl_joint_state_names(human.state.person_id),
        position=array.array("d", human.rotation_vectors.ravel()),
    )
