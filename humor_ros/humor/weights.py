"""Our own weight file of a HuMoR: safetensors with the configuration in the header.

Errors are :class:`humor_ros.humor.checkpoint.CheckpointError` or ``FileNotFoundError`` and name
the file and the remedy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from humor_ros.humor.checkpoint import (
    CheckpointError,
    build_network,
    existing_file,
    load_published,
)
from humor_ros.humor.config import HumorConfig
from humor_ros.humor.networks import HumorNetwork

__all__ = ["load_network", "load_safetensors", "read_metadata", "save_safetensors"]

_FORMAT = "humor_ros/humor/1"
_WHAT = "HuMoR weights"


def load_network(path: str | Path) -> HumorNetwork:
    """Read networks in evaluation mode, float32, of either file format.

    Args:
        path: a ``.safetensors`` file of :func:`save_safetensors`, or a published checkpoint.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or is not a HuMoR.
    """
    path = existing_file(path, _WHAT)
    return load_safetensors(path) if path.suffix == ".safetensors" else load_published(path)


def save_safetensors(
    network: HumorNetwork,
    path: str | Path,
    *,
    half: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write weights with the configuration as JSON in the file's header.

    Args:
        network: what to write.
        path: file, by convention ``.safetensors``.
        half: store matrices as float16 (about half the size; read back as float32). Biases,
            normalisations and the matrices that read whole rows stay float32: large numbers of
            theirs cancel each other.
        metadata: further header entries, such as how the weights were made.
    """
    tensors = {
        name: tensor.detach()
        .to("cpu", torch.float16 if half and _can_be_halved(name, tensor) else torch.float32)
        .contiguous()
        for name, tensor in network.state_dict().items()
    }
    header = dict(metadata or {})
    header |= {"format": _FORMAT, "config": json.dumps(network.config.to_dict())}
    save_file(tensors, str(path), metadata=header)


def _can_be_halved(name: str, tensor: Tensor) -> bool:
    return tensor.dim() > 1 and not name.endswith((".net.0.weight", ".direct"))


def load_safetensors(path: str | Path) -> HumorNetwork:
    """Read :func:`save_safetensors` back, in evaluation mode and float32.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or its header or tensors do not fit.
    """
    path = existing_file(path, _WHAT)
    header = read_metadata(path)
    try:
        config = HumorConfig.from_dict(json.loads(header["config"]))
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} has no usable HuMoR configuration in its header ({error}); write the file "
            "with humor_ros.humor.weights.save_safetensors"
        ) from error
    with safe_open(str(path), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return build_network(path, tensors, config)


def read_metadata(path: str | Path) -> dict[str, str]:
    """Header of a ``.safetensors`` file.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read or is of another kind.
    """
    path = existing_file(path, _WHAT)
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as {_WHAT}: it is corrupt, truncated or of another kind "
            f"({str(error)[:200]}); fetch or copy the file again"
        ) from error
    if header.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path} is not a HuMoR weight file of format {_FORMAT} (its header has "
            f"{header.get('format', 'no format entry')}); write it with "
            "humor_ros.humor.weights.save_safetensors"
        )
    return header
