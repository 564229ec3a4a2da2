"""How the online smoother copes with time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from humor_ros.field_checks import AT_LEAST_1, Rule, check_fields
from humor_ros.humor.state import FRAME_RATE
from humor_ros.humor.window_config import WindowConfig

__all__ = ["OnlineConfig"]

_HEIGHT = Rule("a number, or None to find it", lambda value: value is None or math.isfinite(value))


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
        check_fields(self, AT_LEAST_1, "max_people")
        check_fields(self, _HEIGHT, "ground_height_m")
        least = (self.window.lag + 2 * self.window.hop) / FRAME_RATE
        if not least <= self.max_lag_s <= 30.0:
            raise ValueError(
                f"max_lag_s must be between {least:.2f} (lag and two hops of the window) and 30, "
                f"got {self.max_lag_s}"
            )
