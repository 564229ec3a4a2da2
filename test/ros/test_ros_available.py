"""Says aloud when the ROS tests are left out."""

from __future__ import annotations

import pytest


@pytest.mark.ros
def test_ros_and_the_messages_can_be_imported(ros_missing_reason):
    if ros_missing_reason:
        pytest.skip(f"the tests of test/ros are left out: {ros_missing_reason}")
