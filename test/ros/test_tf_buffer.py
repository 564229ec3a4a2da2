"""Our transform buffer: composition, interpolation, and what it does not know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from humor_ros.ros import tf_door
from humor_ros.ros.rotation_door import (
    matrix_from_euler_xyz,
    matrix_from_quaternion_xyzw,
    quaternion_xyzw_from_matrix,
)
from humor_ros.ros.tf_buffer import RigidTransform, TransformBuffer, TransformUnavailable

pytestmark = pytest.mark.ros
QUARTER_Z = (0.0, 0.0, 0.5**0.5, 0.5**0.5)
UNIT = (0.0, 0.0, 0.0, 1.0)
numbers = st.floats(-3, 3)
vectors = st.tuples(numbers, numbers, numbers)


def chain():
    """map -> base (moving) -> camera (static)."""
    buffer = TransformBuffer()
    buffer.set_transform("map", "base", 1.0, (0, 0, 0), UNIT)
    buffer.set_transform("map", "base", 2.0, (2, 0, 0), QUARTER_Z)
    buffer.set_transform("base", "camera", 0.0, (0, 0, 1), UNIT, static=True)
    return buffer


def test_a_chain_is_composed_at_a_time_between_two():
    found = chain().lookup("map", "camera", 1.5)
    np.testing.assert_allclose(found.translation, (1, 0, 1), atol=1e-12)
    # The oracle is tf2's answer for the same input (Slerp, half of a quarter turn).
    np.testing.assert_allclose(
        found.rotation @ (1, 0, 0), (0.7071067811865476, 0.7071067811865476, 0), atol=1e-12
    )


def test_the_way_back_is_the_inverse():
    there = chain().lookup("map", "camera", 1.7)
    back = chain().lookup("camera", "map", 1.7)
    both = there @ back
    np.testing.assert_allclose(both.rotation, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(both.translation, 0, atol=1e-12)


def test_two_branches_meet_at_their_common_frame():
    buffer = chain()
    buffer.set_transform("base", "imu", 0.0, (1, 0, 0), QUARTER_Z, static=True)
    found = buffer.lookup("camera", "imu", None)
    np.testing.assert_allclose(found.translation, (1, 0, -1), atol=1e-12)
    np.testing.assert_allclose(found.rotation @ (1, 0, 0), (0, 1, 0), atol=1e-12)


@pytest.mark.parametrize("stamp", [0.5, 2.5])
def test_nothing_is_extrapolated(stamp):
    with pytest.raises(TransformUnavailable, match="map"):
        chain().lookup("map", "camera", stamp)


def test_unconnected_frames_are_named():
    with pytest.raises(TransformUnavailable, match="nowhere"):
        chain().lookup("map", "nowhere", None)


def test_a_frame_is_itself_at_any_time():
    np.testing.assert_allclose(chain().lookup("map", "map", 99.0).rotation, np.eye(3))


@pytest.mark.parametrize(
    ("parent", "child", "place", "turn"),
    [
        ("a", "b", (float("nan"), 0, 0), UNIT),
        ("a", "b", (0, 0, 0), (0, 0, 0, 0)),
        ("a", "a", (0, 0, 0), UNIT),
        ("", "b", (0, 0, 0), UNIT),
    ],
)
def test_nonsense_is_not_stored(parent, child, place, turn):
    assert not TransformBuffer().set_transform(parent, child, 0.0, place, turn)


def test_a_loop_of_frames_ends():
    buffer = TransformBuffer()
    buffer.set_transform("a", "b", 0.0, (0, 0, 0), UNIT)
    buffer.set_transform("b", "a", 0.0, (0, 0, 0), UNIT)
    with pytest.raises(TransformUnavailable):
        buffer.lookup("c", "a", None)


def test_old_transforms_expire():
    buffer = TransformBuffer(horizon_s=1.0)
    for stamp in range(10):
        buffer.set_transform("a", "b", float(stamp), (stamp, 0, 0), UNIT)
    with pytest.raises(TransformUnavailable):
        buffer.lookup("a", "b", 2.0)
    np.testing.assert_allclose(buffer.lookup("a", "b", 8.5).translation, (8.5, 0, 0))


def test_late_transforms_are_sorted_in():
    buffer = TransformBuffer()
    for stamp in (1.0, 3.0, 2.0):
        buffer.set_transform("a", "b", stamp, (stamp**2, 0, 0), UNIT)
    np.testing.assert_allclose(buffer.lookup("a", "b", 2.0).translation, (4, 0, 0))


@settings(max_examples=30, deadline=None)
@given(vectors, vectors, vectors, vectors)
def test_transforms_form_a_group(turn_a, move_a, turn_b, move_b):
    a = RigidTransform(Rotation.from_rotvec(turn_a).as_matrix(), np.array(move_a))
    b = RigidTransform(Rotation.from_rotvec(turn_b).as_matrix(), np.array(move_b))
    point = np.array((0.3, -0.2, 0.9))
    through = (a @ b).rotation @ point + (a @ b).translation
    stepwise = a.rotation @ (b.rotation @ point + b.translation) + a.translation
    np.testing.assert_allclose(through, stepwise, atol=1e-9)
    undone = a.inverse() @ (a @ b)
    np.testing.assert_allclose(undone.translation, b.translation, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(vectors)
def test_the_rotation_door_agrees_with_scipy(turn):
    rotation = Rotation.from_rotvec(turn)
    quaternion = quaternion_xyzw_from_matrix(rotation.as_matrix())
    assert quaternion[3] >= 0
    np.testing.assert_allclose(
        matrix_from_quaternion_xyzw(quaternion), rotation.as_matrix(), atol=1e-9
    )
    np.testing.assert_allclose(
        matrix_from_euler_xyz(*turn), Rotation.from_euler("xyz", turn).as_matrix(), atol=1e-9
    )


@pytest.mark.parametrize("quaternion", [(0, 0, 0, 0), (float("nan"), 0, 0, 1)])
def test_an_impossible_quaternion_is_refused(quaternion):
    with pytest.raises(ValueError, match="quaternion"):
        matrix_from_quaternion_xyzw(quaternion)


@pytest.mark.skipif(tf_door.BACKEND != "tf2_ros", reason="tf2_ros cannot be imported here")
def test_the_genuine_buffer_gives_the_same_transform():
    import tf2_ros
    from geometry_msgs.msg import TransformStamped
    from rclpy.time import Time

    from humor_ros.ros.time_conversion import stamp_from_seconds

    genuine = tf2_ros.BufferCore()
    for stamp, x, turn in ((1.0, 0.0, UNIT), (2.0, 2.0, QUARTER_Z)):
        item = TransformStamped(child_frame_id="base")
        item.header.frame_id, item.header.stamp = "map", stamp_from_seconds(stamp)
        item.transform.translation.x = x
        (
            item.transform.rotation.x,
            item.transform.rotation.y,
            item.transform.rotation.z,
            item.transform.rotation.w,
        ) = turn
        genuine.set_transform(item, "test")
    theirs = genuine.lookup_transform_core("map", "base", Time(nanoseconds=1_300_000_000))
    ours = chain().lookup("map", "base", 1.3)
    assert theirs.transform.translation.x == pytest.approx(ours.translation[0], abs=1e-9)
    q = theirs.transform.rotation
    np.testing.assert_allclose(
        matrix_from_quaternion_xyzw((q.x, q.y, q.z, q.w)), ours.rotation, atol=1e-9
    )
