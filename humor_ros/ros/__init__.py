"""ROS 2 nodes and message conversion: the only room that knows rclpy.

Nothing is imported here, so that the room can be named on a machine without ROS. The nodes are
``tracker_node``, ``player_node`` and ``recorder_node``; ``runner`` starts them where ``ros2
launch`` is absent.
"""

__all__: list[str] = []
