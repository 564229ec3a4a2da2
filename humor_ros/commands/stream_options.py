"""The options that leave parts of the stream out, shared by two commands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from humor_ros.wham.stream_config import StreamConfig

__all__ = ["Filter", "FitPose", "stream_config"]

FitPose = Annotated[bool, typer.Option(help="Fit the network's pose to the key-points.")]
Filter = Annotated[bool, typer.Option(help="Filter the rotations that are told.")]


def stream_config(fit_pose: bool, output_filter: bool, *, camera_fixed: bool) -> StreamConfig:
    """The default stream without what is left out."""
    from humor_ros.wham.stream_config import StreamConfig

    config = StreamConfig(camera_fixed=camera_fixed, fit_pose=fit_pose)
    return config if output_filter else replace(config, output_cutoff_hz=0.0)
