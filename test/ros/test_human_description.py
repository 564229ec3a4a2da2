"""The 20 joints of REP-155 put limbs where SMPL has them."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from synthetic_people import OFFSETS, make_human

from humor_ros.body.skeleton import SMPL_JOINT_NAMES
from humor_ros.ros.derived_human import DerivedHuman
from humor_ros.ros.human_description import HUMAN_JOINT_NAMES, HumanAngles
from humor_ros.ros.human_lengths import HumanLengths
from humor_ros.ros.urdf import human_urdf

pytestmark = pytest.mark.ros
INDEX = {name: i for i, name in enumerate(SMPL_JOINT_NAMES)}


def link_poses(text, angles):
    """Pose of every link below the root by walking the XML, as robot_state_publisher does."""
    robot = ElementTree.fromstring(text.split("\n", 1)[1])
    joints = {j.find("child").get("link"): j for j in robot.findall("joint")}
    links = [link.get("name") for link in robot.findall("link")]

    def pose(link):
        if link not in joints:
            return np.eye(3), np.zeros(3)
        joint = joints[link]
        rotation, position = pose(joint.find("parent").get("link"))
        origin = np.array([float(v) for v in joint.find("origin").get("xyz").split()])
        turn = np.eye(3)
        if joint.get("type") == "revolute":
            axis = np.array([float(v) for v in joint.find("axis").get("xyz").split()])
            turn = Rotation.from_rotvec(axis * angles[joint.get("name")]).as_matrix()
        return rotation @ turn, rotation @ origin + position

    return {link: pose(link) for link in links}


def posed(human, tracker=None):
    angles = (tracker or HumanAngles()).update(human, HumanLengths.of(human))
    text = human_urdf("abcde", HumanLengths.of(human))
    named = {f"{n}_abcde": a for n, a in zip(HUMAN_JOINT_NAMES, angles, strict=True)}
    return link_poses(text, named), angles


def directions(human, chain):
    points = human.joints_body[[INDEX[name] for name in chain]]
    steps = np.diff(points, axis=0)
    return steps / np.linalg.norm(steps, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", [None, *range(30)])
def test_arms_and_legs_point_where_smpl_has_them(seed):
    human = DerivedHuman(make_human(seed=seed))
    poses, _ = posed(human)
    for short, side in (("l", "left"), ("r", "right")):
        for chain, links, tolerance in (
            (("shoulder", "elbow", "wrist"), ("shoulder", "elbow"), 0.02),
            (("hip", "knee"), ("hip",), 1e-6),
        ):
            wanted = directions(human, [f"{side}_{name}" for name in chain])
            for want, link in zip(wanted, links, strict=False):
                got = poses[f"{short}_{link}_abcde"][0] @ (0, 0, -1)
                bend = math.acos(np.clip(want @ got, -1, 1))
                straight = link == "elbow" and abs(np.cross(*wanted)).max() < 0.35
                assert bend < (0.4 if straight else max(tolerance, 1e-3)), (link, short)


def test_the_head_turns_as_in_smpl():
    pose = np.tile(np.eye(3), (23, 1, 1))
    pose[INDEX["head"] - 1] = Rotation.from_euler("y", 0.5).as_matrix()  # SMPL y is up
    _, angles = posed(DerivedHuman(make_human(body_pose=pose)))
    named = dict(zip(HUMAN_JOINT_NAMES, angles, strict=True))
    assert named["y_head"] == pytest.approx(0.5, abs=1e-6)
    assert named["r_head"] == pytest.approx(0.0, abs=1e-6)


def test_lengths_are_the_persons_own():
    lengths = HumanLengths.of(DerivedHuman(make_human(seed=3)))
    assert lengths.thigh == pytest.approx(np.linalg.norm(OFFSETS[4]), abs=1e-9)
    assert lengths.forearm == pytest.approx(np.linalg.norm(OFFSETS[20]), abs=1e-9)
    assert lengths.hip_width == pytest.approx(0.14, abs=1e-9)


def test_the_urdf_is_one_tree_of_the_20_joints():
    text = human_urdf("abcde", HumanLengths.of(DerivedHuman(make_human())))
    robot = ElementTree.fromstring(text.split("\n", 1)[1])
    moving = [j.get("name") for j in robot.findall("joint") if j.get("type") == "revolute"]
    assert sorted(moving) == sorted(f"{name}_abcde" for name in HUMAN_JOINT_NAMES)
    links = {link.get("name") for link in robot.findall("link")}
    children = [j.find("child").get("link") for j in robot.findall("joint")]
    assert len(children) == len(set(children))
    assert links - set(children) == {"body_abcde"}
    assert {j.find("parent").get("link") for j in robot.findall("joint")} <= links


def test_the_body_frame_stands_between_the_hips():
    human = DerivedHuman(make_human(seed=1))
    hips = human.joints_body[[INDEX["left_hip"], INDEX["right_hip"]]]
    np.testing.assert_allclose(hips.mean(axis=0), 0, atol=1e-12)
    assert hips[0, 1] > 0.05


def test_angles_stay_continuous_while_an_arm_swings_through_hanging():
    tracker = HumanAngles()
    previous = None
    for swing in np.linspace(-0.6, 0.6, 121):
        pose = np.tile(np.eye(3), (23, 1, 1))
        hang = Rotation.from_euler("z", -math.pi / 2 + 0.001)
        forward = Rotation.from_euler("x", -swing)
        pose[INDEX["left_shoulder"] - 1] = (forward * hang).as_matrix()
        human = DerivedHuman(make_human(body_pose=pose))
        angles = tracker.update(human, HumanLengths.of(human))
        if previous is not None:
            assert np.abs(angles - previous).max() < 0.5
        previous = angles
