"""The table of the smoother's parameters; ``config/smoother.yaml`` lists the same, commented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from humor_ros.humor.online_config import OnlineConfig
from humor_ros.humor.outlook import OutlookConfig
from humor_ros.humor.window_config import WindowConfig
from humor_ros.ros.parameter_spec import ParameterSpec
from humor_ros.ros.shared_parameters import (
    ASSUME_CAMERA,
    AUTOSTART,
    CAMERA_INFO_TIMEOUT,
    CONTACT_THRESHOLD,
    TF_ENABLED,
    THREADS,
    TRAJECTORY,
)

__all__ = ["SMOOTHER_PARAMETERS", "online_config", "outlook_config"]

_P = ParameterSpec
_WINDOW = WindowConfig()
_ONLINE = OnlineConfig()
_OUTLOOK = OutlookConfig()

#: Every parameter of the node ``smoother``.
SMOOTHER_PARAMETERS: tuple[ParameterSpec, ...] = (
    AUTOSTART,
    _P(
        "body_path",
        "",
        "The tracker's SMPL-format body file (.npz or .pkl); empty uses the packaged free body",
    ),
    _P(
        "weights_path",
        "",
        "HuMoR weights (.safetensors of ours, or a published best_model.pth); empty uses the "
        "packaged prior",
    ),
    THREADS,
    _P(
        "niceness",
        10,
        "By how much the node's priority is lower than others' (Linux), so that it takes hardly "
        "any time from the tracker where both want a processor (10 % of it with 10, 3 % with 15); "
        "that of its session, too, where it leads one",
        minimum=0,
        maximum=19,
    ),
    ASSUME_CAMERA,
    CAMERA_INFO_TIMEOUT,
    _P(
        "queue",
        60,
        "Most messages of the tracker that wait to be taken in; the oldest fall out",
        unit="messages",
        minimum=1,
        maximum=1000,
    ),
    _P(
        "max_people",
        _ONLINE.max_people,
        "Most people smoothed at once, fewer where the processor is too slow; others are told as "
        "the tracker has them",
        minimum=1,
        maximum=64,
    ),
    _P(
        "max_lag",
        _ONLINE.max_lag_s,
        "Longest time that an image waits to be told; after it the tracker's motion is told",
        unit="s",
        minimum=0.5,
        maximum=30.0,
    ),
    _P(
        "window.frames",
        _WINDOW.frames,
        "Length of the sliding window",
        unit="frames of 30 a second",
        minimum=8,
        maximum=240,
    ),
    _P(
        "window.hop",
        _WINDOW.hop,
        "New frames between two solutions; more are taken at once under load",
        unit="frames of 30 a second",
        minimum=1,
        maximum=100,
    ),
    _P(
        "window.lag",
        _WINDOW.lag,
        "Frames that follow a frame before it is told",
        unit="frames of 30 a second",
        minimum=0,
        maximum=200,
    ),
    _P(
        "window.iterations",
        _WINDOW.iterations,
        "Most Levenberg-Marquardt steps of a hop; one while somebody is behind",
        minimum=1,
        maximum=50,
    ),
    _P(
        "ground.known",
        False,
        "The floor is level and its height is known, as where a robot on wheels gives the world; "
        "it tells how far away people are",
    ),
    _P(
        "ground.height",
        0.0,
        "Height of a known floor in the tracker's world frame, 0 for odom (REP 105)",
        unit="m",
        minimum=-1000.0,
        maximum=1000.0,
    ),
    _P("forecast.enabled", True, "Publish forecasts while somebody subscribes to them"),
    _P(
        "forecast.rate",
        25.0,
        "Forecasts a second, each from the newest image",
        unit="Hz",
        minimum=0.5,
        maximum=60.0,
    ),
    _P(
        "forecast.horizon",
        _OUTLOOK.horizon_s,
        "How far forecasts reach ahead",
        unit="s",
        minimum=0.1,
        maximum=4.0,
    ),
    _P(
        "forecast.step",
        _OUTLOOK.step_s,
        "Time between two moments of a forecast",
        unit="s",
        minimum=0.0333333,
        maximum=1.0,
    ),
    _P(
        "forecast.samples",
        _OUTLOOK.roll_out.samples,
        "Sampled ways beside the mean one",
        minimum=2,
        maximum=200,
    ),
    _P(
        "forecast.budget",
        0.2,
        "Share of a processor that roll-outs may take; between them the last one is read on",
        minimum=0.01,
        maximum=1.0,
    ),
    TF_ENABLED,
    _P(
        "tf.suffix",
        "_smoothed",
        "Added to a person's id in its TF frames, because the tracker's carry the id itself",
    ),
    CONTACT_THRESHOLD,
    TRAJECTORY,
)


def online_config(values: Mapping[str, Any]) -> OnlineConfig:
    """The smoother's settings.

    Args:
        values: parameters by name.

    Raises:
        ValueError: settings do not go together; names them.
    """
    window = WindowConfig(
        frames=values["window.frames"],
        hop=values["window.hop"],
        lag=values["window.lag"],
        iterations=values["window.iterations"],
    )
    return OnlineConfig(
        window,
        max_people=values["max_people"],
        max_lag_s=values["max_lag"],
        ground_height_m=values["ground.height"] if values["ground.known"] else None,
    )


def outlook_config(values: Mapping[str, Any]) -> OutlookConfig:
    """The forecast's settings; arguments and errors as of :func:`online_config`."""
    roll_out = replace(_OUTLOOK.roll_out, samples=values["forecast.samples"])
    return OutlookConfig(values["forecast.horizon"], values["forecast.step"], roll_out)
