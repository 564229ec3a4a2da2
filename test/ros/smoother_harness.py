"""A smoother node with a quick solver, and a second node that speaks as the tracker does."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from humor_ros.msg import BodyContacts, GroundPlane, HumanForecasts, HumanStates
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
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


class SmootherHarness:
    """Both nodes in one executor thread; wait for conditions, not for time."""

    def __init__(self, parameters=None, factory=quick_parts, outputs=OUTPUTS):
        values = {"camera_info_timeout": 0.0, "niceness": 0} | (parameters or {})
        self.node = SmootherNode(
            factory,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        self.node._timer.timer_period_ns = 100_000_000
        self.peer = Node("fake_tracker")
        self.received = defaultdict(list)
        self.received_at = defaultdict(list)
        for topic, kind in outputs.items():
            self.listen(topic, kind)
        self.humans = self.peer.create_publisher(HumanStates, "tracker/humans", output_qos())
        self.infos = self.peer.create_publisher(CameraInfo, "camera_info", output_qos())
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.peer)
        self._stamp_s = time.time()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)

    def _spin(self):
        while not self._stop.is_set():
            self.executor.spin_once(timeout_sec=0.05)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10)
        self.node.close()
        self.executor.shutdown()
        self.node.destroy_node()
        self.peer.destroy_node()

    def listen(self, topic, kind):
        def take(message):
            self.received[topic].append(message)
            self.received_at[topic].append(time.monotonic())

        self.peer.create_subscription(kind, topic, take, output_qos(200))

    def do(self, action):
        """Do it on the executor's thread, where lifecycle services do it."""
        task = self.executor.create_task(action)
        self.wait(task.done)
        return task.result()

    def activate(self):
        assert self.do(self.node.start)
        self.wait(lambda: self.humans.get_subscription_count() > 0)
        self.wait(lambda: self.node._outputs._humans.get_subscription_count() > 0)

    def wait(self, condition, timeout_s=30.0):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "timed out"
            time.sleep(0.01)

    def send(self, message=None, people=1, *, taken=True, **stamp):
        """Send one message; unless told not to, wait until it has been taken in."""
        if message is None:
            message = humans_message(self.next_stamp(**stamp), people)
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

    def next_stamp(self, step_s=1 / 30):
        self._stamp_s += step_s
        return self._stamp_s

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

    def diagnostics(self):
        messages = self.received["/diagnostics"]
        return {v.key: v.value for v in messages[-1].status[0].values} if messages else {}

    def wait_for_count(self, key, at_least=1):
        self.wait(lambda: int(self.diagnostics().get(key, "0")) >= at_least)
