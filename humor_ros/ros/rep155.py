"""REP-155's topics of tracked bodies: ``/humans/bodies/tracked`` and ``/humans/bodies/<id>/...``.

A person's topics live as long as the person. Those of hri_msgs are there only where that package
can be imported.
"""

from __future__ import annotations

import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, PointStamped, Twist, TwistStamped, Vector3
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import JointState
from std_msgs.msg import Header, String

from humor_ros.ros.derived_human import DerivedHuman
from humor_ros.ros.human_description import HUMAN_JOINT_NAMES, HumanAngles
from humor_ros.ros.human_lengths import HumanLengths
from humor_ros.ros.qos import latched_qos, output_qos
from humor_ros.ros.skeleton2d import normalised_box, skeleton18
from humor_ros.ros.urdf import human_urdf

try:
    import hri_msgs.msg as hri
except ImportError:  # not on PyPI; on a ROS install it comes from apt
    hri = None

__all__ = ["HAS_HRI_MSGS", "Rep155Bodies"]

#: Whether ``tracked``, ``roi`` and ``skeleton2d`` can be published.
HAS_HRI_MSGS = hri is not None
_ROOT = "/humans/bodies"
#: The URDF is sent again when a bone has changed by this much, metres.
_LENGTH_TOLERANCE_M = 0.01
#: The bones are measured in every so many images of a person.
_DESCRIBE_EVERY = 30


class Rep155Bodies:
    """Publishers of everybody who is tracked.

    A publisher must not be destroyed by another thread while the executor gathers what it waits
    for: rclpy then raises in the executor, and the node ends. Publishers of people who have gone
    are therefore kept until :meth:`tidy`.

    Args:
        node: that publishes.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._bodies: dict[str, _Body] = {}
        self._gone: list[_Body] = []
        self._said: list[str] = []
        self._tracked: Publisher | None = None
        if hri is not None:
            self._tracked = node.create_publisher(hri.IdsList, f"{_ROOT}/tracked", output_qos())

    def publish(
        self,
        people: Sequence[DerivedHuman],
        header: Header,
        image_header: Header,
        image_size: tuple[int, int],
        *,
        in_world: bool,
    ) -> None:
        """Publish one image's people.

        Args:
            people: everybody alive.
            header: stamp of the image and the frame of positions and velocities.
            image_header: of the image.
            image_size: width and height, pixels.
            in_world: whether ``header`` names the world frame, else the camera's.
        """
        names = [human.state.person_id for human in people]
        for name in [name for name in self._bodies if name not in names]:
            self._gone.append(self._bodies.pop(name))
        for human in people:
            body = self._bodies.get(human.state.person_id)
            if body is None:
                body = self._bodies[human.state.person_id] = _Body(
                    self._node, human.state.person_id
                )
            body.publish(human, header, image_header, image_size, in_world=in_world)
        self._tell_ids(names, image_header)

    def clear(self, header: Header) -> None:
        """Say that nobody is tracked any more; the next :meth:`tidy` gives the topics back."""
        self._gone += self._bodies.values()
        self._bodies.clear()
        self._tell_ids([], header)

    def tidy(self) -> None:
        """Give the topics of people who have gone back; on the executor's thread."""
        while self._gone:
            self._gone.pop().close()

    def close(self) -> None:
        """Give every publisher back; on the executor's thread, or once nothing spins any more."""
        self._gone += self._bodies.values()
        self._bodies.clear()
        self.tidy()
        if self._tracked is not None:
            self._node.destroy_publisher(self._tracked)
            self._tracked = None

    def _tell_ids(self, names: list[str], header: Header) -> None:
        if self._tracked is not None and (names or self._said):
            self._tracked.publish(hri.IdsList(header=header, ids=names))
        self._said = names


