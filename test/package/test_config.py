"""The RViz view and the transport profile."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CLASSES = {
    "rviz_common": {"Displays", "Selection", "Tool Properties", "Views", "Time", "Group"},
    "rviz_default_plugins": {
        "Camera",
        "FocusCamera",
        "Grid",
        "Image",
        "Interact",
        "Marker",
        "MarkerArray",
        "Measure",
        "MoveCamera",
        "Orbit",
        "Path",
        "PointCloud2",
        "PoseArray",
        "PoseWithCovariance",
        "RobotModel",
        "Select",
        "TF",
    },
    "hri_rviz": {"Skeletons3D"},
}


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _walk(part)


@pytest.fixture(scope="module")
def view() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config/tracking.rviz").read_text(encoding="utf-8"))


def test_view_uses_no_class_beyond_rviz_and_its_default_plugins(view: dict[str, Any]) -> None:
    for node in _walk(view):
        if node.get("Class"):
            package, _, name = node["Class"].partition("/")
            assert name in CLASSES.get(package, set()), node["Class"]


def test_optional_plugins_are_off(view: dict[str, Any]) -> None:
    optional = [n for n in _walk(view) if str(n.get("Class")).startswith("hri_rviz/")]
    assert [node["Enabled"] for node in optional] == [False]


def test_fixed_frame_is_the_world_that_the_tracker_publishes(view: dict[str, Any]) -> None:
    text = (ROOT / "config/tracking.yaml").read_text(encoding="utf-8")
    frames = yaml.safe_load(text)["/**"]["ros__parameters"]["tf"]
    assert frames["publish_world"] is True
    assert view["Visualization Manager"]["Global Options"]["Fixed Frame"] == frames["world_frame"]


def test_shows_markers_frames_and_image(view: dict[str, Any]) -> None:
    shown = {
        node["Class"].partition("/")[2]
        for node in _walk(view["Visualization Manager"]["Displays"])
        if node.get("Class") and node.get("Enabled")
    }
    assert {"MarkerArray", "TF", "Image", "Grid"} <= shown


def test_topics_of_images_are_read_as_cameras_send_them(view: dict[str, Any]) -> None:
    topics = {
        node["Topic"]["Value"]: node["Topic"]["Reliability Policy"]
        for node in _walk(view)
        if isinstance(node.get("Topic"), dict)
    }
    assert topics == {
        "/tracker/markers": "Reliable",
        "/tracker/image_overlay": "Best Effort",
        "/smoother/markers": "Reliable",
        "/smoother/forecast_markers": "Reliable",
        "/image": "Best Effort",
    }


def test_profile_offers_shared_memory_and_udp_to_every_participant() -> None:
    root = ElementTree.parse(ROOT / "config/fastdds_shm.xml").getroot()
    space = {"dds": "http://www.eprosima.com"}
    defined = {
        node.findtext("dds:transport_id", namespaces=space): node.findtext(
            "dds:type", namespaces=space
        )
        for node in root.iterfind(".//dds:transport_descriptor", space)
    }
    used = [
        str(node.text) for node in root.iterfind(".//dds:userTransports/dds:transport_id", space)
    ]
    participant = root.find("dds:participant", space)
    assert participant is not None
    assert participant.get("is_default_profile") == "true"
    assert sorted(defined[name] or "" for name in used) == ["SHM", "UDPv4"]


def test_profile_has_room_for_full_hd_images() -> None:
    root = ElementTree.parse(ROOT / "config/fastdds_shm.xml").getroot()
    space = {"dds": "http://www.eprosima.com"}
    assert int(root.findtext(".//dds:maxMessageSize", "0", space)) > 1920 * 1080 * 3
    assert int(root.findtext(".//dds:segment_size", "0", space)) > 4 * 1920 * 1080 * 3
