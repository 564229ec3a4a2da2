"""The launch file, against a stand-in of the launch API (the genuine one needs a ROS install)."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import launch_stub
import pytest
import yaml
from launch_stub import evaluate

ROOT = Path(__file__).resolve().parents[2]
WANTED = {
    "image",
    "camera_info",
    "imu",
    "gyro",
    "accel",
    "magnetic_field",
    "imu_source",
    "imu_preset",
    "odom",
    "compressed",
    "params_file",
    "smoother",
    "smoother_params_file",
    "smoother_weights",
    "namespace",
    "rviz",
    "rviz_config",
    "use_sim_time",
    "body",
    "weights",
    "image_encoder",
    "world_mode",
    "autostart",
    "log_level",
    "dds_profile",
}


@pytest.fixture
def description(monkeypatch: pytest.MonkeyPatch) -> launch_stub.LaunchDescription:
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE", "ROS_DISTRO"):
        monkeypatch.delenv(name, raising=False)
    launch_stub.install(monkeypatch, str(ROOT))
    spec = importlib.util.spec_from_file_location("tracking", ROOT / "launch/tracking.launch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


@pytest.fixture
def started(description: launch_stub.LaunchDescription) -> Callable[..., list[Any]]:
    return lambda **arguments: launch_stub.run(description, arguments)


def _of(actions: list[Any], kind: type) -> list[Any]:
    return [action for action in actions if type(action) is kind]


def _tracker(actions: list[Any]) -> launch_stub.LifecycleNode:
    (tracker,) = (n for n in _of(actions, launch_stub.LifecycleNode) if n.name == "tracker")
    return tracker


def _smoother(actions: list[Any]) -> launch_stub.LifecycleNode:
    (smoother,) = (n for n in _of(actions, launch_stub.LifecycleNode) if n.name == "smoother")
    return smoother


def _overrides(actions: list[Any]) -> dict[str, Any]:
    return {
        name: getattr(value, "value", value)
        for name, value in _tracker(actions).parameters[-1].items()
    }


def test_declares_every_argument(description: launch_stub.LaunchDescription) -> None:
    assert {a.name for a in _of(description.entities, launch_stub.DeclareLaunchArgument)} == WANTED


def test_every_argument_is_described_and_has_a_default(
    description: launch_stub.LaunchDescription,
) -> None:
    for argument in _of(description.entities, launch_stub.DeclareLaunchArgument):
        assert len(argument.description) > 20, argument.name
        assert argument.default_value is not None, argument.name


def test_files_that_arguments_name_exist(description: launch_stub.LaunchDescription) -> None:
    for argument in _of(description.entities, launch_stub.DeclareLaunchArgument):
        if argument.name in ("params_file", "smoother_params_file", "rviz_config", "dds_profile"):
            assert Path(argument.default_value).is_file(), argument.name


def test_starts_one_tracker_and_no_rviz_by_default(started: Callable[..., list[Any]]) -> None:
    actions = started()
    assert _tracker(actions).executable == "tracker"
    assert len(_of(actions, launch_stub.LifecycleNode)) == 1
    assert not _of(actions, launch_stub.Node)


def test_starts_rviz_when_asked(started: Callable[..., list[Any]]) -> None:
    (rviz,) = _of(started(rviz="true"), launch_stub.Node)
    assert rviz.package == rviz.executable == "rviz2"


def test_configures_then_activates_on_the_transition(started: Callable[..., list[Any]]) -> None:
    actions = started()
    (configure,) = _of(actions, launch_stub.EmitEvent)
    handlers = [a.event_handler for a in _of(actions, launch_stub.RegisterEventHandler)]
    (configured,) = (h for h in handlers if h.goal_state == "inactive")
    assert configure.event.transition_id == 1
    assert configure.event.matches(_tracker(actions))
    assert configured.target is _tracker(actions)
    assert [entity.event.transition_id for entity in configured.entities] == [3]


def test_handlers_stand_before_the_event_that_sets_them_off(
    started: Callable[..., list[Any]],
) -> None:
    actions = started()
    kinds = [type(action) for action in actions]
    order = [
        kinds.index(kind)
        for kind in (
            launch_stub.LifecycleNode,
            launch_stub.RegisterEventHandler,
            launch_stub.EmitEvent,
        )
    ]
    assert order == sorted(order)


def test_leaves_the_tracker_alone_without_autostart(started: Callable[..., list[Any]]) -> None:
    actions = started(autostart="false")
    assert not _of(actions, launch_stub.EmitEvent)
    assert not _of(actions, launch_stub.RegisterEventHandler)


def test_tells_of_a_failed_configuration_by_full_name(started: Callable[..., list[Any]]) -> None:
    handlers = [
        a.event_handler for a in _of(started(namespace="/robot"), launch_stub.RegisterEventHandler)
    ]
    (failed,) = (h for h in handlers if h.goal_state == "unconfigured")
    assert "/robot/tracker" in failed.entities[0].msg


def test_parameter_file_is_not_overridden_by_empty_arguments(
    started: Callable[..., list[Any]],
) -> None:
    assert _overrides(started()) == {"use_sim_time": False}


def test_arguments_win_over_the_parameter_file(started: Callable[..., list[Any]]) -> None:
    actions = started(
        params_file="/p.yaml",
        body="/b.npz",
        weights="/w.safetensors",
        world_mode="wham",
        compressed="true",
        use_sim_time="true",
    )
    assert _tracker(actions).parameters[0] == "/p.yaml"
    assert _overrides(actions) == {
        "body_path": "/b.npz",
        "weights_path": "/w.safetensors",
        "world_mode": "wham",
        "compressed": True,
        "use_sim_time": True,
    }


def test_overridden_parameters_exist(started: Callable[..., list[Any]]) -> None:
    text = (ROOT / "config/tracking.yaml").read_text(encoding="utf-8")
    known = yaml.safe_load(text)["/**"]["ros__parameters"]
    given = _overrides(started(body="b", weights="w", world_mode="wham", compressed="true"))
    assert set(given) - {"use_sim_time"} <= set(known)


def test_world_modes_are_those_of_the_node(
    description: launch_stub.LaunchDescription,
) -> None:
    parameters = pytest.importorskip("humor_ros.ros.parameters", exc_type=ImportError)
    (spec,) = (p for p in parameters.TRACKER_PARAMETERS if p.name == "world_mode")
    (argument,) = (
        a
        for a in _of(description.entities, launch_stub.DeclareLaunchArgument)
        if a.name == "world_mode"
    )
    assert argument.choices == ["", *spec.choices]


def test_every_preset_of_an_imu_is_a_choice_and_a_file(
    description: launch_stub.LaunchDescription, started: Callable[..., list[Any]]
) -> None:
    (argument,) = (
        a
        for a in _of(description.entities, launch_stub.DeclareLaunchArgument)
        if a.name == "imu_preset"
    )
    files = {path.stem: path for path in (ROOT / "config/imu").glob("*.yaml")}
    assert set(argument.choices) == {"", *files}
    for name, path in files.items():
        given = _tracker(started(imu_preset=name, params_file="/p.yaml")).parameters
        assert given[:2] == ["/p.yaml", str(path)]


def test_separate_topics_of_an_imu_are_remapped_and_chosen(
    started: Callable[..., list[Any]],
) -> None:
    actions = started(imu_source="gyro_accel", gyro="/cam/gyro/sample", accel="/cam/accel/sample")
    assert _overrides(actions)["imu.source"] == "gyro_accel"
    context = launch_stub.LaunchContext({"gyro": "/cam/gyro/sample", "accel": "/cam/accel/sample"})
    remapped = dict(_tracker(actions).remappings)
    assert evaluate(context, remapped["gyro"]) == "/cam/gyro/sample"
    assert evaluate(context, remapped["accel"]) == "/cam/accel/sample"


def test_compressed_images_follow_the_image_topic(started: Callable[..., list[Any]]) -> None:
    context = launch_stub.LaunchContext({"image": "/cam/image_raw"})
    target = dict(_tracker(started()).remappings)["image/compressed"]
    assert evaluate(context, target) == "/cam/image_raw/compressed"


def test_rejects_an_unknown_choice(started: Callable[..., list[Any]]) -> None:
    with pytest.raises(RuntimeError, match="world_mode"):
        started(world_mode="moon")


def test_gives_fast_dds_the_packaged_profile(started: Callable[..., list[Any]]) -> None:
    environment = _tracker(started()).additional_env
    assert environment == {
        "FASTDDS_DEFAULT_PROFILES_FILE": str(ROOT / "config" / "fastdds_shm.xml")
    }


def test_humble_gets_the_old_name_of_the_variable(
    started: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DISTRO", "humble")
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" in _tracker(started()).additional_env


def test_a_profile_of_the_users_own_stays(
    started: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/mine.xml")
    assert _tracker(started()).additional_env == {}


def test_no_profile_when_the_argument_is_empty(started: Callable[..., list[Any]]) -> None:
    assert _tracker(started(dds_profile="")).additional_env == {}


def test_rviz_follows_the_namespace(started: Callable[..., list[Any]]) -> None:
    (rviz,) = _of(started(rviz="true", namespace="robot"), launch_stub.Node)
    view = (ROOT / "config/tracking.rviz").read_text(encoding="utf-8")
    shown = set(re.findall(r"Value: (/(?:tracker|smoother)/\w+)", view))
    assert shown
    assert {(topic, f"/robot{topic}") for topic in shown} <= set(rviz.remappings)


def test_programs_that_are_started_are_built(started: Callable[..., list[Any]]) -> None:
    programs = (ROOT / "entry_points.txt").read_text(encoding="utf-8")
    assert f"\n{_tracker(started()).executable} = " in programs


def test_starts_the_smoother_in_a_process_of_its_own_when_asked(
    started: Callable[..., list[Any]],
) -> None:
    actions = started(smoother="true", namespace="robot", camera_info="/cam/camera_info")
    smoother = _smoother(actions)
    programs = (ROOT / "entry_points.txt").read_text(encoding="utf-8")
    assert f"\n{smoother.executable} = " in programs
    context = launch_stub.LaunchContext(
        {"namespace": "robot", "camera_info": "/cam/camera_info", "log_level": "info"}
    )
    assert evaluate(context, smoother.namespace) == "robot"
    assert evaluate(context, dict(smoother.remappings)["camera_info"]) == "/cam/camera_info"
    assert smoother.additional_env == _tracker(actions).additional_env


def test_the_smoother_is_configured_then_activated_by_its_own_events(
    started: Callable[..., list[Any]],
) -> None:
    actions = started(smoother="true", namespace="robot")
    smoother = _smoother(actions)
    events = [a.event for a in _of(actions, launch_stub.EmitEvent)]
    assert [e.transition_id for e in events if e.matches(smoother)] == [1]
    handlers = [a.event_handler for a in _of(actions, launch_stub.RegisterEventHandler)]
    own = {h.goal_state: h for h in handlers if h.target is smoother}
    assert [entity.event.transition_id for entity in own["inactive"].entities] == [3]
    assert "/robot/smoother" in own["unconfigured"].entities[0].msg
    assert not _of(started(smoother="true", autostart="false"), launch_stub.EmitEvent)


def test_the_smoothers_arguments_win_over_its_file(started: Callable[..., list[Any]]) -> None:
    smoother = _smoother(
        started(
            smoother="true",
            smoother_params_file="/s.yaml",
            smoother_weights="/w.pth",
            body="/b.npz",
            use_sim_time="true",
        )
    )
    given = {name: getattr(value, "value", value) for name, value in smoother.parameters[1].items()}
    assert smoother.parameters[0] == "/s.yaml"
    assert given == {"weights_path": "/w.pth", "body_path": "/b.npz", "use_sim_time": True}
    text = (ROOT / "config/smoother.yaml").read_text(encoding="utf-8")
    known = yaml.safe_load(text)["/**"]["ros__parameters"]
    assert set(given) - {"use_sim_time"} <= set(known)
