"""The node ``recorder``: writes chosen topics, as serialised on the wire, to an mcap bag."""

from __future__ import annotations

import importlib
import shutil
import threading
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer

from humor_ros.ros.bag_types import bag_typestore
from humor_ros.ros.parameter_spec import ParameterSpec, declare_all, read_all
from humor_ros.ros.shutdown import StopSignal, initialise, spin_until_stopped

__all__ = ["RECORDER_PARAMETERS", "RecorderNode", "main"]

#: Every parameter of the node ``recorder``.
RECORDER_PARAMETERS: tuple[ParameterSpec, ...] = (
    ParameterSpec("output", "", "Folder of the bag; must not exist, unless overwrite is true"),
    ParameterSpec("topics", ["/tracker/humans"], "Topics to record, absolute names"),
    ParameterSpec("overwrite", False, "Replace a bag that is there already"),
)
_LOOK_S = 0.2
_DEPTH = 200


class RecorderNode(Node):
    """Subscribes to each topic when it appears and writes what comes.

    Args:
        **node_arguments: for :class:`rclpy.node.Node`.

    Raises:
        FileExistsError: the bag is there already.
        ValueError: no output is named.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("recorder", **node_arguments)
        declare_all(self, RECORDER_PARAMETERS)
        values = read_all(self, RECORDER_PARAMETERS)
        if not values["output"]:
            raise ValueError("parameter output: no bag is named; give -p output:=FOLDER")
        self.path = Path(values["output"]).expanduser()
        if self.path.exists():
            if not values["overwrite"]:
                raise FileExistsError(
                    f"parameter output: {self.path} exists; choose another folder or set overwrite"
                )
            shutil.rmtree(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._wanted = set(values["topics"])
        self._store = bag_typestore()
        self._lock = threading.Lock()
        self._writer: Writer | None = Writer(
            self.path, version=9, storage_plugin=StoragePlugin.MCAP
        )
        self._writer.open()
        self.counts: dict[str, int] = {}
        self._timer = self.create_timer(_LOOK_S, self._look)
        self._look()

    def close(self) -> None:
        """Finish the bag; may be called twice."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            told = ", ".join(f"{topic} {count}" for topic, count in sorted(self.counts.items()))
            self.get_logger().info(f"recorded {told or 'nothing'} to {self.path}")

    def _look(self) -> None:
        """Subscribe to wanted topics that have appeared."""
        for topic, types in self.get_topic_names_and_types():
            # A topic is named as soon as somebody asks for it; its QoS is the publisher's.
            if topic in self._wanted and self.count_publishers(topic):
                self._wanted.discard(topic)
                self._subscribe(topic, types[0])
        if not self._wanted:
            self._timer.cancel()

    def _subscribe(self, topic: str, type_name: str) -> None:
        if type_name not in self._store.fielddefs:
            self.get_logger().error(
                f"topic {topic}: its type {type_name} is not known, so it is not recorded"
            )
            return
        package, _, name = type_name.partition("/msg/")
        kind = getattr(importlib.import_module(f"{package}.msg"), name)
        if self._writer is None:
            return
        connection = self._writer.add_connection(topic, type_name, typestore=self._store)
        self.counts[topic] = 0
        self.create_subscription(
            kind, topic, partial(self._write, topic, connection), self._qos(topic), raw=True
        )

    def _qos(self, topic: str) -> QoSProfile:
        """What every present publisher of the topic can serve."""
        offers = [info.qos_profile for info in self.get_publishers_info_by_topic(topic)]
        reliable = bool(offers) and all(
            offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers
        )
        latched = bool(offers) and all(
            offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers
        )
        return QoSProfile(
            depth=_DEPTH,
            reliability=(ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT),
            durability=(DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE),
        )

    def _write(self, topic: str, connection: Connection, data: bytes) -> None:
        received_ns = self.get_clock().now().nanoseconds
        with self._lock:
            if self._writer is None:
                return
            self._writer.write(connection, received_ns, data)
            self.counts[topic] += 1
            first = self.counts[topic] == 1
        if first:
            self.get_logger().info(f"recording {topic}")


def main(args: list[str] | None = None) -> None:
    """Record until SIGINT or SIGTERM."""
    with StopSignal() as stop:
        initialise(args)
        try:
            node = RecorderNode()
        except (ValueError, OSError) as error:
            rclpy.logging.get_logger("recorder").error(str(error))
            rclpy.try_shutdown()
            raise SystemExit(2) from error
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        spin_until_stopped(executor, stop)
        node.close()
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
