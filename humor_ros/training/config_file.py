"""Training configurations as YAML: dataclasses built from nested mappings, with errors by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

__all__ = ["RECIPES", "build_config", "read_mapping", "recipe_of"]

_T = TypeVar("_T")
#: Key ``recipe`` of a file: the training of the packaged weights (default), or the published one.
RECIPES = ("own", "published")


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Read the values of a YAML file; none at all of an empty one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no YAML mapping.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no training configuration at {path}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not readable YAML ({error})") from error
    values = {} if values is None else values
    if not isinstance(values, Mapping):
        raise ValueError(f"{path}: expected a mapping, got {values!r}")
    return dict(values)


def recipe_of(values: Mapping[str, Any], where: str | Path) -> str:
    """The recipe that a configuration is for, one of :data:`RECIPES`.

    Raises:
        ValueError: it is unknown; ``where`` stands in the message.
    """
    recipe = values.get("recipe", RECIPES[0])
    if recipe not in RECIPES:
        raise ValueError(f"{where}: recipe must be one of {', '.join(RECIPES)}, got {recipe!r}")
    return str(recipe)


def build_config(cls: type[_T], values: Any, where: str) -> _T:
    """Build a dataclass from nested mappings; absent keys keep their defaults.

    Args:
        cls: a dataclass whose fields are dataclasses, numbers, strings, tuples or dictionaries.
        values: the mapping.
        where: stands in the messages.

    Raises:
        ValueError: a key is unknown, or a value of a wrong kind or out of range.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: expected a mapping for {cls.__name__}, got {values!r}")
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{where}: unknown keys {unknown}; known are {sorted(known)}")
    hints = get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        hint = hints[name]
        if is_dataclass(hint):
            arguments[name] = build_config(hint, value, f"{where}.{name}")  # type: ignore[arg-type]
        else:
            arguments[name] = _coerce(value, hint, f"{where}.{name}")
    try:
        return cls(**arguments)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _coerce(value: Any, hint: Any, where: str) -> Any:
    if isinstance(value, list):
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    for kind in (float, int):
        if hint is kind:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{where}: expected a number, got {value!r}")
            if kind is int and int(value) != value:
                raise ValueError(f"{where}: expected a whole number, got {value!r}")
            return kind(value)
    if hint is bool and not isinstance(value, bool):
        raise ValueError(f"{where}: expected true or false, got {value!r}")
    return value
