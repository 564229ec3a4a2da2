"""The smoother as a program of its own, with the packaged prior, over DDS."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest
from humor_ros.msg import BodyContacts, HumanForecasts, HumanStates
from smoother_harness import humans_message

from humor_ros.ros.processes import (
    ProcessGroup,
    node_command,
    package_config,
    transport_environment,
)
from humor_ros.ros.qos import output_qos
from humor_ros.ros.tracker_watch import TrackerFailed, wait_until_active

pytestmark = [pytest.mark.ros, pytest.mark.slow]
STATUS = "motion smoothing"
#: For a program to start, to work and to end on the slowest and busiest machine, seconds.
PATIENCE_S = 300.0


@pytest.fixture
def environment():
    return transport_environment() | {"OMP_NUM_THREADS": "1"}


def command(**parameters):
    return node_command(
        "smoother_node",
        {
            "autostart": True,
            "camera_info_timeout": 0.0,
            "max_lag": 30.0,
            "niceness": 1,  # it gives way, and has its turn on a busy machine all the same
            "window.frames": 14,
            "window.hop": 4,
            "window.lag": 3,
            **parameters,
        },
        params_file=package_config("smoother.yaml"),
    )


def test_people_of_another_process_come_back_refined_and_foreseen(
    rclpy_session, environment, tmp_path
):
    peer = rclpy_session.create_node("other_process")
    heard: dict[str, list] = {"humans": [], "contacts": [], "forecasts": []}
    kinds = {"humans": HumanStates, "contacts": BodyContacts, "forecasts": HumanForecasts}
    for name, kind in kinds.items():
        peer.create_subscription(kind, f"/smoother/{name}", heard[name].append, output_qos(200))
    humans = peer.create_publisher(HumanStates, "/tracker/humans", output_qos())
    sent = []
    log = tmp_path / "log"
    with ProcessGroup(environment) as group:
        process = group.start("smoother", command(), log)
        deadline = time.monotonic() + PATIENCE_S
        stamp_s = time.time()

        def enough():
            refined = [c for c in heard["contacts"] if c.smoothed]
            return len(refined) >= 4 and any(m.forecasts for m in heard["forecasts"])

        while not enough():
            assert time.monotonic() < deadline, log.read_text()
            assert process.poll() is None, log.read_text()
            rclpy_session.spin_once(peer, timeout_sec=0.02)
            if humans.get_subscription_count() and time.time() >= stamp_s + 1 / 30:
                stamp_s = time.time()
                sent.append(humans_message(stamp_s))
                humans.publish(sent[-1])
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
    peer.destroy_node()
    assert process.returncode == 0
    assert "Traceback" not in log.read_text()
    stamps = {(m.header.stamp.sec, m.header.stamp.nanosec) for m in sent}
    told = [m for m in heard["humans"] if m.world_frame]
    assert {(m.header.stamp.sec, m.header.stamp.nanosec) for m in told} <= stamps
    times = [m.header.stamp.sec + 1e-9 * m.header.stamp.nanosec for m in told]
    assert (np.diff(times) > 0).all()
    forecast = next(m for m in heard["forecasts"] if m.forecasts).forecasts[0]
    assert (np.diff([0.0, *forecast.times]) > 0).all()
    assert forecast.capsules


def test_a_smoother_that_cannot_be_configured_says_why(own_domain, environment, tmp_path):
    with ProcessGroup(environment | {"ROS_DOMAIN_ID": own_domain}) as group:
        path = tmp_path / "none.safetensors"
        group.start("smoother", command(weights_path=str(path)), tmp_path / "log")
        with pytest.raises(TrackerFailed, match=r"the smoother cannot.*none\.safetensors"):
            wait_until_active(PATIENCE_S, node_name="smoother", status=STATUS)
