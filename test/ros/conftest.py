"""ROS tests skip, with the reason, where rclpy or the built messages are missing."""

from __future__ import annotations

import os

import pytest
from dds_domain import reserve_domain

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
# Messages check their fields, as they always do before Kilted.
os.environ.setdefault("ROS_PYTHON_CHECK_FIELDS", "1")
# One domain for a run, so that two runs on one machine do not hear each other.
os.environ["ROS_DOMAIN_ID"] = os.environ.get("HUMOR_ROS_TEST_DOMAIN") or reserve_domain()


def missing_ros() -> str:
    """Why the ROS tests cannot run; empty when they can."""
    try:
        import humor_ros.msg  # noqa: F401
        import rclpy  # noqa: F401
        import tf2_msgs.msg  # noqa: F401
    except ImportError as error:
        return f"needs rclpy and the built messages ({error}); run 'make setup'"
    return ""


_REASON = missing_ros()
collect_ignore_glob = []
if _REASON:
    collect_ignore_glob = [
        name
        for name in os.listdir(os.path.dirname(__file__))
        if name.startswith("test_") and name != "test_ros_available.py"
    ]


@pytest.fixture(scope="session")
def ros_missing_reason() -> str:
    """Why the other tests of this folder were left out; empty when they run."""
    return _REASON


@pytest.fixture(scope="session")
def rclpy_session():
    """rclpy, initialised once."""
    import rclpy

    rclpy.init()
    yield rclpy
    rclpy.try_shutdown()


@pytest.fixture
def own_domain(monkeypatch):
    """A domain beside that of the run, for programs that nobody else should hear."""
    domain = reserve_domain()
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    return domain


@pytest.fixture
def harness(rclpy_session):
    """Makes running trackers: ``with harness(parameters) as h``."""
    from tracker_harness import TrackerHarness

    return TrackerHarness


@pytest.fixture
def smoothing(rclpy_session):
    """Makes running smoothers: ``with smoothing(parameters) as h``."""
    from smoother_harness import SmootherHarness

    return SmootherHarness
