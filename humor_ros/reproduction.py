"""Comparing recomputed arrays with published ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["largest_differences"]


def largest_differences(
    arrays: Mapping[str, NDArray], expected: Mapping[str, NDArray], *, relative: bool = False
) -> dict[str, float]:
    """Largest absolute difference of each expected array.

    Args:
        arrays: recomputed.
        expected: the same by name.
        relative: whether differences are shares of the array's largest finite entry.

    Returns:
        By name of ``expected``; infinite where the array is missing, of another shape, or not
        finite in other places.
    """
    return {
        name: _difference(arrays.get(name), reference, relative)
        for name, reference in expected.items()
    }


def _difference(value: NDArray | None, reference: NDArray, relative: bool) -> float:
    if value is None or value.shape != reference.shape:
        return float("inf")
    finite = np.isfinite(reference)
    if not np.array_equal(value[~finite], reference[~finite]):
        return float("inf")
    away = np.abs(value[finite].astype(np.float64) - reference[finite])
    size = float(np.abs(reference[finite]).max(initial=0.0)) if relative else 1.0
    return float(away.max(initial=0.0)) / (size if size > 0 else 1.0)
