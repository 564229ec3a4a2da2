"""What the launch file gives reaches the nodes: as arguments of their command line, into rclpy.

The launch API is a stand-in here (the genuine one needs a ROS install); the nodes are the real
ones, made but not configured.
"""

from __future__ import annotations

import importlib.util
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import launch_stub
import pytest
import yaml
from launch_stub import evaluate

rclpy = pytest.importorskip("rclpy", reason="needs rclpy; run 'make setup'")
pytest.importorskip("humor_ros.msg", reason="needs the built messages; run 'make setup'")

pytestmark = pytest.mark.ros
ROOT = Path(__file__).resolve().parents[2]


def command_line(node: launch_stub.LifecycleNode, arguments: dict[str, str]) -> list[str]:
    """What launch_ros puts behind the program's name."""
    context = launch_stub.LaunchContext(arguments)
    line = ["--ros-args", "-r", f"__node:={evaluate(context, node.name)}"]
    namespace = evaluate(context, node.namespace)
    if namespace:
        line += ["-r", f"__ns:=/{namespace.strip('/')}"]
    for given in node.parameters:
        if isinstance(given, str):
            line += ["--params-file", given]
            continue
        for name, value in given.items():
            text = yaml.safe_dump(getattr(value, "value", value), default_flow_style=True)
            line += ["-p", f"{name}:={text.splitlines()[0]}"]
    for source, target in node.remappings:
        line += ["-r", f"{source}:={evaluate(context, target)}"]
    return line


def launched(name: str, arguments: dict[str, str]) -> list[str]:
    """The command line with which the launch file starts a node."""
    spec = importlib.util.spec_from_file_location("tracking", ROOT / "launch/tracking.launch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    description = module.generate_launch_description()
    defaults = {
        action.name: evaluate(launch_stub.LaunchContext({}), action.default_value)
        for action in description.entities
        if isinstance(action, launch_stub.DeclareLaunchArgument)
    }
    actions = launch_stub.run(description, {"smoother": "true", **arguments})
    (started,) = (a for a in actions if isinstance(a, launch_stub.LifecycleNode) and a.name == name)
    return command_line(started, defaults | arguments)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes the node of a name as the launch file with some arguments would start it."""
    from humor_ros.ros.smoother_node import SmootherNode
    from humor_ros.ros.tracker_node import TrackerNode

    if "HUMOR_ROS_TEST_DOMAIN" not in os.environ:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(random.SystemRandom().randint(1, 100)))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    kinds = {"tracker": TrackerNode, "smoother": SmootherNode}
    context = rclpy.Context()
    context.init(args=[])
    nodes: list[Any] = []

    def make(name: str, **arguments: str) -> Any:
        with monkeypatch.context() as patch:  # the stand-in hides what the nodes need
            launch_stub.install(patch, str(ROOT))
            line = launched(name, arguments)
        nodes.append(kinds[name](context=context, cli_args=line, use_global_arguments=False))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


def values(node: Any, *names: str) -> list[Any]:
    return [node.get_parameter(name).value for name in names]


def test_the_smoothers_arguments_reach_it(made: Callable[..., Any], tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    table = {"window": {"hop": 7}, "weights_path": "/of/file.pth", "max_people": 2}
    own.write_text(yaml.safe_dump({"/**": {"ros__parameters": table}}))
    node = made(
        "smoother",
        namespace="robot",
        camera_info="/cam/camera_info",
        smoother_params_file=str(own),
        smoother_weights="/of/argument.pth",
        body="/of/body.npz",
        use_sim_time="true",
    )
    assert node.get_fully_qualified_name() == "/robot/smoother"
    assert values(node, "window.hop", "max_people", "weights_path", "body_path") == [
        7,
        2,
        "/of/argument.pth",
        "/of/body.npz",
    ]
    assert node.get_parameter("use_sim_time").value is True
    assert node.resolve_topic_name("camera_info") == "/cam/camera_info"
    # Both nodes meet under one namespace.
    assert node.resolve_topic_name("tracker/humans") == "/robot/tracker/humans"
    assert not node.autostart


def test_without_arguments_the_smoother_has_its_defaults(made: Callable[..., Any]) -> None:
    from humor_ros.ros.smoother_parameters import SMOOTHER_PARAMETERS

    node = made("smoother")
    assert node.get_fully_qualified_name() == "/smoother"
    for spec in SMOOTHER_PARAMETERS:
        assert node.get_parameter(spec.name).value == spec.default, spec.name


def test_the_trackers_arguments_reach_it(made: Callable[..., Any]) -> None:
    node = made(
        "tracker",
        namespace="robot",
        image="/cam/image",
        compressed="true",
        odom="/base/odom",
        world_mode="wham",
        weights="/w.safetensors",
        imu_source="gyro_accel",
        imu_preset="realsense_d455",
    )
    assert node.get_fully_qualified_name() == "/robot/tracker"
    assert values(node, "world_mode", "weights_path", "imu.source", "compressed") == [
        "wham",
        "/w.safetensors",
        "gyro_accel",
        True,
    ]
    assert node.resolve_topic_name("image/compressed") == "/cam/image/compressed"
    assert node.resolve_topic_name("odom") == "/base/odom"
    preset = yaml.safe_load((ROOT / "config/imu/realsense_d455.yaml").read_text())
    imu = preset["/**"]["ros__parameters"]["imu"]
    name, value = next((k, v) for k, v in imu.items() if isinstance(v, float))
    assert node.get_parameter(f"imu.{name}").value == value
