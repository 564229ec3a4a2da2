"""A tracker node with a fake pipeline, and a second node that sends it images."""

from __future__ import annotations

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from fake_pipeline import FakePipeline
from humor_ros.msg import FootContacts, HumanStates
from node_harness import NodeHarness
from sensor_msgs.msg import CameraInfo, Image, Imu, JointState
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from humor_ros.geometry import PinholeCamera
from humor_ros.ros.outputs import image_message
from humor_ros.ros.player_node import camera_info_message
from humor_ros.ros.qos import imu_qos, output_qos, player_qos
from humor_ros.ros.time_conversion import stamp_from_seconds
from humor_ros.ros.tracker_node import TrackerNode

OUTPUTS = {
    "/tracker/humans": HumanStates,
    "/tracker/contacts": FootContacts,
    "/tracker/joint_states": JointState,
    "/tracker/markers": MarkerArray,
    "/tf": TFMessage,
    "/diagnostics": DiagnosticArray,
}
WIDTH, HEIGHT = 64, 48


class TrackerHarness(NodeHarness):
    """The tracker, and who sends it images, samples and calibrations."""

    def __init__(self, parameters=None, pipeline=None, factory=None, outputs=OUTPUTS):
        self.pipeline = pipeline or FakePipeline()
        values = {"imu.extrinsics": "identity", "camera_info_timeout": 0.0} | (parameters or {})
        factory = factory or (lambda _: self.pipeline)
        super().__init__(
            lambda overrides: TrackerNode(factory, parameter_overrides=overrides), values, outputs
        )
        self.images = self.peer.create_publisher(Image, "image", player_qos())
        self.infos = self.peer.create_publisher(CameraInfo, "camera_info", output_qos())
        self.imu = self.peer.create_publisher(Imu, "imu", imu_qos())

    def activate(self):
        self.start()
        self.wait(lambda: self.images.get_subscription_count() > 0)

    def send_image(self, stamp_s=None, picture=None, frame="cam", **changes):
        stamp_s = self.next_stamp() if stamp_s is None else stamp_s
        if picture is None:
            picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        message = image_message(picture, Header(stamp=stamp_from_seconds(stamp_s), frame_id=frame))
        for name, value in changes.items():
            setattr(message, name, value)
        self.images.publish(message)
        return stamp_s

    def send_imu(self, stamp_s, rate=(0.0, 0.0, 0.1), frame="imu"):
        message = Imu(header=Header(stamp=stamp_from_seconds(stamp_s), frame_id=frame))
        message.angular_velocity.x, message.angular_velocity.y, message.angular_velocity.z = rate
        message.linear_acceleration.y = -9.81
        self.imu.publish(message)

    def send_camera_info(self, camera=None, frame="cam", **changes):
        camera = camera or PinholeCamera.assume(WIDTH, HEIGHT)
        message = camera_info_message(camera, frame)
        for name, value in changes.items():
            setattr(message, name, value)
        self.infos.publish(message)

    def track(self, count=1, **image):
        """Send images until ``count`` of them have been answered, one after the other.

        An image may be lost or replaced by a newer one, so that it is sent again with the next
        stamp; states of images that were sent before do not count.

        Returns:
            The first states that came of the last image.
        """
        for _ in range(count):
            heard, sent = len(self.received["/tracker/humans"]), []

            def answers(heard=heard, sent=sent):
                told = self.received["/tracker/humans"][heard:]
                return [m for m in told if m.world_frame and m.header.stamp in sent]

            def send(sent=sent):
                sent.append(stamp_from_seconds(self.send_image(**image)))

            self.wait(answers, again=send)
            first = answers()[0]
        return first
