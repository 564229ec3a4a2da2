"""A node under test, and a second node that talks to it over DDS."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from humor_ros.ros.qos import output_qos


class NodeHarness:
    """Both nodes in one executor thread; wait for conditions, not for time.

    Args:
        make: makes the node from its parameter overrides.
        parameters: of the node, by name.
        outputs: topics to listen to, with their types.
    """

    def __init__(self, make, parameters, outputs):
        self.node = make([Parameter(name, value=value) for name, value in parameters.items()])
        self.node._timer.timer_period_ns = 100_000_000  # tests do not wait for a whole second
        self.peer = Node("peer")
        self.received = defaultdict(list)
        self.received_at = defaultdict(list)
        for topic, kind in outputs.items():
            self.listen(topic, kind)
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

    def listen(self, topic, kind, qos=None):
        def take(message):
            self.received[topic].append(message)
            self.received_at[topic].append(time.monotonic())

        self.peer.create_subscription(kind, topic, take, qos or output_qos(200))

    def do(self, action):
        """Do it on the executor's thread, where lifecycle services do it."""
        task = self.executor.create_task(action)
        self.wait(task.done)
        return task.result()

    def wait(self, condition, timeout_s=30.0):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "timed out"
            time.sleep(0.01)

    def next_stamp(self, step_s=1 / 30):
        self._stamp_s += step_s
        return self._stamp_s

    def diagnostics(self):
        messages = self.received["/diagnostics"]
        return {v.key: v.value for v in messages[-1].status[0].values} if messages else {}

    def wait_for_count(self, key, at_least=1):
        self.wait(lambda: int(self.diagnostics().get(key, "0")) >= at_least)
