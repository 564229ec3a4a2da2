"""What the online smoother takes in: the tracker's people, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from humor_ros.geometry import PinholeCamera
from humor_ros.types import Array, HumanState

__all__ = ["SeenImage", "SeenRow"]


@dataclass(frozen=True, eq=False)
class SeenImage:
    """What the tracker said of one image.

    Attributes:
        stamp_s: of the image, seconds.
        humans: everybody in it, finite throughout.
        rotation_world_camera: (3, 3) optical frame to the z-up world.
        position_world_camera: (3,) metres.
        camera: intrinsics.
        world_frame: name of the world.
        source: whatever the caller wants to find again.
    """

    stamp_s: float
    humans: tuple[HumanState, ...]
    rotation_world_camera: Array
    position_world_camera: Array
    camera: PinholeCamera
    world_frame: str = ""
    source: Any = None


@dataclass(frozen=True, eq=False)
class SeenRow:
    """One person in one image, ``place`` frames of 30 a second after the person's first image."""

    place: float
    image: SeenImage
    human: HumanState
