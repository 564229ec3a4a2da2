"""Player, tracker and recorder as processes of their own, over real DDS."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from humor_ros.msg import HumanStates

from humor_ros.ros.demo import DemoFailed, DemoSettings, run_demo
from humor_ros.ros.processes import (
    ProcessGroup,
    node_command,
    package_config,
    remove_stale_shared_memory,
    transport_environment,
)
from humor_ros.ros.recording import Recording

pytestmark = [pytest.mark.ros, pytest.mark.slow]
HERE = Path(__file__).parent
FRAMES = 45
#: For programs to start and to end on the slowest and busiest machine, seconds.
PATIENCE_S = 300.0


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """One and a half seconds of a moving square."""
    path = tmp_path_factory.mktemp("video") / "square.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 30.0, (320, 240))
    for index in range(FRAMES):
        image = np.full((240, 320, 3), 60, np.uint8)
        image[80:160, 2 * index : 2 * index + 80] = 220
        writer.write(image)
    writer.release()
    return path


@pytest.fixture
def environment():
    """Of nodes that find the modules of this folder."""
    result = transport_environment()
    result["PYTHONPATH"] = f"{HERE}{os.pathsep}{result.get('PYTHONPATH', '')}"
    result["OMP_NUM_THREADS"] = "1"
    return result


def wait(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def test_a_video_goes_from_player_to_tracker_to_recorder(
    rclpy_session, video, environment, tmp_path
):
    bag, report = tmp_path / "bag", tmp_path / "player.json"
    topics = ["/tracker/humans", "/tf", "/tf_static", "/imu", "/camera_info", "/diagnostics"]
    recorder = {"output": str(bag), "topics": topics}
    player = {
        "path": str(video),
        "loop": True,
        "wait_for_subscribers": 1,
        "wait_timeout": PATIENCE_S,
        "report_path": str(report),
    }
    peer = rclpy_session.create_node("listener")
    heard = []
    peer.create_subscription(HumanStates, "/tracker/humans", heard.append, 10)
    log = tmp_path / "recorder.log"
    with ProcessGroup(environment) as group:
        group.start("tracker", [sys.executable, str(HERE / "fake_tracker_main.py")])
        group.start("recorder", node_command("recorder_node", recorder), log)
        group.start("player", node_command("player_node", player))

        def recorded_all():  # the recorder may be the last to be there
            rclpy_session.spin_once(peer, timeout_sec=0.1)
            assert not group.ended(), log.read_text()
            text = log.read_text()
            return all(f"recording {topic}\n" in text for topic in topics)

        def heard_for_long(since):
            rclpy_session.spin_once(peer, timeout_sec=0.1)
            return len(heard) > since + 100 and heard[-1].camera_motion == "imu"

        wait(recorded_all)
        count = len(heard)
        wait(lambda: heard_for_long(count))
        codes = group.stop(PATIENCE_S)
    peer.destroy_node()
    assert codes == {"tracker": 0, "recorder": 0, "player": 0}
    assert heard[-1].humans[0].id == "abcde"
    played = json.loads(report.read_text())
    recording = Recording.read(bag)
    assert recording.frames
    assert recording.numbers().people == 1
    assert (recording.camera.width, recording.camera.height) == (320, 240)
    assert recording.counts["/tf_static"] >= 1
    assert recording.counts["/imu"] > 100
    assert played["images"] >= len(recording.frames)
    # Results carry the images' stamps, and these are the video's times.
    times = 30 * np.array([frame.stamp_s - played["start_stamp_s"] for frame in recording.frames])
    np.testing.assert_allclose(times, np.round(times), atol=0.1)


def test_two_interrupts_end_a_node_in_order(environment, tmp_path):
    log = tmp_path / "log"
    with ProcessGroup(environment) as group:
        process = group.start("tracker", [sys.executable, str(HERE / "fake_tracker_main.py")], log)
        wait(lambda: "active" in log.read_text())
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        wait(lambda: process.poll() is not None)
    assert process.returncode == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("module", "parameters", "reason"),
    [
        ("player_node", {"path": "/nowhere/video.mp4"}, "/nowhere/video.mp4"),
        ("player_node", {}, "parameter path"),
        ("recorder_node", {}, "parameter output"),
    ],
)
def test_a_program_that_cannot_start_says_why_in_one_line(environment, module, parameters, reason):
    done = subprocess.run(
        node_command(module, parameters),
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert reason in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_the_demo_tracks_people_in_a_real_video(shared, tmp_path, own_domain):
    result = run_demo(DemoSettings(shared / "data" / "eval" / "cam01.mp4", tmp_path, rate=0.25))
    assert result.tracked
    assert result.camera_motion == "imu"
    assert result.smoothed is not None
    assert result.smoothed.processed > 0
    assert cv2.imread(str(result.picture)).shape[1] > 1000


def test_the_demo_names_a_video_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.mp4"):
        run_demo(DemoSettings(tmp_path / "none.mp4", tmp_path / "out"))


def test_the_demo_tells_why_the_tracker_failed(video, tmp_path, own_domain):
    settings = DemoSettings(video, tmp_path / "out", weights=tmp_path / "none.safetensors")
    with pytest.raises(DemoFailed, match=r"weights_path.*none\.safetensors"):
        run_demo(settings)


def test_both_sides_get_the_profile_unless_the_user_has_one():
    made = transport_environment({})
    assert made["FASTDDS_DEFAULT_PROFILES_FILE"] == str(package_config("fastdds_shm.xml"))
    own = {"FASTDDS_DEFAULT_PROFILES_FILE": "/my.xml"}
    assert transport_environment(own) == own


def test_only_abandoned_shared_memory_is_removed(tmp_path):
    names = ("dead", "dead_el", "live", "live_el")
    for name in (*(f"fastdds_{name}" for name in names), "other"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "fastdds_young_el").write_bytes(b"")
    with (tmp_path / "fastdds_live_el").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        removed = remove_stale_shared_memory(tmp_path)
    assert sorted(removed) == ["fastdds_dead", "fastdds_dead_el"]
    assert (tmp_path / "fastdds_live").exists()
    assert (tmp_path / "fastdds_young_el").exists()
    assert (tmp_path / "other").exists()