class _Body:
    """The topics of one person."""

    def __init__(self, node: Node, person_id: str) -> None:
        self._node = node
        self._id = person_id
        self._angles = HumanAngles()
        self._names = [f"{name}_{person_id}" for name in HUMAN_JOINT_NAMES]
        self._lengths: HumanLengths
        self._images = 0
        prefix = f"{_ROOT}/{person_id}"
        self._urdf = node.create_publisher(String, f"{prefix}/urdf", latched_qos())
        self._joints = node.create_publisher(JointState, f"{prefix}/joint_states", output_qos())
        self._position = node.create_publisher(PointStamped, f"{prefix}/position", output_qos())
        self._velocity = node.create_publisher(TwistStamped, f"{prefix}/velocity", output_qos())
        self._roi: Publisher | None = None
        self._skeleton: Publisher | None = None
        if hri is not None:
            self._roi = node.create_publisher(
                hri.NormalizedRegionOfInterest2D, f"{prefix}/roi", output_qos()
            )
            self._skeleton = node.create_publisher(
                hri.Skeleton2D, f"{prefix}/skeleton2d", output_qos()
            )

    def publish(
        self,
        human: DerivedHuman,
        header: Header,
        image_header: Header,
        image_size: tuple[int, int],
        *,
        in_world: bool,
    ) -> None:
        if self._images % _DESCRIBE_EVERY == 0:
            self._describe(human)
        self._images += 1
        if self._joints.get_subscription_count():
            angles = self._angles.update(human, self._lengths)
            self._joints.publish(
                JointState(header=header, name=self._names, position=array.array("d", angles))
            )
        if self._position.get_subscription_count():
            self._position.publish(self._position_message(human, header, in_world))
        if self._velocity.get_subscription_count():
            self._velocity.publish(self._velocity_message(human, header, in_world))
        if self._roi is not None and self._roi.get_subscription_count():
            self._roi.publish(_roi_message(human, image_header, image_size))
        if self._skeleton is not None and self._skeleton.get_subscription_count():
            self._skeleton.publish(_skeleton_message(human, image_header, image_size))

    def _describe(self, human: DerivedHuman) -> None:
        """Send the URDF first and when the estimate of the bones has moved."""
        lengths = HumanLengths.of(human)
        if self._images == 0 or lengths.differs_from(self._lengths, _LENGTH_TOLERANCE_M):
            self._lengths = lengths
            self._urdf.publish(String(data=human_urdf(self._id, lengths)))

    def close(self) -> None:
        for publisher in (
            self._urdf,
            self._joints,
            self._position,
            self._velocity,
            self._roi,
            self._skeleton,
        ):
            if publisher is not None:
                self._node.destroy_publisher(publisher)

    @staticmethod
    def _position_message(human: DerivedHuman, header: Header, in_world: bool) -> PointStamped:
        """The middle of the hips, origin of ``body_<id>``."""
        state = human.state
        root = state.root_orientation_world if in_world else state.root_orientation_camera
        pelvis = state.root_position_world if in_world else state.root_position_camera
        x, y, z = (pelvis + root @ human.body_origin_root).tolist()
        return PointStamped(header=header, point=Point(x=x, y=y, z=z))

    @staticmethod
    def _velocity_message(human: DerivedHuman, header: Header, in_world: bool) -> TwistStamped:
        state = human.state
        turn = np.eye(3)
        if not in_world:
            turn = state.root_orientation_camera @ state.root_orientation_world.T
        lx, ly, lz = (turn @ state.root_linear_velocity_world).tolist()
        ax, ay, az = (turn @ state.root_angular_velocity_world).tolist()
        return TwistStamped(
            header=header,
            twist=Twist(linear=Vector3(x=lx, y=ly, z=lz), angular=Vector3(x=ax, y=ay, z=az)),
        )


def _roi_message(human: DerivedHuman, header: Header, size: tuple[int, int]) -> Any:
    left, top, right, bottom = normalised_box(human.state.box_xyxy, size).tolist()
    confidence = float(np.clip(human.state.joint_confidence.mean(), 0.0, 1.0))
    return hri.NormalizedRegionOfInterest2D(
        header=header, xmin=left, ymin=top, xmax=right, ymax=bottom, c=confidence
    )


def _skeleton_message(human: DerivedHuman, header: Header, size: tuple[int, int]) -> Any:
    points = skeleton18(human.state.keypoints_image, size).tolist()
    message = hri.Skeleton2D(header=header)
    message.skeleton = [hri.NormalizedPointOfInterest2D(x=x, y=y, c=c) for x, y, c in points]
    return message
