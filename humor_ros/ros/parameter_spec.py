"""One parameter as data: its default, range and meaning, and how rclpy is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

__all__ = ["ParameterSpec", "declare_all", "read_all", "refusal_callback"]


@dataclass(frozen=True)
class ParameterSpec:
    """Everything that a user may know of one parameter.

    Attributes:
        name: full name, dots between groups.
        default: bool, int, float, string or a non-empty list of floats; its type is the
            parameter's type.
        description: one sentence.
        unit: unit of the value, "" where it has none.
        minimum: least value allowed; None for no limit (numbers only).
        maximum: greatest value allowed; None for no limit (numbers only).
        choices: allowed strings; empty for any.
        length: number of elements of a list; None for any.
        dynamic: whether a change takes effect while the node runs; others are read when the
            node is configured and refuse to change after that.
    """

    name: str
    default: Any
    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    length: int | None = None
    dynamic: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """The description that ``ros2 param describe`` shows."""
        text = self.description + (f" [{self.unit}]" if self.unit else "")
        constraints = []
        if self.choices:
            constraints.append("one of " + ", ".join(repr(choice) for choice in self.choices))
        if self.length is not None:
            constraints.append(f"{self.length} numbers")
        if not self.dynamic:
            constraints.append("read when the node is configured")
        descriptor = ParameterDescriptor(
            name=self.name, description=text, additional_constraints="; ".join(constraints)
        )
        if self.minimum is not None and self.maximum is not None:
            if isinstance(self.default, bool):
                return descriptor
            if isinstance(self.default, int):
                descriptor.integer_range = [
                    IntegerRange(from_value=int(self.minimum), to_value=int(self.maximum))
                ]
            elif isinstance(self.default, float):
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(self.minimum), to_value=float(self.maximum))
                ]
        return descriptor

    def refusal(self, value: Any) -> str:
        """Why ``value`` is not allowed; empty when it is."""
        if self.choices and value not in self.choices:
            return f"{self.name} must be one of {', '.join(self.choices)}, got {value!r}"
        if self.length is not None and len(value) != self.length:
            return f"{self.name} must have {self.length} numbers, got {len(value)}"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if value != value:
                return f"{self.name} must be a number, got NaN"
            if self.minimum is not None and value < self.minimum:
                return f"{self.name} must be at least {self.minimum:g}, got {value:g}"
            if self.maximum is not None and value > self.maximum:
                return f"{self.name} must be at most {self.maximum:g}, got {value:g}"
        return ""


def declare_all(node: Node, specs: Iterable[ParameterSpec]) -> None:
    """Declare every parameter of ``specs`` on ``node``.

    Raises:
        rclpy.exceptions.InvalidParameterValueException: if an override is out of range.
        rclpy.exceptions.InvalidParameterTypeException: if an override has another type.
    """
    for spec in specs:
        node.declare_parameter(spec.name, spec.default, spec.descriptor())


def read_all(node: Node, specs: Iterable[ParameterSpec]) -> dict[str, Any]:
    """Read every parameter, checked.

    Returns:
        Values by full name; lists of numbers as tuples.

    Raises:
        ValueError: naming the parameter, what is allowed and what was given.
    """
    values: dict[str, Any] = {}
    for spec in specs:
        value = node.get_parameter(spec.name).value
        if isinstance(spec.default, (list, tuple)):
            value = tuple(value)
        reason = spec.refusal(value)
        if reason:
            raise ValueError(f"parameter {reason}")
        values[spec.name] = value
    return values


def refusal_callback(
    specs: Iterable[ParameterSpec], configured: Callable[[], bool]
) -> Callable[[list[Parameter]], SetParametersResult]:
    """Make the callback that judges changes of parameters and tells the reason of a refusal.

    Args:
        specs: the node's parameters.
        configured: tells whether the node has read its parameters (static ones refuse then).
    """
    by_name = {spec.name: spec for spec in specs}

    def judge(parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            spec = by_name.get(parameter.name)
            if spec is None:
                continue
            reason = spec.refusal(parameter.value)
            if not reason and configured() and not spec.dynamic:
                reason = (
                    f"{spec.name} is read when the node is configured; "
                    "deactivate and clean up the node, set it, then configure again"
                )
            if reason:
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    return judge
