"""Weight files of one kind of network: safetensors with the configuration in the header."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from humor_ros.weight_files import (
    CheckpointError,
    check_numbers,
    check_shapes,
    existing_file,
    unreadable,
)

__all__ = ["NetworkFiles"]

_Config = TypeVar("_Config")
_Network = TypeVar("_Network", bound=nn.Module)


@dataclass(frozen=True)
class NetworkFiles(Generic[_Config, _Network]):
    """How networks of one kind are written, read back and checked.

    Attributes:
        name: of the network, for messages.
        format: entry ``format`` of the header.
        writer: what writes such files, for messages.
        network: makes a network of a configuration.
        config: makes a configuration of the dictionary in the header. It may raise ``ValueError``
            and ``TypeError``.
    """

    name: str
    format: str
    writer: str
    network: Callable[[_Config], _Network]
    config: Callable[[Mapping[str, Any]], _Config]

    @property
    def what(self) -> str:
        """What a file should hold, for messages."""
        return f"{self.name} weights"

    def save(
        self,
        network: _Network,
        config: Mapping[str, Any],
        path: str | Path,
        *,
        half: Callable[[str, Tensor], bool] = lambda name, tensor: False,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write weights with the configuration as JSON in the file's header.

        Args:
            network: what to write.
            config: what :attr:`config` reads.
            path: file, by convention ``.safetensors``.
            half: whether a tensor is stored as float16; others are as float32.
            metadata: further header entries, such as how the weights were made.
        """
        tensors = {
            name: tensor.detach()
            .to("cpu", torch.float16 if half(name, tensor) else torch.float32)
            .contiguous()
            for name, tensor in network.state_dict().items()
        }
        header = dict(metadata or {}) | {"format": self.format, "config": json.dumps(config)}
        save_file(tensors, str(path), metadata=header)

    def load(self, path: str | Path) -> _Network:
        """Read :meth:`save` back, in evaluation mode and float32.

        Raises:
            FileNotFoundError: there is no such file.
            CheckpointError: it cannot be read, or its header or tensors do not fit.
        """
        path = existing_file(path, self.what)
        header, tensors = self._read(path, with_tensors=True)
        try:
            config = self.config(json.loads(header["config"]))
        except (KeyError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{path} has no usable {self.name} configuration in its header ({error}); write "
                f"the file with {self.writer}"
            ) from error
        return self.build(path, tensors, config)

    def metadata(self, path: str | Path) -> dict[str, str]:
        """Header of a file of :meth:`save`.

        Raises:
            FileNotFoundError: there is no such file.
            CheckpointError: it cannot be read or is of another kind.
        """
        header, _ = self._read(existing_file(path, self.what), with_tensors=False)
        return header

    def build(self, path: Path, weights: Mapping[str, Tensor], config: _Config) -> _Network:
        """Make a network of named tensors, strictly; in evaluation mode and float32.

        Args:
            path: where the tensors come from, for messages.
            weights: by name in the network.
            config: of the network.

        Raises:
            CheckpointError: tensors are missing, unknown, of a wrong shape or not finite.
        """
        with torch.device("meta"):
            network = self.network(config)
        verdict = f"it is not a {self.name} network of the sizes that its other tensors tell"
        check_shapes(path, weights, network.state_dict(), verdict)
        for name, tensor in weights.items():
            check_numbers(path, name, tensor)
        network.load_state_dict(
            {name: tensor.float() for name, tensor in weights.items()}, strict=True, assign=True
        )
        return network.requires_grad_(True).eval()

    def build_published(
        self,
        path: Path,
        weights: Mapping[str, Tensor],
        from_shapes: Callable[[Mapping[str, tuple[int, ...]]], _Config],
    ) -> _Network:
        """:meth:`build` with the configuration that the shapes of the tensors tell.

        Args:
            path: where the tensors come from, for messages.
            weights: by name in the network.
            from_shapes: tells the configuration. It may raise ``KeyError`` where a tensor is
                missing, ``ValueError`` and ``IndexError``.

        Raises:
            CheckpointError: as :meth:`build`, or the shapes are of no such network.
        """
        try:
            config = from_shapes({name: tuple(tensor.shape) for name, tensor in weights.items()})
        except KeyError as error:
            raise CheckpointError(
                f"{path} lacks the tensor {error}; it is not a complete {self.name} network"
            ) from error
        except (ValueError, IndexError) as error:
            raise CheckpointError(f"{path} is not a {self.name} network: {error}") from error
        return self.build(path, weights, config)

    def _read(self, path: Path, *, with_tensors: bool) -> tuple[dict[str, str], dict[str, Tensor]]:
        try:
            with safe_open(str(path), framework="pt") as file:
                header = file.metadata() or {}
                names = list(file.keys()) if with_tensors else []
                tensors = {name: file.get_tensor(name) for name in names}
        except (SafetensorError, OSError) as error:
            raise unreadable(path, self.what, error) from error
        if header.get("format") != self.format:
            raise CheckpointError(
                f"{path} is not a {self.name} weight file of format {self.format} (its header has "
                f"{header.get('format', 'no format entry')}); write it with {self.writer}"
            )
        return header, tensors
