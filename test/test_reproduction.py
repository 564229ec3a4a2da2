"""How recomputed arrays are compared with published ones."""

from __future__ import annotations

import numpy as np

from humor_ros.reproduction import largest_differences


def test_a_missing_array_is_infinitely_far() -> None:
    assert largest_differences({}, {"a": np.ones(2)}) == {"a": float("inf")}


def test_missing_observations_must_be_missing_in_both() -> None:
    reference = {"a": np.array([1.0, np.inf])}
    assert largest_differences({"a": np.array([1.0, np.inf])}, reference) == {"a": 0.0}
    assert largest_differences({"a": np.array([1.0, 2.0])}, reference) == {"a": float("inf")}


def test_differences_are_absolute_or_shares_of_the_largest() -> None:
    arrays, expected = {"a": np.array([8.0, 1.0])}, {"a": np.array([10.0, 0.0])}
    assert largest_differences(arrays, expected) == {"a": 2.0}
    assert largest_differences(arrays, expected, relative=True) == {"a": 0.2}


def test_what_is_not_a_number_is_no_small_difference() -> None:
    found = largest_differences({"a": np.array([np.nan])}, {"a": np.ones(1)})["a"]
    assert not found <= 1.0
