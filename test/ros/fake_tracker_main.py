"""The tracker as a program of its own, with the fake pipeline in place of the networks."""

from __future__ import annotations

import rclpy
from fake_pipeline import FakePipeline
from rclpy.executors import SingleThreadedExecutor

from humor_ros.ros.shutdown import StopSignal, initialise, spin_until_stopped
from humor_ros.ros.tracker_node import TrackerNode

if __name__ == "__main__":
    with StopSignal() as stop:
        initialise(None)
        node = TrackerNode(lambda values: FakePipeline())
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        node.start()
        spin_until_stopped(executor, stop)
        node.close()
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
