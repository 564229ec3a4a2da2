"""Whether the IMU stands still: then the gyroscope measures its own bias."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from humor_ros.inertial.attitude_filter import AttitudeFilter
from humor_ros.inertial.config import InertialConfig
from humor_ros.inertial.interval import InertialInterval
from humor_ros.types import Array

__all__ = ["RestDetector"]

#: Stillness must last this long, seconds.
_WINDOW_S = 1.0
#: What a mount that stands still may sway, rad/s and m/s², beside the sensors' noise.
_SWAY_RATE, _SWAY_FORCE = 2.0e-3, 0.03
#: Spreads may be this many times what noise explains.
_FACTOR = 3.0


class RestDetector:
    """Looks at the last second of rates and forces.

    A camera that turns at a constant rate looks like one at rest with a bias. So the rate must be
    one that the bias, as far as it is known, can explain.

    Attributes:
        resting: whether the IMU stood still at the last update.
        rate_std: of the mean rate of a window at rest, rad/s.
    """

    def __init__(self, config: InertialConfig) -> None:
        self._config = config
        self._window: deque[tuple[float, Array, Array | None]] = deque()
        self._window_s = 0.0
        self.resting = False
        self.rate_std = math.hypot(_SWAY_RATE, config.gyroscope_noise_density)

    def update(
        self, inertial: InertialInterval, interval_s: float, state: AttitudeFilter
    ) -> Array | None:
        """Look at one more interval.

        Args:
            inertial: what the IMU said.
            interval_s: seconds.
            state: the filter, for the bias and how well it is known.

        Returns:
            (3,) mean rate of the window, bias taken off, rad/s, once a window at rest; else None.
        """
        config = self._config
        root_rate = math.sqrt(inertial.count / interval_s) if interval_s > 0.0 else 1.0
        noise = math.sqrt(3.0) * config.gyroscope_noise_density * root_rate
        force_noise = math.sqrt(3.0) * config.accelerometer_noise_density * root_rate
        quiet = (
            inertial.uncovered_s <= 0.0
            and inertial.rate_spread < _FACTOR * (noise + _SWAY_RATE)
            and inertial.force_spread < _FACTOR * (force_noise + _SWAY_FORCE)
        )
        if not quiet:
            self._forget()
            return None
        # Rates are kept with the bias known at the time: it must be the same over a window.
        self._window.append((interval_s, inertial.rate + state.gyroscope_bias, inertial.force))
        self._window_s += interval_s
        if self._window_s < _WINDOW_S:
            return None
        rates = np.array([rate for _, rate, _ in self._window])
        forces = np.array([force for _, _, force in self._window if force is not None])
        mean = rates.mean(0) - state.gyroscope_bias
        allowed = _FACTOR * np.sqrt(state.gyroscope_bias_std**2 + self.rate_std**2)
        steady = float(np.ptp(rates, axis=0).max()) < 2.0 * _FACTOR * (
            config.gyroscope_noise_density / math.sqrt(interval_s) + 0.25 * _SWAY_RATE
        )
        if len(forces):
            steady = steady and float(np.ptp(forces, axis=0).max()) < 2.0 * _FACTOR * (
                config.accelerometer_noise_density / math.sqrt(interval_s) + _SWAY_FORCE
            )
        if not steady or not bool((np.abs(mean) < allowed).all()):
            self._window_s -= self._window.popleft()[0]
            self.resting = False
            return None
        self._forget()
        self.resting = True
        return mean

    def _forget(self) -> None:
        self._window.clear()
        self._window_s = 0.0
        self.resting = False
