"""A smoother node with a quick solver, and a second node that speaks as the tracker does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from humor_ros.msg import BodyContacts, GroundPlane, HumanForecasts, HumanStates
from node_harness import NodeHarness
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from synthetic_people import make_human, make_result
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from humor_ros.body import BodyModel
from humor_ros.geometry import PinholeCamera
from humor_ros.humor.models import PACKAGED_WEIGHTS
from humor_ros.humor.online import OnlineSmoother
from humor_ros.humor.online_config import OnlineConfig
from humor_ros.humor.outlook import Outlook, OutlookConfig
from humor_ros.humor.weights import load_network
from humor_ros.humor.window_config import WindowConfig
from humor_ros.ros.conversion import frame_to_message
from humor_ros.ros.derived_human import DerivedHuman
from humor_ros.ros.player_node import camera_info_message
from humor_ros.ros.qos import output_qos
from humor_ros.ros.smoother_node import SmootherNode, SmootherParts
from humor_ros.ros.time_conversion import stamp_from_seconds

OUTPUTS = {
    "/smoother/humans": HumanStates,
    "/smoother/contacts": BodyContacts,
    "/smoother/ground": GroundPlane,
    "/smoother/markers": MarkerArray,
    "/tf": TFMessage,
    "/diagnostics": DiagnosticArray,
}
FORECASTS = {"/smoother/forecasts": HumanForecasts, "/smoother/forecast_markers": MarkerArray}
WINDOW = WindowConfig(frames=14, hop=4, lag=3, iterations=1, cold_iterations=1)
SIZE = (1280, 720)


@cache
def body():
    return BodyModel.load()


@cache
def network():
    return load_network(PACKAGED_WEIGHTS).requires_grad_(False)


def quick_parts(values):
    """Smoothing by accelerations alone, and short forecasts of the packaged prior."""
    config = OnlineConfig(WINDOW, max_people=values["max_people"], max_lag_s=values["max_lag"])
    outlook = None
    if values["forecast.enabled"]:
        settings = OutlookConfig(values["forecast.horizon"], values["forecast.step"])
        outlook = Outlook(network(), body(), settings)
    return SmootherParts(OnlineSmoother(None, body(), config), outlook)


@cache
def walkers(count):
    """Poses of people that stay the same over images, each with a place of its own."""
    people = [
        make_human(f"aaaa{chr(97 + i)}", seed=None, position=(0.6 * i - 2.0, 0.5, 4.0))
        for i in range(count)
    ]
    # The stick body's key-points are no COCO ones: nothing is seen of them.
    return [replace(p, keypoints_image=p.keypoints_image * (1.0, 1.0, 0.0)) for p in people]


def humans_message(stamp_s, people=1, *, world="humor_world", frame="cam"):
    """What the tracker sends of an image with so many people."""
    result = make_result(walkers(people), stamp_s)
    header = Header(stamp=stamp_from_seconds(stamp_s), frame_id=frame)
    return frame_to_message(
        [DerivedHuman(human) for human in result.humans],
        result.camera,
        header,
        Header(stamp=header.stamp, frame_id=world),
        SIZE,
        0.05,
    )


class SmootherHarness(NodeHarness):
    """The smoother, and who sends it people and calibrations."""

    def __init__(self, parameters=None, factory=quick_parts, outputs=OUTPUTS):
        values = {"camera_info_timeout": 0.0, "niceness": 0} | (parameters or {})
        super().__init__(
            lambda overrides: SmootherNode(factory, parameter_overrides=overrides), values, outputs
        )
        self.sent = 0
        self.humans = self.peer.create_publisher(HumanStates, "tracker/humans", output_qos())
        self.infos = self.peer.create_publisher(CameraInfo, "camera_info", output_qos())

    def activate(self):
        self.start()
        self.wait(lambda: self.humans.get_subscription_count() > 0)

    def send(self, message=None, people=1, *, taken=True, **stamp):
        """Send one message; unless told not to, wait until it has been taken in."""
        if message is None:
            message = humans_message(self.next_stamp(**stamp), people)
        self.sent += 1
        before = self.taken
        self.humans.publish(message)
        if taken:
            self.wait(lambda: self.taken > before)
        return message

    @property
    def taken(self):
        """Messages that have left the queue."""
        queue = self.node._worker.queue
        return queue.received - len(queue._messages)

    def play(self, count, people=1):
        return [self.send(people=people) for _ in range(count)]

    @property
    def smoothed(self):
        """Messages of refined people so far, those of a cleared output left out."""
        return [m for m in self.received["/smoother/humans"] if m.world_frame]

    def send_camera_info(self, camera=None):
        camera = camera or PinholeCamera(
            *SIZE, np.array([[900.0, 0, 640], [0, 900.0, 360], [0, 0, 1]])
        )
        self.infos.publish(camera_info_message(camera, "cam"))
