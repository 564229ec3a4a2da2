"""Sizes of the image encoder, under the names of the published configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from humor_ros.field_checks import POSITIVE, check_fields

__all__ = ["FEATURE_SIZE", "FULL_SIZE", "DecoderConfig", "EncoderConfig", "VitConfig"]

#: Width of the feature that WHAM takes.
FEATURE_SIZE = 1024


@dataclass(frozen=True)
class VitConfig:
    """Sizes of the vision transformer.

    Attributes:
        img_size: height and width of its input, pixels.
        patch_size: side of a patch, pixels.
        embed_dim: width of a token.
        depth: number of blocks.
        num_heads: of each attention.
        mlp_ratio: hidden width of a block's perceptron over ``embed_dim``.
    """

    img_size: tuple[int, int] = (256, 192)
    patch_size: int = 16
    embed_dim: int = 1280
    depth: int = 32
    num_heads: int = 16
    mlp_ratio: float = 4.0

    def __post_init__(self) -> None:
        sizes = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio")
        check_fields(self, POSITIVE, *sizes)
        if len(self.img_size) != 2 or any(
            side < self.patch_size or side % self.patch_size for side in self.img_size
        ):
            raise ValueError(
                f"img_size must be two multiples of patch_size {self.patch_size}, "
                f"got {self.img_size}"
            )
        if self.img_size[1] > self.img_size[0] or (self.img_size[0] - self.img_size[1]) % 2:
            raise ValueError(
                "img_size must be no wider than high, and differ by an even number (its columns "
                f"are cut from the middle of a square), got {self.img_size}"
            )
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not divisible by num_heads {self.num_heads}"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.img_size[0] // self.patch_size, self.img_size[1] // self.patch_size

    @property
    def hidden_dim(self) -> int:
        """Hidden width of a block's perceptron."""
        return int(self.embed_dim * self.mlp_ratio)


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the token decoder.

    Attributes:
        depth: number of layers.
        heads: of each attention.
        dim_head: width of a head.
        mlp_dim: hidden width of a layer's perceptron.
        dim: width of the token, which is the feature.
    """

    depth: int = 6
    heads: int = 8
    dim_head: int = 64
    mlp_dim: int = 1024
    dim: int = FEATURE_SIZE

    def __post_init__(self) -> None:
        check_fields(self, POSITIVE, "depth", "heads", "dim_head", "mlp_dim", "dim")

    @property
    def inner_dim(self) -> int:
        """Width of all heads together."""
        return self.heads * self.dim_head


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of the whole encoder; the defaults are those of HMR2.0 (ViT-H/16).

    Attributes:
        vit: the backbone.
        decoder: the head.
    """

    vit: VitConfig = VitConfig()
    decoder: DecoderConfig = DecoderConfig()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EncoderConfig:
        """Read constructor arguments of the published classes, ``vit`` and ``decoder``.

        Entries that do not change the function in evaluation (dropout, checkpointing) are left
        out; a value that this implementation does not know is an error.

        Raises:
            ValueError: an entry is missing, of a wrong type, or not supported.
        """
        fixed: dict[str, dict[str, object]] = {
            "vit": {"ratio": 1, "qkv_bias": True},
            "decoder": {"norm": "layer", "num_tokens": 1, "token_dim": 1},
        }
        for part, wanted in fixed.items():
            if not isinstance(values.get(part), Mapping):
                raise ValueError(f"the encoder's configuration lacks the table {part!r}")
            for name, value in wanted.items():
                if values[part].get(name, value) != value:
                    raise ValueError(f"{part}.{name} must be {value}, got {values[part][name]}")
        vit, decoder = dict(values["vit"]), dict(values["decoder"])
        try:
            config = cls(
                VitConfig(
                    img_size=(int(vit["img_size"][0]), int(vit["img_size"][1])),
                    patch_size=int(vit["patch_size"]),
                    embed_dim=int(vit["embed_dim"]),
                    depth=int(vit["depth"]),
                    num_heads=int(vit["num_heads"]),
                    mlp_ratio=float(vit["mlp_ratio"]),
                ),
                DecoderConfig(
                    **{name: int(decoder[name]) for name in DecoderConfig.__dataclass_fields__}
                ),
            )
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"the encoder's configuration lacks or misstates {error}") from error
        context = decoder.get("context_dim", config.vit.embed_dim)
        if context != config.vit.embed_dim:
            raise ValueError(
                f"decoder.context_dim {context} is not vit.embed_dim {config.vit.embed_dim}"
            )
        return config

    @classmethod
    def from_file(cls, path: str | Path) -> EncoderConfig:
        """Read :meth:`from_dict`'s tables from a JSON file.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not JSON, or not such a configuration.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no encoder configuration at {path}; give its path")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                raise ValueError("the file holds no table")
            return cls.from_dict(values)
        except ValueError as error:
            raise ValueError(f"{path} is not an encoder configuration: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`from_dict` reads."""
        return asdict(self)


#: HMR2.0, both releases.
FULL_SIZE = EncoderConfig()
