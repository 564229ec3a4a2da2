"""Checks of the fields of configuration dataclasses, with one form of error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "AT_LEAST_0",
    "AT_LEAST_1",
    "FINITE",
    "ORDERED",
    "ORDERED_POSITIVE",
    "POSITIVE",
    "POSITIVE_SHARE",
    "SHARE",
    "SHARE_BELOW_1",
    "Rule",
    "at_least",
    "check_fields",
    "one_of",
    "within",
]


@dataclass(frozen=True)
class Rule:
    """What a value must be.

    Attributes:
        wanted: completes "must be ..." in the error.
        holds: whether a value is so.
    """

    wanted: str
    holds: Callable[[Any], bool]


def at_least(low: float) -> Rule:
    """The value is a number not less than ``low``."""
    return Rule(f"at least {low}", lambda value: value >= low)


def within(low: float, high: float) -> Rule:
    """The value is a number between two, which belong to the range."""
    return Rule(f"in [{low}, {high}]", lambda value: low <= value <= high)


AT_LEAST_0 = at_least(0)
AT_LEAST_1 = at_least(1)
FINITE = Rule("finite", math.isfinite)
POSITIVE = Rule("positive", lambda value: value > 0)
POSITIVE_SHARE = Rule("in (0, 1]", lambda value: 0 < value <= 1)
SHARE = within(0, 1)
SHARE_BELOW_1 = Rule("in [0, 1)", lambda value: 0 <= value < 1)
ORDERED = Rule("[low, high]", lambda value: value[0] <= value[1])
ORDERED_POSITIVE = Rule("[low, high], positive", lambda value: 0 < value[0] <= value[1])


def one_of(*choices: str) -> Rule:
    """The value is one of two or more strings."""
    *others, last = map(repr, choices)
    return Rule(f"{', '.join(others)} or {last}", lambda value: value in choices)


def check_fields(owner: object, rule: Rule, *names: str) -> None:
    """Check fields of a dataclass.

    Args:
        owner: the dataclass, in its ``__post_init__``.
        rule: what each field must be; NaN is no number of any range.
        names: of the fields.

    Raises:
        ValueError: naming class, field, rule and value.
    """
    for name in names:
        value = getattr(owner, name)
        if not rule.holds(value):
            raise ValueError(f"{type(owner).__name__}.{name} must be {rule.wanted}, got {value!r}")
