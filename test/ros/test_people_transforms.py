"""The TF tree of a person, walked as tf2 walks it, leads to the person's joints."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header
from synthetic_people import make_human, static_motion

from humor_ros.body.skeleton import SMPL_JOINT_NAMES
from humor_ros.ros.derived_human import DerivedHuman
from humor_ros.ros.joint_states import smpl_joint_state, smpl_joint_state_names
from humor_ros.ros.people_transforms import (
    body_transform,
    joint_frame_names,
    person_transforms,
    world_transform,
)
from humor_ros.ros.tf_buffer import TransformBuffer

pytestmark = pytest.mark.ros


def buffer_of(transforms):
    buffer = TransformBuffer()
    for item in transforms:
        move, turn = item.transform.translation, item.transform.rotation
        assert buffer.set_transform(
            item.header.frame_id,
            item.child_frame_id,
            1.0,
            np.array((move.x, move.y, move.z)),
            np.array((turn.x, turn.y, turn.z, turn.w)),
        )
    return buffer


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
@pytest.mark.parametrize("in_world", [True, False])
def test_every_joint_frame_stands_at_its_joint(seed, in_world):
    state = make_human(seed=seed)
    parent = Header(frame_id="parent")
    buffer = buffer_of(person_transforms(DerivedHuman(state), parent, in_world=in_world))
    joints = state.joints_world if in_world else state.joints_camera
    for name, joint in zip(joint_frame_names("abcde"), joints, strict=True):
        np.testing.assert_allclose(
            buffer.lookup("parent", name, None).translation, joint, atol=1e-9
        )


def test_the_last_frame_has_the_product_of_all_rotations():
    state = make_human(seed=4)
    buffer = buffer_of(person_transforms(DerivedHuman(state), Header(frame_id="w"), in_world=True))
    rotation = state.root_orientation_world
    for name in ("spine1", "spine2", "spine3", "neck", "head"):
        rotation = rotation @ state.body_pose[SMPL_JOINT_NAMES.index(name) - 1]
    np.testing.assert_allclose(buffer.lookup("w", "abcde/head", None).rotation, rotation, atol=1e-9)


def test_camera_and_world_trees_agree_through_the_world_frame():
    state = make_human(seed=5)
    camera = Header(frame_id="cam")
    transforms = [
        world_transform(static_motion(), camera, "humor_world"),
        *person_transforms(DerivedHuman(state), camera, in_world=False),
    ]
    found = buffer_of(transforms).lookup("humor_world", "abcde/left_hand", None)
    np.testing.assert_allclose(found.translation, state.joints_world[22], atol=1e-9)


def test_the_body_frame_looks_out_of_the_body_and_up():
    state = make_human()  # upright, facing the camera that looks along +x
    human = DerivedHuman(state)
    buffer = buffer_of([body_transform(human, Header(frame_id="w"), in_world=True)])
    found = buffer.lookup("w", "body_abcde", None)
    np.testing.assert_allclose(found.rotation @ (1, 0, 0), (-1, 0, 0), atol=1e-9)
    np.testing.assert_allclose(found.rotation @ (0, 0, 1), (0, 0, 1), atol=1e-9)
    hips = 0.5 * (state.joints_world[1] + state.joints_world[2])
    np.testing.assert_allclose(found.translation, hips, atol=1e-9)


def test_joint_states_hold_the_rotation_vectors_by_name():
    state = make_human(seed=6)
    message = smpl_joint_state(DerivedHuman(state), Header())
    values = dict(zip(message.name, message.position, strict=True))
    vector = [values[f"abcde/left_knee_{axis}"] for axis in "xyz"]
    np.testing.assert_allclose(
        Rotation.from_rotvec(vector).as_matrix(),
        state.body_pose[SMPL_JOINT_NAMES.index("left_knee") - 1],
        atol=1e-9,
    )
    assert len(set(smpl_joint_state_names("abcde"))) == 69
