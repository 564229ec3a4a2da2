"""Reading and writing HuMoR's networks: the published container and our own safetensors file.

Errors are as in :mod:`humor_ros.weight_files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from humor_ros.humor.config import HumorConfig
from humor_ros.humor.networks import HumorNetwork
from humor_ros.network_files import NetworkFiles
from humor_ros.weight_files import existing_file, read_model

__all__ = [
    "load_network",
    "load_published",
    "read_metadata",
    "save_safetensors",
]

_FILES = NetworkFiles(
    name="HuMoR",
    format="humor_ros/humor/1",
    writer="humor_ros.humor.weights.save_safetensors",
    network=HumorNetwork,
    config=HumorConfig.from_dict,
)
_PARALLEL_PREFIX = "module."
#: Bodies that the published model may carry; they are no part of the networks.
_BODY_PREFIXES = ("male_bm.", "female_bm.", "neutral_bm.")


def load_network(path: str | Path) -> HumorNetwork:
    """Read networks in evaluation mode, float32, of either file format.

    Args:
        path: a ``.safetensors`` file of :func:`save_safetensors`, or a published checkpoint.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or is not a HuMoR.
    """
    path = existing_file(path, _FILES.what)
    return _FILES.load(path) if path.suffix == ".safetensors" else load_published(path)


def load_published(path: str | Path) -> HumorNetwork:
    """Read the networks of a published ``best_model.pth``; sizes come from the tensors' shapes.

    All tensors of the networks must be there and no others, but for body models, which are
    ignored, as is a ``module.`` before every name.

    Args:
        path: a dictionary with the tensors under ``model``, as published.

    Returns:
        The networks in evaluation mode, float32.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or is not a complete HuMoR.
    """
    model = read_model(path, _FILES.name)
    weights = {name.removeprefix(_PARALLEL_PREFIX): tensor for name, tensor in model.items()}
    weights = {n: t for n, t in weights.items() if not n.startswith(_BODY_PREFIXES)}
    return _FILES.build_published(Path(path), weights, HumorConfig.from_shapes)


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

    def can_be_halved(name: str, tensor: Tensor) -> bool:
        return half and tensor.dim() > 1 and not name.endswith((".net.0.weight", ".direct"))

    _FILES.save(network, network.config.to_dict(), path, half=can_be_halved, metadata=metadata)


def read_metadata(path: str | Path) -> dict[str, str]:
    """Header of a ``.safetensors`` file.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read or is of another kind.
    """
    return _FILES.metadata(path)
