"""Checks of the fields of configuration dataclasses, with one form of error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "AT_LEAST_0",
    "AT_LEAST_1",
    "ORDERED",
    "ORDERED_POSITIVE",
    "POSITIVE",
    "SHARE",
    "Rule",
    "check_fields",
    "one_of",
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


AT_LEAST_0 = Rule("at least 0", lambda value: value >= 0)
AT_LEAST_1 = Rule("at least 1", lambda value: value >= 1)
POSITIVE = Rule("positive", lambda value: value > 0)
SHARE = Rule("in [0, 1]", lambda value: 0 <= value <= 1)
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
