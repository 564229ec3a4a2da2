"""Everything that the tracker publishes of an image; what nobody subscribes to is not made."""

from __future__ import annotations

import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from humor_ros.geometry import PinholeCamera
from humor_ros.msg import FootContacts, HumanStates
from humor_ros.ros.camera_imu import camera_imu_message
from humor_ros.ros.conversion import contacts_to_message, frame_to_message
from humor_ros.ros.derived_human import DerivedHuman
from humor_ros.ros.joint_states import smpl_joint_state
from humor_ros.ros.markers import MarkerBook
from humor_ros.ros.people_transforms import body_transform, person_transforms, world_transform
from humor_ros.ros.qos import image_qos, output_qos
from humor_ros.ros.rep155 import Rep155Bodies
from humor_ros.ros.tf_door import make_sender
from humor_ros.types import FrameResult
from humor_ros.types import Image as Picture

__all__ = ["FrameContext", "Outputs", "image_message"]


@dataclass(frozen=True)
class FrameContext:
    """What outputs need to know of an image beside its people.

    Attributes:
        header: of the image, with the camera's optical frame.
        world_frame: name of the gravity-true frame of this image.
        world_is_ours: whether no one else gives that frame a place in TF.
        image_bgr: (H, W, 3) the picture.
        camera: the calibration that was used.
    """

    header: Header
    world_frame: str
    world_is_ours: bool
    image_bgr: Picture
    camera: PinholeCamera | None


class Outputs:
    """The publishers of the tracker.

    Args:
        node: that publishes.
        values: the tracker's parameters by name.
        latency_s: tells how long ago a stamp (seconds) was.
    """

    def __init__(
        self, node: Node, values: Mapping[str, Any], latency_s: Callable[[float], float]
    ) -> None:
        self._node = node
        self._latency_s = latency_s
        self._tf_in_world = values["tf.parent"] == "world"
        self._markers_in_world = values["markers.frame"] == "world"
        self._publish_world = values["tf.publish_world"]
        self._last_header = Header()
        #: Settings that may change while the node runs.
        self.contact_threshold = float(values["contact_threshold"])
        self.trajectory_s = float(values["markers.trajectory"])

        def publisher(kind: type, name: str, qos: Any) -> Publisher:
            return node.create_publisher(kind, name, qos)

        self._humans = publisher(HumanStates, "~/humans", output_qos())
        self._contacts = publisher(FootContacts, "~/contacts", output_qos(50))
        self._joints = publisher(JointState, "~/joint_states", output_qos(50))
        self._markers = publisher(MarkerArray, "~/markers", output_qos())
        self._camera_imu = publisher(Imu, "~/camera_imu", output_qos(50))
        self._overlay = publisher(Image, "~/image_overlay", image_qos())
        self._sender = make_sender(node) if values["tf.enabled"] else None
        self._bodies = Rep155Bodies(node) if values["rep155.enabled"] else None
        self._book = MarkerBook()
        self._overlay_colors: Any = None

    def publish(self, result: FrameResult, context: FrameContext) -> float:
        """Publish one image's results, the human states first.

        Returns:
            Time from the image's stamp to the publishing of the human states, seconds.
        """
        people = [DerivedHuman(human) for human in result.humans]
        alive = [human for human in people if human.alive]
        header = context.header
        self._last_header = header
        world = Header(stamp=header.stamp, frame_id=context.world_frame)
        height, width = context.image_bgr.shape[:2]
        latency_s = self._latency_s(result.stamp_s)
        if self._humans.get_subscription_count():
            message = frame_to_message(
                people, result.camera, header, world, (width, height), latency_s
            )
            latency_s = self._latency_s(result.stamp_s)
            for human in message.humans:
                human.latency = latency_s
            self._humans.publish(message)
        self._send_transforms(alive, result, context, world)
        if self._camera_imu.get_subscription_count():
            self._camera_imu.publish(camera_imu_message(result.camera, header))
        if self._contacts.get_subscription_count():
            for human in alive:
                self._contacts.publish(contacts_to_message(human.state, world))
        if self._joints.get_subscription_count():
            for human in alive:
                self._joints.publish(smpl_joint_state(human, header))
        if self._bodies is not None:
            self._bodies.publish(
                alive,
                world if self._tf_in_world else header,
                header,
                (width, height),
                in_world=self._tf_in_world,
            )
        if self._markers.get_subscription_count():
            self._markers.publish(
                self._book.draw(
                    alive,
                    world if self._markers_in_world else header,
                    in_world=self._markers_in_world,
                    contact_threshold=self.contact_threshold,
                    trajectory_s=self.trajectory_s,
                    interval_s=result.camera.interval_s,
                )
            )
        if self._overlay.get_subscription_count() and context.camera is not None:
            self._overlay.publish(self._draw_overlay(result, context, context.camera))
        return latency_s

    def clear(self) -> None:
        """Tell subscribers that there is nobody: empty lists, markers wiped."""
        header = self._last_header
        self._humans.publish(HumanStates(header=header))
        self._markers.publish(self._book.clear(header))
        if self._bodies is not None:
            self._bodies.clear(header)

    def tidy(self) -> None:
        """Give the topics of people who have gone back; on the executor's thread."""
        if self._bodies is not None:
            self._bodies.tidy()

    def close(self) -> None:
        """Give every publisher back."""
        for publisher in (
            self._humans,
            self._contacts,
            self._joints,
            self._markers,
            self._camera_imu,
            self._overlay,
        ):
            self._node.destroy_publisher(publisher)
        if self._sender is not None:
            self._sender.close()
        if self._bodies is not None:
            self._bodies.close()

    def _send_transforms(
        self,
        alive: list[DerivedHuman],
        result: FrameResult,
        context: FrameContext,
        world: Header,
    ) -> None:
        if self._sender is None or not self._sender.heard:
            return
        transforms = []
        if self._publish_world and context.world_is_ours:
            transforms.append(world_transform(result.camera, context.header, context.world_frame))
        parent = world if self._tf_in_world else context.header
        for human in alive:
            transforms += person_transforms(human, parent, in_world=self._tf_in_world)
            if self._bodies is not None:
                transforms.append(body_transform(human, parent, in_world=self._tf_in_world))
        if transforms:
            self._sender.send(transforms)

    def _draw_overlay(
        self, result: FrameResult, context: FrameContext, camera: PinholeCamera
    ) -> Image:
        from humor_ros.viewer.overlay import draw_overlay
        from humor_ros.viewer.palette import PersonColors

        if self._overlay_colors is None:
            self._overlay_colors = PersonColors()
        people = [human for human in result.humans if DerivedHuman(human).alive]
        picture = draw_overlay(context.image_bgr, people, camera, self._overlay_colors)
        return image_message(picture, context.header)


def image_message(picture: Picture, header: Header) -> Image:
    """A picture as a message; the bytes go in at once (assigning an array would check each).

    Args:
        picture: (H, W, 3) uint8 BGR.
        header: stamp and frame.
    """
    height, width = picture.shape[:2]
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(picture).data.cast("B"))
    return Image(
        header=header, height=height, width=width, encoding="bgr8", step=3 * width, data=data
    )
