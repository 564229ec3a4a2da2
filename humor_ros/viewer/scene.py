"""What stands still or piles up in the world's picture: floor height, bounds, trails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humor_ros.types import Array
from humor_ros.viewer.person import DrawablePerson

__all__ = ["CameraPose", "Scene", "Trails", "ground_height"]

#: A foot point rests above this probability.
_CONTACT_PROBABILITY = 0.5
#: SMPL's toe joint stands about this high above the sole, metres.
_TOE_HEIGHT_M = 0.03
_TOES = (10, 11)
#: Of the heights of feet, the floor's: robust against the lowest tenth being wrong.
_FLOOR_QUANTILE = 0.15
#: Free room around people, metres, and the directions along the floor.
_FREE_M = 0.25
_LEVEL = np.array((1.0, 1.0, 0.0))


@dataclass(frozen=True, eq=False)
class CameraPose:
    """Where the camera is in the world.

    Attributes:
        rotation_world_camera: (3, 3) optical frame to world.
        position_world_camera: (3,) metres.
    """

    rotation_world_camera: NDArray[Any]
    position_world_camera: NDArray[Any]


def ground_height(people: Iterable[DrawablePerson]) -> float | None:
    """Height of the floor in the world, metres, by the lower of the resting foot points.

    Low rather than middle: some stand on things, nobody stands under the floor. Where nothing
    rests the toes count; None when there is nobody.

    Args:
        people: everybody at every image that counts.
    """
    resting: list[float] = []
    toes: list[float] = []
    for person in people:
        heights = np.asarray(person.contact_positions_world, np.float64)[:, 2]
        rests = (np.asarray(person.contacts) > _CONTACT_PROBABILITY) & np.isfinite(heights)
        resting.extend(heights[rests].tolist())
        toes.append(float(np.min(person.joints_world[list(_TOES), 2])) - _TOE_HEIGHT_M)
    if resting:
        return float(np.quantile(resting, _FLOOR_QUANTILE))
    lows = np.array(toes)[np.isfinite(toes)] if toes else np.empty(0)
    return float(np.quantile(lows, _FLOOR_QUANTILE)) if len(lows) else None


@dataclass(frozen=True, eq=False)
class Scene:
    """The part of the world to show.

    Attributes:
        ground_z: height of the floor, metres.
        points: (N, 3) places that must be seen, N >= 2, metres.
        level_assumed: nothing measured the camera's tilt; the world may lean.
    """

    ground_z: float
    points: Array
    level_assumed: bool = False

    @classmethod
    def around(
        cls,
        people: Iterable[DrawablePerson],
        cameras: Iterable[CameraPose] = (),
        *,
        level_assumed: bool = False,
    ) -> Scene:
        """The box around people (outliers left out), the cameras, and their floor.

        Args:
            people: everybody at every image to be shown.
            cameras: camera poses to be shown.
            level_assumed: nothing measured the camera's tilt.
        """
        everybody = list(people)
        lenses = [np.asarray(pose.position_world_camera, np.float64) for pose in cameras]
        eyes = np.array(lenses).reshape(-1, 3)
        eyes = eyes[np.isfinite(eyes).all(axis=1)]
        places = [np.asarray(person.joints_world, np.float64) for person in everybody]
        joints = np.concatenate([*places, np.empty((0, 3))])
        joints = joints[np.isfinite(joints).all(axis=1)]
        if not len(joints):
            joints = np.concatenate([eyes, [(4.0, 1.0, -1.0), (3.0, -1.0, 0.5)]])
        low, high = np.quantile(joints, (0.005, 0.995), axis=0)
        floor = ground_height(everybody)
        ground_z = float(low[2] if floor is None else floor)
        low[2], high[2] = ground_z, max(high[2], ground_z + 1.0)
        pair = np.stack((low - _FREE_M * _LEVEL, high + _FREE_M))
        corners = np.stack(np.meshgrid((0, 1), (0, 1), (0, 1)), axis=-1).reshape(-1, 3)
        below = eyes * _LEVEL + (0.0, 0.0, ground_z)
        points = np.concatenate((pair[corners, np.arange(3)], eyes, below))
        return cls(ground_z, points, level_assumed)

    @property
    def grid_step_m(self) -> float:
        """Distance of the floor's lines: 0.5, 1, 2, 5, ... metres, about ten across."""
        span = float(np.ptp(self.points[:, :2], axis=0).max())
        steps = [scale * power for power in (1, 10, 100, 1000) for scale in (0.5, 1.0, 2.0)]
        return next((step for step in steps if span / step <= 12), steps[-1])


@dataclass
class Trails:
    """Where people walked and put their feet, up to now.

    Attributes:
        max_points: kept for each person; the oldest go first.
        roots: pelvis places in the world by person.
        footprints: places of rest, each told once while the foot point stays down.
    """

    max_points: int = 100_000
    roots: dict[str, list[Array]] = field(default_factory=dict)
    footprints: dict[str, list[Array]] = field(default_factory=dict)
    _down: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def add(self, people: Sequence[DrawablePerson]) -> None:
        """Add the people of one image."""
        for person in people:
            name = person.person_id
            root = np.array(person.root_position_world, np.float64)
            if not np.isfinite(root).all():
                continue
            _append(self.roots.setdefault(name, []), root, self.max_points)
            rests = np.asarray(person.contacts) > _CONTACT_PROBABILITY
            before = self._down.get(name, np.zeros(4, dtype=bool))
            prints = self.footprints.setdefault(name, [])
            for point in np.flatnonzero(rests & ~before):
                place = np.array(person.contact_positions_world[point], np.float64)
                _append(prints, place, self.max_points)
            self._down[name] = rests


def _append(places: list[Array], place: Array, limit: int) -> None:
    places.append(place)
    if len(places) > limit:
        del places[0]
