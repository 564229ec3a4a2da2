"""What a drawing needs to know of a person: satisfied by ``HumanState`` and ``TrackRow``."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from humor_ros.types import Array, TrackingState

__all__ = ["DrawablePerson", "world_to_camera"]


class DrawablePerson(Protocol):
    """One person at one image; the meanings are those of :class:`humor_ros.types.HumanState`."""

    @property
    def person_id(self) -> str:
        """Five letters."""

    @property
    def tracking_state(self) -> TrackingState:
        """Whether the person was measured in this image."""

    @property
    def root_orientation_camera(self) -> NDArray[Any]:
        """(3, 3) root to camera."""

    @property
    def root_position_camera(self) -> NDArray[Any]:
        """(3,) metres."""

    @property
    def root_orientation_world(self) -> NDArray[Any]:
        """(3, 3) root to world."""

    @property
    def root_position_world(self) -> NDArray[Any]:
        """(3,) metres."""

    @property
    def joints_camera(self) -> NDArray[Any]:
        """(24, 3) metres."""

    @property
    def joints_world(self) -> NDArray[Any]:
        """(24, 3) metres."""

    @property
    def contacts(self) -> NDArray[Any]:
        """(4,) probabilities."""

    @property
    def contact_positions_world(self) -> NDArray[Any]:
        """(4, 3) metres."""

    @property
    def keypoints_image(self) -> NDArray[Any]:
        """(17, 3) pixels and confidence."""

    @property
    def box_xyxy(self) -> NDArray[Any]:
        """(4,) pixels."""


def world_to_camera(person: DrawablePerson, points_world: NDArray[Any]) -> Array:
    """Take points on a person's body from the world to the camera frame, by the root's two poses.

    Exact for points that move with the body, also where the person's world drifts against
    the camera's.

    Args:
        person: whose root to use.
        points_world: (N, 3) metres, world.

    Returns:
        (N, 3) metres, optical frame of the camera.
    """
    rotation_camera_world = (
        np.asarray(person.root_orientation_camera, np.float64) @ person.root_orientation_world.T
    )
    offsets = np.asarray(points_world, np.float64) - person.root_position_world
    with np.errstate(invalid="ignore"):  # points at infinity stay there
        return offsets @ rotation_camera_world.T + person.root_position_camera
