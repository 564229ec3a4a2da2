"""How the online smoother copes with time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from humor_ros.humor.state import FRAME_RATE
from humor_ros.humor.window_config import WindowConfig

__all__ = ["OnlineConfig"]


@dataclass(frozen=True)
class OnlineConfig:
    """How the smoother copes with time.

    Attributes:
        window: of each person.
        max_people: most people smoothed at once.
        max_lag_s: longest time that an image waits to be told, by the images' stamps.
        ground_height_m: height of a level ground that is known, in the tracker's world, as where
            the robot stands on it; it tells how far away people are. None finds it.

    Raises:
        ValueError: on construction, naming the value.
    """

    window: WindowConfig = field(default_factory=WindowConfig)
    max_people: int = 4
    max_lag_s: float = 3.0
    ground_height_m: float | None = None

    def __post_init__(self) -> None:
        if self.max_people < 1:
            raise ValueError(f"max_people must be at least 1, got {self.max_people}")
        height_m = self.ground_height_m
        if height_m is not None and not math.isfinite(height_m):
            raise ValueError(f"ground_height_m must be a number or None, got {height_m}")
        least = (self.window.lag + 2 * self.window.hop) / FRAME_RATE
        if not least <= self.max_lag_s <= 30.0:
            raise ValueError(
                f"max_lag_s must be between {least:.2f} (lag and two hops of the window) and 30, "
                f"got {self.max_lag_s}"
            )
