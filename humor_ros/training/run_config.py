"""What every training run is told, and how its configuration is read from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from humor_ros.field_checks import AT_LEAST_1, check_fields
from humor_ros.training.config_file import build_config, read_mapping, recipe_of

__all__ = ["RunConfig"]

_Config = TypeVar("_Config", bound="RunConfig")


@dataclass(frozen=True)
class RunConfig:
    """Base of the configurations of whole runs.

    Attributes:
        log_every, snapshot_every, validate_every: steps between these.
        seed: of initial weights and of all chance.
    """

    #: What the key ``recipe`` of a file must say; None: such files have no recipe.
    RECIPE: ClassVar[str | None] = None

    log_every: int = 10
    snapshot_every: int = 250
    validate_every: int = 500
    seed: int = 1

    def __post_init__(self) -> None:
        check_fields(self, AT_LEAST_1, "log_every", "snapshot_every", "validate_every")

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionary, readable by :meth:`from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls: type[_Config], values: Mapping[str, Any], where: str = "config") -> _Config:
        """Build a configuration from nested mappings; absent keys keep their defaults.

        Raises:
            ValueError: a key is unknown or a value out of range; ``where`` stands in the message.
        """
        return build_config(cls, values, where)

    @classmethod
    def load(cls: type[_Config], path: str | Path) -> _Config:
        """Read a configuration from YAML.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no YAML mapping, of another recipe, a key is unknown or a value is
                out of range.
        """
        values = read_mapping(path)
        if cls.RECIPE is not None:
            recipe = recipe_of(values, path)
            if recipe != cls.RECIPE:
                raise ValueError(f"{path} is for the recipe {recipe!r}, not {cls.RECIPE!r}")
            values = {key: value for key, value in values.items() if key != "recipe"}
        return cls.from_dict(values, str(path))
