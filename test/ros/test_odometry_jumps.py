"""Odometry and TF that jump (a loop that was closed, REP-105), over DDS: told, and people stay."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseWithCovariance,
    Quaternion,
    Transform,
    TransformStamped,
    Vector3,
)
from imu_rig import ImuRig
from nav_msgs.msg import Odometry
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from humor_ros.inertial import LEVEL_WORLD_CAMERA
from humor_ros.ros.qos import output_qos
from humor_ros.ros.tf_buffer import TransformUnavailable
from humor_ros.ros.time_conversion import seconds_from_stamp, stamp_from_seconds
from humor_ros.wham.anchor import MAX_TIE_SPEED

pytestmark = pytest.mark.ros
BEFORE = np.array([1.0, -2.0, 1.3])
JUMP = np.array([0.5, 0.6, 0.0])
X, Y, Z, W = Rotation.from_matrix(LEVEL_WORLD_CAMERA).as_quat()


class MovedRig(ImuRig):
    """A camera that stands still, and a robot that says where it stands.

    Args:
        source: "odom" or "tf".
    """

    def __init__(self, source):
        parameters = {"camera_pose.source": source, "camera_pose.world_frame": "odom"}
        super().__init__(parameters, attitude=lambda _: LEVEL_WORLD_CAMERA)
        self.place = BEFORE
        kind, topic = (Odometry, "odom") if source == "odom" else (TFMessage, "/tf")
        self.poses = self.peer.create_publisher(kind, topic, output_qos())
        self._source = source

    def activate(self):
        super().activate()
        self.wait(lambda: self.poses.get_subscription_count() > 0)

    def show(self, stamp_s):
        header = Header(stamp=stamp_from_seconds(stamp_s), frame_id="odom")
        x, y, z = self.place
        turn = Quaternion(x=X, y=Y, z=Z, w=W)
        if self._source == "odom":
            pose = PoseWithCovariance(pose=Pose(position=Point(x=x, y=y, z=z), orientation=turn))
            self.poses.publish(Odometry(header=header, child_frame_id="cam", pose=pose))
        else:
            moved = Transform(translation=Vector3(x=x, y=y, z=z), rotation=turn)
            item = TransformStamped(header=header, child_frame_id="cam", transform=moved)
            self.poses.publish(TFMessage(transforms=[item]))
        self.wait(lambda: self._arrived(stamp_s))
        super().show(stamp_s)

    def _arrived(self, stamp_s):
        poses = self.node._inputs.poses
        if self._source == "odom":
            return poses._odometry
        try:
            told_s = seconds_from_stamp(stamp_from_seconds(stamp_s))  # in whole nanoseconds
            return poses._listener.lookup("odom", "cam", told_s)
        except TransformUnavailable:
            return None

    def told(self):
        """States of the images so far, once all have come."""
        told = self.received["/tracker/humans"]
        self.wait(lambda: len(told) == self.node._worker.times.processed)
        return list(told)


def place_of(state):
    """(3,) of the only person's root, and its (3, 3) covariance."""
    (human,) = state.humans
    at = human.root_world.pose.position
    covariance = np.array(human.root_world.covariance).reshape(6, 6)[:3, :3]
    return np.array((at.x, at.y, at.z)), covariance


@pytest.mark.parametrize("source", ["odom", "tf"])
def test_a_jump_is_told_and_moves_people_slowly_with_their_uncertainty(rclpy_session, source):
    with MovedRig(source) as r:
        r.activate()
        r.play(2.5)
        people = r.ids
        assert len(people) == 1
        before = r.told()
        assert r.pipeline.counters["inertial.pose_jumps"] == 0
        lines = r.log_lines()
        r.place = BEFORE + JUMP  # of 0.78 m
        r.play(4.0)
        after = r.told()[len(before) :]

        assert r.ids == people
        assert r.pipeline.counters["inertial.pose_jumps"] == 1
        r.wait_for_count("inertial.pose_jumps")
        r.wait(lambda: any("camera poses leap further" in line for line in lines))
        assert {state.world_frame for state in after} == {"odom"}
        at = after[0].camera_world.pose.position  # the camera is where TF says that it is
        np.testing.assert_allclose((at.x, at.y, at.z), BEFORE + JUMP, atol=0.05)

        start, _ = place_of(before[-1])
        path = np.array([start, *(place_of(state)[0] for state in after)])
        steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
        assert steps.max() < MAX_TIE_SPEED * r.image_s + 0.03
        np.testing.assert_allclose(path[-1] - start, JUMP, atol=0.15)
        inside = []
        for state in after:
            place, covariance = place_of(state)
            error = place - (start + JUMP)
            inside.append(float(error @ np.linalg.solve(covariance, error)) < 16.0)
        assert np.mean(inside) > 0.9
