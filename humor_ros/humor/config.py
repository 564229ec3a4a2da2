"""Sizes of HuMoR's three networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from humor_ros.field_checks import AT_LEAST_1, Rule, check_fields
from humor_ros.humor.state import INPUT_SIZE, NUM_CONTACTS

__all__ = ["PUBLISHED_SIZE", "RAW_SIZE", "HumorConfig"]

#: What the decoder writes: changes with rotations as 3 numbers, and contact logits.
RAW_SIZE = 3 + 3 + 3 + 3 + 63 + 66 + 66 + NUM_CONTACTS


@dataclass(frozen=True)
class HumorConfig:
    """Sizes of the networks; the defaults are the published ones (9,725,976 parameters).

    Attributes:
        latent_size: dimensions of z.
        encoder_widths: hidden widths of the posterior network.
        prior_widths: hidden widths of the conditional prior.
        decoder_widths: hidden widths of the decoder.
        groups: groups of each group normalisation; divides every width.
        direct: whether the decoder also adds a linear map of its input, which published
            checkpoints do not have.
        rigid: whether roll-outs keep the bones of their first state: after every step the joints
            follow from the rotations (see ``rigid``) in place of those that the decoder writes,
            which published roll-outs take.

    Raises:
        ValueError: on construction, naming the value.
    """

    latent_size: int = 48
    encoder_widths: tuple[int, ...] = (1024, 1024, 1024, 1024)
    prior_widths: tuple[int, ...] = (1024, 1024, 1024, 1024)
    decoder_widths: tuple[int, ...] = (1024, 1024, 512)
    groups: int = 16
    direct: bool = False
    rigid: bool = False

    def __post_init__(self) -> None:
        check_fields(self, AT_LEAST_1, "latent_size", "groups")
        multiples = Rule(
            f"one or more multiples of groups ({self.groups})",
            lambda widths: widths and all(w >= 1 and w % self.groups == 0 for w in widths),
        )
        check_fields(self, multiples, "encoder_widths", "prior_widths", "decoder_widths")

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> HumorConfig:
        """Read the sizes back from the shapes of a checkpoint's tensors.

        Args:
            shapes: by published name, such as ``encoder.net.0.weight``.

        Raises:
            KeyError: a network is missing.
            ValueError: the shapes are not those of HuMoR's networks.
        """
        widths = {name: _widths(name, shapes) for name in ("encoder", "prior_net", "decoder")}
        last = shapes[f"prior_net.net.{3 * len(widths['prior_net'])}.weight"]
        config = cls(
            latent_size=last[0] // 2,
            encoder_widths=widths["encoder"],
            prior_widths=widths["prior_net"],
            decoder_widths=widths["decoder"],
        )
        state = shapes["prior_net.net.0.weight"][1]
        if state != INPUT_SIZE:
            raise ValueError(
                f"prior_net reads {state} numbers a state; the state of this package has "
                f"{INPUT_SIZE} (trans, root, body pose as matrices, 22 joints and velocities)"
            )
        return config

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HumorConfig:
        """Undo :meth:`to_dict`.

        Raises:
            ValueError: an unknown name or a bad value.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown entries {', '.join(unknown)}; known are {sorted(known)}")
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return asdict(self)


PUBLISHED_SIZE = HumorConfig()


def _widths(network: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Hidden widths: the outputs of all linear layers but the last."""
    layers: list[int] = []
    while (name := f"{network}.net.{3 * len(layers)}.weight") in shapes:
        if len(shapes[name]) != 2:
            raise ValueError(f"{name} must be a matrix, got shape {shapes[name]}")
        layers.append(shapes[name][0])
    if not layers:
        raise KeyError(f"{network}.net.0.weight")
    return tuple(layers[:-1])
