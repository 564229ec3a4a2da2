"""RViz markers of forecasts: where a person may go, how sure, and the body at two moments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from humor_ros.humor.outlook import PersonForecast
from humor_ros.ros.conversion import points_from_array
from humor_ros.types import Array

__all__ = ["ForecastMarkers", "capsule_triangles"]

_MEAN = (0.95, 0.95, 0.95, 0.9)
_SAMPLE = (0.80, 0.47, 0.65, 0.35)
_REGION = (0.34, 0.71, 0.91, 0.25)
#: Moments at which the body is drawn, seconds ahead, with its colour (Okabe and Ito, 2008).
_BODIES = ((1.0, (0.94, 0.89, 0.26, 0.35)), (2.0, (0.84, 0.37, 0.00, 0.25)))
#: Chi-square with 2 degrees of freedom of the drawn region: 68 % of true places.
_REGION_SQUARED = 2.28
#: Longer than the time from one drawing to the next, also on a busy machine.
_LIFE = Duration(sec=1)
_SIDES = 6


class ForecastMarkers:
    """Draws forecasts and remembers whom to wipe."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._count = 0

    def draw(self, forecasts: Sequence[PersonForecast], world: Header) -> MarkerArray:
        """Markers of everybody's forecast.

        Args:
            forecasts: from one image.
            world: its stamp and the name of the world.
        """
        markers: list[Marker] = []
        here = {forecast.name for forecast in forecasts}
        for name in [name for name in self._numbers if name not in here]:
            markers += self._wiped(self._numbers.pop(name), world)
        for forecast in forecasts:
            if forecast.name not in self._numbers:
                self._count += 1
                self._numbers[forecast.name] = self._count
            markers += self._person(forecast, self._numbers[forecast.name], world)
        return MarkerArray(markers=markers)

    def clear(self, world: Header) -> MarkerArray:
        """Wipe everything."""
        self._numbers.clear()
        marker = Marker(header=world, action=Marker.DELETEALL)
        marker.pose.orientation.w = 1.0
        return MarkerArray(markers=[marker])

    def _person(self, forecast: PersonForecast, number: int, world: Header) -> list[Marker]:
        ways = _marker(world, "ways", number, Marker.LINE_LIST, _SAMPLE, 0.01)
        ends = np.stack((forecast.samples[:, :-1], forecast.samples[:, 1:]), axis=2)
        ways.points = points_from_array(ends.reshape(-1, 3))
        mean = _marker(world, "mean", number, Marker.LINE_STRIP, _MEAN, 0.03)
        mean.points = points_from_array(forecast.root)
        drawn = [marker for marker in (ways, mean) if len(marker.points) >= 2]
        last = len(forecast.time_s) - 1
        drawn.append(_region(forecast, last, number, world))
        for order, (ahead_s, color) in enumerate(_BODIES):
            moment = int(np.argmin(np.abs(forecast.time_s - ahead_s)))
            if order and moment == 0:
                continue
            body = _marker(world, f"body_{order}", number, Marker.TRIANGLE_LIST, color, 1.0)
            body.scale = Vector3(x=1.0, y=1.0, z=1.0)
            body.points = points_from_array(
                capsule_triangles(
                    forecast.starts[moment], forecast.ends[moment], forecast.capsules.radii
                )
            )
            drawn.append(body)
        return drawn

    @staticmethod
    def _wiped(number: int, world: Header) -> list[Marker]:
        pose = Pose(orientation=Quaternion(w=1.0))
        spaces = ("ways", "mean", "region", *(f"body_{order}" for order in range(len(_BODIES))))
        return [
            Marker(header=world, ns=ns, id=number, action=Marker.DELETE, pose=pose) for ns in spaces
        ]


def capsule_triangles(starts: Array, ends: Array, radii: Array) -> Array:
    """Prisms with pointed caps in place of capsules, few triangles each.

    Args:
        starts: (C, 3) metres; ``ends`` (C, 3).
        ends: see ``starts``.
        radii: (C,) metres.

    Returns:
        (72 C, 3) corners, three a triangle.
    """
    axis = ends - starts
    length = np.linalg.norm(axis, axis=1, keepdims=True)
    upward = np.array([0.0, 0.0, 1.0])
    along = np.where(length > 1e-6, axis / np.maximum(length, 1e-6), upward)
    helper = np.where(np.abs(along[:, 2:]) < 0.9, upward, np.array([1.0, 0.0, 0.0]))
    side = np.cross(along, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    frame = np.stack((side, np.cross(along, side), along), axis=2)  # (C, 3, 3)
    rings = radii[:, None, None] * (_ring() @ frame.transpose(0, 2, 1))
    tips = radii[:, None] * along
    low, high = starts[:, None] + rings, ends[:, None] + rings
    next_low, next_high = np.roll(low, -1, axis=1), np.roll(high, -1, axis=1)
    bottom = np.broadcast_to((starts - tips)[:, None], low.shape)
    top = np.broadcast_to((ends + tips)[:, None], low.shape)
    sides = (low, next_low, high, high, next_low, next_high)
    caps = (bottom, next_low, low, top, high, next_high)
    corners = np.stack((*sides, *caps), axis=2)
    return corners.reshape(-1, 3)


@cache
def _ring() -> Array:
    """(6, 3) corners of a hexagon across the z axis."""
    angles = 2.0 * np.pi * np.arange(_SIDES) / _SIDES
    return np.stack((np.cos(angles), np.sin(angles), np.zeros(_SIDES)), axis=1)


def _region(forecast: PersonForecast, moment: int, number: int, world: Header) -> Marker:
    """A flat ellipse that holds 68 % of the places where the root may be at a moment."""
    values, vectors = np.linalg.eigh(forecast.covariance[moment][:2, :2])
    heading = float(np.arctan2(vectors[1, 1], vectors[0, 1]))
    minor, major = (2.0 * np.sqrt(np.maximum(values, 1e-6) * _REGION_SQUARED)).tolist()
    x, y, z = forecast.root[moment].tolist()
    marker = _marker(world, "region", number, Marker.CYLINDER, _REGION, 0.0)
    marker.scale = Vector3(x=major, y=minor, z=0.01)
    marker.pose = Pose(
        position=Point(x=x, y=y, z=z),
        orientation=Quaternion(z=float(np.sin(heading / 2.0)), w=float(np.cos(heading / 2.0))),
    )
    return marker


def _marker(
    world: Header,
    space: str,
    number: int,
    kind: int,
    color: tuple[float, float, float, float],
    width: float,
) -> Marker:
    red, green, blue, alpha = color
    return Marker(
        header=world,
        ns=space,
        id=number,
        type=kind,
        action=Marker.ADD,
        pose=Pose(orientation=Quaternion(w=1.0)),
        scale=Vector3(x=width, y=0.0, z=0.0),
        color=ColorRGBA(r=red, g=green, b=blue, a=alpha),
        lifetime=_LIFE,
    )
