"""The messages: every field explained, and the same as the value types of the core."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from humor_ros.types import TrackingState

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "msg").glob("*.msg"))
_QUANTITIES = ("float32", "Point", "Quaternion", "Pose", "Twist")
_UNITS = re.compile(
    r"\bm\b|\brad\b|\bs\b|pixel|\[0, 1\]|no unit|quaternion|SMPL root frame in|joint in"
)


def _fields(path: Path) -> list[tuple[str, str, str]]:
    """(type, name, comment) of each line that is neither blank nor a comment."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        code, _, comment = line.partition("#")
        if code.strip():
            kind, name = code.split()[:2]
            found.append((kind, name, comment.strip()))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_field_has_a_comment(path: Path) -> None:
    assert [name for _, name, comment in _fields(path) if not comment] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_quantity_names_its_unit(path: Path) -> None:
    missing = [
        name
        for kind, name, comment in _fields(path)
        if any(part in kind for part in _QUANTITIES) and not _UNITS.search(comment)
    ]
    assert missing == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_message_opens_with_its_meaning(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_tracking_states_are_those_of_the_core() -> None:
    constants = {
        name.partition("=")[0]: int(name.partition("=")[2])
        for _, name, _ in _fields(ROOT / "msg/HumanState.msg")
        if "=" in name
    }
    assert constants == {state.name: state.value for state in TrackingState}


@pytest.mark.ros
class TestBuiltMessages:
    """Need `make setup` and the environment of scripts/env.sh."""

    @pytest.fixture(autouse=True)
    def _messages(self) -> None:
        pytest.importorskip("humor_ros.msg", reason="messages not built", exc_type=ImportError)

    @pytest.mark.parametrize("name", [path.stem for path in FILES])
    def test_fields_are_those_of_the_file(self, name: str) -> None:
        import humor_ros.msg

        built = getattr(humor_ros.msg, name).get_fields_and_field_types()
        wanted = [n for _, n, _ in _fields(ROOT / f"msg/{name}.msg") if "=" not in n]
        assert list(built) == wanted

    def test_state_survives_serialisation(self) -> None:
        from humor_ros.msg import FootContacts, HumanState, HumanStates
        from rclpy.serialization import deserialize_message, serialize_message

        state = HumanState(id="abcde", tracking_state=HumanState.OCCLUDED)
        state.contacts = FootContacts(names=["left_toe"], probabilities=[0.5])
        message = HumanStates(world_frame="humor_world", humans=[state])
        assert deserialize_message(serialize_message(message), HumanStates) == message

    def test_has_room_for_every_smpl_joint(self) -> None:
        from humor_ros.msg import HumanState

        state = HumanState()
        lengths = {
            len(getattr(state, name))
            for name in ("joint_rotations", "joints_camera", "joints_world", "joint_confidence")
        }
        assert lengths == {24}

    def test_transforms_can_be_published(self) -> None:
        from tf2_msgs.msg import TFMessage

        assert TFMessage().get_fields_and_field_types() == {
            "transforms": "sequence<geometry_msgs/TransformStamped>"
        }
