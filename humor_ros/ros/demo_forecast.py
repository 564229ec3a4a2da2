"""The picture of a forecast: a person, the ways it may go, capsules after one and two seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humor_ros.msg import HumanForecast, HumanForecasts
from humor_ros.ros.recording import RecordedFrame, Recording
from humor_ros.ros.time_conversion import seconds_from_stamp
from humor_ros.types import Array, Image
from humor_ros.viewer import PersonColors, Scene, WorldView
from humor_ros.viewer.canvas import blend, polyline, segment
from humor_ros.viewer.palette import INK, PAPER, Color, faded
from humor_ros.viewer.view_camera import ViewCamera

__all__ = ["forecast_picture"]

#: Moments ahead that are drawn as bodies, seconds, with their colour (BGR).
_BODIES: tuple[tuple[float, Color], ...] = ((1.0, (30, 180, 220)), (2.0, (60, 90, 220)))
_BODY_SHARE = 0.35
_TRUTH: Color = (60, 140, 40)
#: Sight along the ground from ahead, so that forecasts of people who come nearer are seen.
_ELEVATION = 0.3


def forecast_picture(recording: Recording, width: int, height: int) -> Image | None:
    """Draw the forecast of the moment after which somebody goes furthest.

    Args:
        recording: of a run with a smoother.
        width: of the picture, pixels.
        height: of the picture, pixels.

    Returns:
        (height, width, 3) BGR; None where there is no forecast to draw.
    """
    chosen = _moment(recording)
    if chosen is None:
        return None
    forecasts, frame = chosen
    after_s = frame.stamp_s + forecasts.horizon
    later = [f for f in recording.frames if frame.stamp_s < f.stamp_s <= after_s]
    shown = [human for part in (frame, *later) for human in part.humans]
    scene = Scene.around(shown, level_assumed=not frame.gravity_known)
    places = [_array(forecast.joint_positions) for forecast in forecasts.forecasts]
    points = np.concatenate([scene.points, *places])
    view = ViewCamera.oblique(width, height, points, elevation=_ELEVATION)
    title = (
        f"forecast of {forecasts.horizon:g} s: the person now, capsules after 1 s and 2 s, samples"
    )
    world = WorldView(view, scene, f"{title}; the way that was taken is green")
    picture = world.draw(frame.humans, PersonColors(), names=False)
    for forecast in forecasts.forecasts:
        _draw_forecast(picture, view, forecast)
    _draw_truth(picture, view, later)
    return picture


def _moment(recording: Recording) -> tuple[HumanForecasts, RecordedFrame] | None:
    """The forecast of the moment after which somebody goes furthest, with the tracker's image."""
    frames = {round(1e3 * frame.stamp_s): frame for frame in recording.frames if frame.humans}
    best: tuple[float, HumanForecasts, RecordedFrame] | None = None
    for message in recording.forecasts:
        frame = frames.get(round(1e3 * seconds_from_stamp(message.header.stamp)))
        if frame is None or not message.forecasts:
            continue
        end_s = frame.stamp_s + message.horizon
        later = next((f for f in recording.frames if f.stamp_s >= end_s), None)
        if later is None:
            continue
        foreseen = {f.person_id for f in message.forecasts if f.times and f.times[-1] > 1.5}
        starts = {
            human.person_id: human.root_position_world
            for human in frame.humans
            if human.person_id in foreseen
        }
        reach = max(
            (
                float(np.linalg.norm(human.root_position_world - starts[human.person_id]))
                for human in later.humans
                if human.person_id in starts
            ),
            default=0.0,
        )
        if best is None or reach > best[0]:
            best = reach, message, frame
    return None if best is None else best[1:]


def _draw_forecast(picture: Image, view: ViewCamera, forecast: HumanForecast) -> None:
    count = len(forecast.times)
    for way in _array(forecast.sample_roots).reshape(forecast.sample_count, count, 3):
        polyline(picture, view.project(way)[0], faded(INK, PAPER, 0.35), 1.0)
    for ahead_s, color in _BODIES:
        moment = int(np.argmin(np.abs(np.asarray(forecast.times) - ahead_s)))
        layer = picture.copy()
        for capsule in forecast.capsules:
            ends = np.array([_xyz(capsule.starts[moment]), _xyz(capsule.ends[moment])])
            pixels, depths = view.project(ends)
            width = 2.0 * capsule.radius * float(view.pixels_per_metre(depths).mean())
            segment(layer, pixels[0], pixels[1], color, width)
        blend(picture, layer, _BODY_SHARE)
    polyline(picture, view.project(_array(forecast.root_positions))[0], INK, 3.0)


def _draw_truth(picture: Image, view: ViewCamera, later: Sequence[RecordedFrame]) -> None:
    ways: dict[str, list[Array]] = {}
    for frame in later:
        for human in frame.humans:
            ways.setdefault(human.person_id, []).append(human.root_position_world)
    for way in ways.values():
        polyline(picture, view.project(np.array(way))[0], _TRUTH, 3.0)


def _xyz(point: object) -> tuple[float, float, float]:
    return point.x, point.y, point.z  # type: ignore[attr-defined]


def _array(points: Sequence[object]) -> Array:
    return np.array([_xyz(point) for point in points]).reshape(-1, 3)
