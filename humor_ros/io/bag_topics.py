"""Which topics of a bag to use: chosen by type, by name where the user says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "CAMERA_INFO",
    "COMPRESSED",
    "IMAGE",
    "IMU",
    "BagError",
    "BagTopics",
    "choose_topics",
]

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
IMU = "sensor_msgs/msg/Imu"
_NOT_A_PICTURE = ("depth", "disparity", "mask", "theora", "ffmpeg")


class BagError(ValueError):
    """A bag that cannot be used; names the bag, the topics in it and the remedy."""


@dataclass(frozen=True)
class BagTopics:
    """Topics to read from a bag; None means "choose", an empty string "leave out".

    Attributes:
        image: of type Image or CompressedImage.
        camera_info: of type CameraInfo.
        imu: of type Imu.
    """

    image: str | None = None
    camera_info: str | None = None
    imu: str | None = None


def choose_topics(bag: str, found: Mapping[str, str], wanted: BagTopics) -> BagTopics:
    """Fill in what the user left open.

    The image topic is the only one that is no depth image, raw before compressed; camera
    info and IMU are the only ones, or those whose names share most with the image topic's.

    Args:
        bag: name of the bag, for errors.
        found: topic to message type, topics without messages left out.
        wanted: the user's choice.

    Returns:
        chosen topics; ``camera_info`` and ``imu`` None where the bag has none.

    Raises:
        BagError: if a topic named is not there or of another type, if there is no image
            topic, or if the choice is not clear; lists the topics found.
    """
    image = _named(bag, found, wanted.image, (IMAGE, COMPRESSED), "image")
    if image is None:
        image = _only_image(bag, found)
    info = _named(bag, found, wanted.camera_info, (CAMERA_INFO,), "camera_info")
    if info is None and wanted.camera_info is None:
        info = _nearest(bag, found, CAMERA_INFO, image, "camera_info")
    imu = _named(bag, found, wanted.imu, (IMU,), "imu")
    if imu is None and wanted.imu is None:
        imu = _nearest(bag, found, IMU, image, "imu")
    return BagTopics(image, info, imu)


def listing(found: Mapping[str, str]) -> str:
    """The topics of a bag as text.

    Args:
        found: topic to message type.
    """
    return ", ".join(f"{topic} ({kind})" for topic, kind in sorted(found.items())) or "none"


def _named(
    bag: str, found: Mapping[str, str], topic: str | None, kinds: tuple[str, ...], role: str
) -> str | None:
    """The topic that the user named, checked; None where there is none."""
    if not topic:
        return None
    for name in (topic, "/" + topic.lstrip("/")):
        if name in found:
            if found[name] not in kinds:
                raise BagError(
                    f"{bag}: {role} topic {name} is of type {found[name]}, not {' or '.join(kinds)}"
                )
            return name
    raise BagError(f"{bag} has no messages on {role} topic {topic}; topics: {listing(found)}")


def _only_image(bag: str, found: Mapping[str, str]) -> str:
    pictures = [
        topic
        for topic, kind in sorted(found.items())
        if kind in (IMAGE, COMPRESSED) and not any(word in topic.lower() for word in _NOT_A_PICTURE)
    ]
    raw = [topic for topic in pictures if found[topic] == IMAGE]
    for candidates in (raw, pictures):
        others = [t for t in pictures if not any(t.startswith(c + "/") for c in candidates)]
        if len(candidates) == 1 and set(others) <= set(candidates):
            return candidates[0]
    if not pictures:
        raise BagError(f"{bag} has no image topic; topics: {listing(found)}")
    raise BagError(f"{bag} has several image topics, name one of them: {', '.join(pictures)}")


def _nearest(bag: str, found: Mapping[str, str], kind: str, image: str, role: str) -> str | None:
    """The topic of a type whose name shares the most leading parts with the image topic's."""
    candidates = [topic for topic, other in sorted(found.items()) if other == kind]
    if len(candidates) <= 1:
        return candidates[0] if candidates else None
    shared = {topic: _shared_parts(topic, image) for topic in candidates}
    best = [topic for topic in candidates if shared[topic] == max(shared.values())]
    if len(best) == 1:
        return best[0]
    raise BagError(f"{bag} has several {role} topics, name one of them: {', '.join(best)}")


def _shared_parts(first: str, second: str) -> int:
    count = 0
    for one, other in zip(first.split("/"), second.split("/"), strict=False):
        if one != other:
            break
        count += 1
    return count
