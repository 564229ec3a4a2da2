"""The subscriptions of the tracker, and the queues that they fill, while the node is active."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, MagneticField

from humor_ros.inertial.stamp_watch import ClockPair
from humor_ros.ros.camera_input import CameraInput
from humor_ros.ros.camera_pose_input import CameraPoseInput
from humor_ros.ros.frame_queue import NewestFrame
from humor_ros.ros.imu_input import ImuInput, ImuUnits
from humor_ros.ros.qos import camera_info_qos, image_qos, imu_qos
from humor_ros.ros.reports import Reporter
from humor_ros.ros.tf_door import TransformListener, make_listener
from humor_ros.ros.time_conversion import seconds_from_stamp

__all__ = ["TrackerInputs"]


class TrackerInputs:
    """Queues and, from :meth:`subscribe` on, their subscriptions. Callbacks only queue.

    Args:
        node: that subscribes.
        values: the tracker's parameters by name.
        reporter: tells of messages that cannot be used.

    Attributes:
        frames: mailbox of images.
        camera: calibration.
        imu: IMU samples; None when the IMU is not used.
        clocks: whether the stamps of IMU and images run together.
        poses: camera poses; None without a source of them.
    """

    def __init__(self, node: Node, values: Mapping[str, Any], reporter: Reporter) -> None:
        self._node = node
        self._values = values
        self._subscriptions: list[Any] = []
        self._image_at_s = float("-inf")
        self.frames: NewestFrame[Image | CompressedImage] = NewestFrame()
        self.camera = CameraInput(
            reporter,
            assume=values["assume_camera"],
            timeout_s=values["camera_info_timeout"],
        )
        self.clocks = ClockPair()
        self.imu: ImuInput | None = None
        self.poses: CameraPoseInput | None = None
        self._listener: TransformListener | None = None
        asks_mounting = values["imu.enabled"] and values["imu.extrinsics"] == "tf"
        source = values["camera_pose.source"]
        if asks_mounting or source != "none":
            self._listener = make_listener(node)
        if values["imu.enabled"]:
            listener = self._listener if asks_mounting else None
            self.imu = ImuInput(
                reporter,
                listener,
                values["imu.time_offset"],
                units=ImuUnits.of(values),
                clocks=self.clocks,
                apart=values["imu.source"] == "gyro_accel",
                magnetometer=values["imu.magnetometer"],
            )
        if source != "none" and self._listener is not None:
            self.poses = CameraPoseInput(
                source, values["camera_pose.world_frame"], self._listener, reporter
            )

    def subscribe(self) -> None:
        """Begin to listen."""
        create = self._node.create_subscription
        kind, topic = (
            (CompressedImage, "image/compressed")
            if self._values["compressed"]
            else (Image, "image")
        )
        self._subscriptions = [
            create(kind, topic, self._on_image, image_qos()),
            create(CameraInfo, "camera_info", self.camera.offer, camera_info_qos()),
        ]
        if self.imu is not None and self.imu.accel is not None:
            self._subscriptions += [
                create(Imu, "gyro", self.imu.put, imu_qos()),
                create(Imu, "accel", self.imu.accel.put, imu_qos()),
            ]
        elif self.imu is not None:
            self._subscriptions.append(create(Imu, "imu", self.imu.put, imu_qos()))
        if self.imu is not None and self.imu.magnetic is not None:
            take = self.imu.magnetic.put
            self._subscriptions.append(create(MagneticField, "magnetic_field", take, imu_qos()))
        if self.poses is not None and self._values["camera_pose.source"] == "odom":
            self._subscriptions.append(create(Odometry, "odom", self.poses.put, imu_qos()))

    def unsubscribe(self) -> None:
        """Stop listening to topics; TF is still there for the worker."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def close(self) -> None:
        """Stop listening altogether."""
        self.unsubscribe()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def image_age_s(self) -> float:
        """Since the newest image arrived, seconds; infinite before the first."""
        return time.monotonic() - self._image_at_s

    def forget_transforms(self) -> None:
        """Forget moving transforms (the clock was set back)."""
        if self._listener is not None:
            self._listener.clear()

    def listen_while_needed(self) -> None:
        """People's own frames come by on ``/tf`` too: nobody listens who has what it needs."""
        if self.poses is not None or self.imu is None:
            return
        if self.imu.needs_transforms and self._listener is None:
            self._listener = make_listener(self._node)
            self.imu.use(self._listener)
        elif not self.imu.needs_transforms and self._listener is not None:
            self.imu.use(None)
            self._listener.close()
            self._listener = None

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._image_at_s = time.monotonic()
        self.clocks.note_image(seconds_from_stamp(message.header.stamp), self._image_at_s)
        self.frames.put(message)
