"""Checks of configuration fields name class, field, rule and value."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from humor_ros.field_checks import (
    AT_LEAST_0,
    AT_LEAST_1,
    FINITE,
    ORDERED,
    ORDERED_POSITIVE,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    SHARE_BELOW_1,
    Rule,
    at_least,
    check_fields,
    one_of,
    within,
)


@dataclass(frozen=True)
class Settings:
    value: object


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (AT_LEAST_0, 0, -1e-9),
        (AT_LEAST_1, 1, 0),
        (POSITIVE, 1e-9, 0.0),
        (POSITIVE_SHARE, 1.0, 0.0),
        (SHARE, 1.0, 1.1),
        (SHARE_BELOW_1, 0.0, 1.0),
        (FINITE, -1e300, float("inf")),
        (at_least(2), 2, 1),
        (within(0, 5), 5.0, 5.1),
        (ORDERED, (-1.0, -1.0), (2.0, 1.0)),
        (ORDERED_POSITIVE, (0.5, 2.0), (0.0, 2.0)),
        (one_of("a", "b", "c"), "b", "d"),
    ],
)
def test_a_rule_holds_or_is_told(rule: Rule, good: object, bad: object) -> None:
    check_fields(Settings(good), rule, "value")
    with pytest.raises(ValueError) as caught:
        check_fields(Settings(bad), rule, "value")
    assert str(caught.value) == f"Settings.value must be {rule.wanted}, got {bad!r}"


@pytest.mark.parametrize(
    "rule",
    [AT_LEAST_0, AT_LEAST_1, FINITE, POSITIVE, POSITIVE_SHARE, SHARE, SHARE_BELOW_1],
)
def test_nan_is_in_no_range(rule: Rule) -> None:
    with pytest.raises(ValueError, match="nan"):
        check_fields(Settings(float("nan")), rule, "value")


def test_bounds_are_told() -> None:
    assert at_least(2).wanted == "at least 2"
    assert within(0, 5).wanted == "in [0, 5]"


def test_choices_are_listed() -> None:
    assert one_of("a", "b", "c").wanted == "'a', 'b' or 'c'"
