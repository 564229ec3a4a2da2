"""A node under test, and a second node that talks to it over DDS."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from humor_ros.ros.qos import output_qos

#: Longest wait for anything, seconds: for the slowest and busiest machine, when all is well
#: nobody waits so long.
PATIENCE_S = 120.0
#: Messages that may wait for the executor's thread. A burst of the smoother with 20 people is
#: hundreds of them, and none is left out because the machine is busy.
_DEPTH = 2000


class NodeHarness:
    """Both nodes in one executor thread; wait for conditions, not for time.

    What comes on one topic says nothing about another, nor about counters and diagnostics: wait
    for each thing that is asserted.

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
        self._heard = []
        for topic, kind in outputs.items():
            self.listen(topic, kind)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.peer)
        self._stamp_s = time.time()
        self._stop = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._spin, daemon=True)

    def _spin(self):
        try:
            while not self._stop.is_set():
                self.executor.spin_once(timeout_sec=0.05)
        except Exception as error:
            self._error = error
            raise

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(PATIENCE_S)
        self.node.close()
        self.executor.shutdown()
        self.node.destroy_node()
        self.peer.destroy_node()

    def listen(self, topic, kind, qos=None):
        take = self.received[topic].append
        heard = self.peer.create_subscription(kind, topic, take, qos or output_qos(_DEPTH))
        self._heard.append(heard)

    def start(self):
        """Configure and activate, and wait until everything that is listened to is connected."""
        assert self.do(self.node.start)
        self.wait(lambda: all(heard.get_publisher_count() > 0 for heard in self._heard))
        topics = {heard.topic_name for heard in self._heard}
        tellers = [teller for teller in self.node.publishers if teller.topic_name in topics]
        self.wait(lambda: all(teller.get_subscription_count() > 0 for teller in tellers))

    def do(self, action):
        """Do it on the executor's thread, where lifecycle services do it."""
        task = self.executor.create_task(action)
        self.wait(task.done)
        return task.result()

    def wait(self, condition, timeout_s=PATIENCE_S, *, again=None, every_s=0.5):
        """Wait until something is so.

        Args:
            condition: tells whether it is; may do something each time.
            timeout_s: longest wait, seconds.
            again: done every ``every_s`` seconds until then, for what passes by or may be lost.
            every_s: see there.
        """
        deadline = time.monotonic() + timeout_s
        again_at = float("-inf") if again is not None else float("inf")
        while not condition():
            if self._error is not None:
                raise self._error
            now = time.monotonic()
            assert now < deadline, "timed out"
            if now >= again_at:
                again()
                again_at = time.monotonic() + every_s
            time.sleep(0.01)

    def next_stamp(self, step_s=1 / 30):
        self._stamp_s += step_s
        return self._stamp_s

    def log_lines(self):
        """Lines of troubles from now on; each kind is told once however long the test takes."""
        lines = []
        reporter = self.node._reporter
        reporter._said.clear()
        reporter._period_s = float("inf")
        reporter._logger = type("Log", (), {"warning": lambda self, text: lines.append(text)})()
        return lines

    def diagnostics(self):
        """Values of the node's newest status; empty before the first."""
        messages = self.received["/diagnostics"]
        return {v.key: v.value for v in messages[-1].status[0].values} if messages else {}

    def said(self, words):
        """Whether the summary of some second held these words."""
        return any(words in m.status[0].message for m in self.received["/diagnostics"])

    def wait_for_count(self, key, at_least=1):
        self.wait(lambda: int(self.diagnostics().get(key, "0")) >= at_least)
