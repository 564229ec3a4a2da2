"""The one door to transforms: tf2_ros where it can be imported, our own buffer where not.

Both listeners answer in :class:`~humor_ros.ros.tf_buffer.RigidTransform` and raise
:class:`~humor_ros.ros.tf_buffer.TransformUnavailable`; both broadcasters send one
``tf2_msgs/TFMessage`` for a list of transforms.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Protocol

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

from humor_ros.ros.rotation_door import matrix_from_quaternion_xyzw
from humor_ros.ros.tf_buffer import RigidTransform, TransformBuffer, TransformUnavailable
from humor_ros.ros.time_conversion import seconds_from_stamp

__all__ = [
    "BACKEND",
    "TransformListener",
    "TransformSender",
    "make_listener",
    "make_sender",
    "send_static",
]

_HAS_TF2_ROS = importlib.util.find_spec("tf2_ros") is not None
#: Name of the library in use.
BACKEND = "tf2_ros" if _HAS_TF2_ROS else "humor_ros"


class TransformListener(Protocol):
    """Answers where frames are."""

    def lookup(self, target: str, source: str, stamp_s: float | None) -> RigidTransform:
        """The transform that maps ``source`` to ``target``; None asks for the newest.

        Raises:
            TransformUnavailable: naming the frames.
        """

    def clear(self) -> None:
        """Forget moving transforms (a jump of the clock)."""

    def close(self) -> None:
        """Stop listening."""


class TransformSender(Protocol):
    """Sends transforms of one image together."""

    @property
    def heard(self) -> bool:
        """Whether anybody subscribes to ``/tf``."""

    def send(self, transforms: list[TransformStamped]) -> None:
        """Publish all in one message."""

    def close(self) -> None:
        """Give the publisher back."""


def make_listener(node: Node) -> TransformListener:
    """Listen to ``/tf`` and ``/tf_static``."""
    return _Tf2Listener(node) if _HAS_TF2_ROS else OwnListener(node)


def make_sender(node: Node) -> TransformSender:
    """Publish on ``/tf``."""
    return _Tf2Sender(node) if _HAS_TF2_ROS else OwnSender(node)


class OwnListener:
    """Fills a :class:`TransformBuffer` from ``/tf`` and ``/tf_static``.

    Attributes:
        rejected: transforms with NaN, a zero quaternion or an empty frame name.
    """

    def __init__(self, node: Node) -> None:
        self.buffer = TransformBuffer()
        self.rejected = 0
        self._node = node
        static = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscriptions: list[Any] = [
            node.create_subscription(TFMessage, "/tf", self._on_moving, QoSProfile(depth=100)),
            node.create_subscription(TFMessage, "/tf_static", self._on_static, static),
        ]

    def lookup(self, target: str, source: str, stamp_s: float | None) -> RigidTransform:
        """See :class:`TransformListener`."""
        return self.buffer.lookup(target, source, stamp_s)

    def clear(self) -> None:
        """See :class:`TransformListener`."""
        self.buffer.clear()

    def close(self) -> None:
        """See :class:`TransformListener`."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _on_moving(self, message: TFMessage) -> None:
        self._store(message, static=False)

    def _on_static(self, message: TFMessage) -> None:
        self._store(message, static=True)

    def _store(self, message: TFMessage, *, static: bool) -> None:
        for item in message.transforms:
            move, turn = item.transform.translation, item.transform.rotation
            stored = self.buffer.set_transform(
                item.header.frame_id,
                item.child_frame_id,
                seconds_from_stamp(item.header.stamp),
                np.array((move.x, move.y, move.z)),
                np.array((turn.x, turn.y, turn.z, turn.w)),
                static=static,
            )
            self.rejected += not stored


class OwnSender:
    """Publishes ``tf2_msgs/TFMessage`` on ``/tf`` as tf2_ros does."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(TFMessage, "/tf", QoSProfile(depth=100))

    @property
    def heard(self) -> bool:
        """See :class:`TransformSender`."""
        return bool(self._publisher.get_subscription_count())

    def send(self, transforms: list[TransformStamped]) -> None:
        """See :class:`TransformSender`."""
        self._publisher.publish(TFMessage(transforms=transforms))

    def close(self) -> None:
        """See :class:`TransformSender`."""
        self._node.destroy_publisher(self._publisher)


class _Tf2Listener:
    """tf2_ros behind the door."""

    def __init__(self, node: Node) -> None:
        import tf2_ros

        self._tf2 = tf2_ros
        self._buffer = tf2_ros.Buffer(cache_time=Duration(seconds=10.0))
        self._listener = tf2_ros.TransformListener(self._buffer, node, spin_thread=False)

    def lookup(self, target: str, source: str, stamp_s: float | None) -> RigidTransform:
        """See :class:`TransformListener`."""
        time = Time() if stamp_s is None else Time(nanoseconds=round(stamp_s * 1e9))
        try:
            found = self._buffer.lookup_transform(target, source, time).transform
        except self._tf2.TransformException as error:
            raise TransformUnavailable(
                f"no transform from {source!r} to {target!r}: {error}"
            ) from error
        move, turn = found.translation, found.rotation
        return RigidTransform(
            matrix_from_quaternion_xyzw((turn.x, turn.y, turn.z, turn.w)),
            np.array((move.x, move.y, move.z)),
        )

    def clear(self) -> None:
        """See :class:`TransformListener`."""
        self._buffer.clear()

    def close(self) -> None:
        """See :class:`TransformListener`."""
        self._listener.unregister()


class _Tf2Sender:
    """tf2_ros.TransformBroadcaster behind the door."""

    def __init__(self, node: Node) -> None:
        import tf2_ros

        self._node = node
        self._broadcaster = tf2_ros.TransformBroadcaster(node)

    @property
    def heard(self) -> bool:
        """See :class:`TransformSender`."""
        publisher = getattr(self._broadcaster, "pub_tf", None)
        return publisher is None or bool(publisher.get_subscription_count())

    def send(self, transforms: list[TransformStamped]) -> None:
        """See :class:`TransformSender`."""
        self._broadcaster.sendTransform(transforms)

    def close(self) -> None:
        """See :class:`TransformSender`."""
        publisher = getattr(self._broadcaster, "pub_tf", None)
        if publisher is not None:
            self._node.destroy_publisher(publisher)


def send_static(node: Node, transforms: list[TransformStamped]) -> object:
    """Publish transforms that never change on ``/tf_static``.

    Returns:
        The publisher or broadcaster; keep it, the transforms go with it.
    """
    if _HAS_TF2_ROS:
        import tf2_ros

        broadcaster = tf2_ros.StaticTransformBroadcaster(node)
        broadcaster.sendTransform(transforms)
        return broadcaster
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = node.create_publisher(TFMessage, "/tf_static", qos)
    publisher.publish(TFMessage(transforms=transforms))
    return publisher
