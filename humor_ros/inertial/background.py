"""Points of the background followed through the images: what tells how the camera turned."""

from __future__ import annotations

from dataclasses import dataclass

from humor_ros.types import Array

__all__ = ["BackgroundPoints"]


@dataclass(frozen=True, eq=False)
class BackgroundPoints:
    """Points of the background in one image, people left out.

    Attributes:
        stamp_s: exposure time of the image, seconds.
        ids: (N,) whole numbers; the same point has the same number in every image.
        rays: (N, 2) x/z and y/z in the optical frame, distortion taken off.
    """

    stamp_s: float
    ids: Array
    rays: Array
