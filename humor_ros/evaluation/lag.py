"""How late a prediction is: the shift of the truth that fits it best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from humor_ros.types import Array

__all__ = ["best_lag"]

#: Lags that are tried, frames; a late prediction has a positive one.
_LAGS = range(-3, 11)


def best_lag(
    prediction: Array, truth: Array, good: NDArray[np.bool_], lags: Sequence[int] = _LAGS
) -> float:
    """Delay of the prediction: the shift of the truth that fits it best, frames.

    Args:
        prediction: (F, J, 3) centred joints.
        truth: (F, J, 3).
        good: (F,) frames that count.
        lags: that are tried; a parabola through the best and its neighbours gives the parts.

    Returns:
        Frames, positive where the prediction is late; NaN where too few frames count.
    """
    longest = max(abs(lag) for lag in lags)
    # Every lag is judged by the same frames of the prediction, or the easy ones would win.
    inner = np.arange(longest, len(good) - longest)
    shifted = np.stack([inner - lag for lag in lags])
    usable = good[inner] & good[shifted].all(axis=0)
    if usable.sum() < 3:
        return float("nan")
    errors = np.array(
        [
            np.linalg.norm(prediction[inner[usable]] - truth[row[usable]], axis=-1).mean()
            for row in shifted
        ]
    )
    best = int(errors.argmin())
    if best in (0, len(errors) - 1):
        return float(lags[best])
    before, here, after = errors[best - 1 : best + 2]
    curvature = before - 2.0 * here + after
    part = 0.5 * (before - after) / curvature if curvature > 1e-12 else 0.0
    return float(lags[best] + part)
