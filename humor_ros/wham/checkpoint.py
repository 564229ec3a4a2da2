"""Reading and writing WHAM's weights: the published container and our own safetensors file.

Errors are as in :mod:`humor_ros.weight_files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from humor_ros.network_files import NetworkFiles
from humor_ros.weight_files import CheckpointError, existing_file, read_model
from humor_ros.wham.config import WhamConfig
from humor_ros.wham.network import WhamNetwork

__all__ = [
    "BodyRegressors",
    "load_network",
    "load_published",
    "load_regressors",
    "read_metadata",
    "read_published",
    "save_safetensors",
]

_FILES = NetworkFiles(
    name="WHAM",
    format="humor_ros/wham/1",
    writer="humor_ros.wham.checkpoint.save_safetensors",
    network=WhamNetwork,
    config=WhamConfig.from_dict,
)
_BODY_PREFIX = "smpl."


@dataclass(frozen=True)
class BodyRegressors:
    """Vertex regressors that the published checkpoints carry among their body's buffers.

    Attributes:
        keypoints31: (31, V) WHAM's COCO-17 and 14 common joints.
        feet: (4, V) left toe, left heel, right toe, right heel.
    """

    keypoints31: Tensor
    feet: Tensor


def load_network(path: str | Path) -> WhamNetwork:
    """Read a network in evaluation mode, float32, of either file format.

    Args:
        path: a ``.safetensors`` file of :func:`save_safetensors`, or a published checkpoint.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or is not a WHAM network.
    """
    path = existing_file(path, _FILES.what)
    return _FILES.load(path) if path.suffix == ".safetensors" else load_published(path)


def load_published(path: str | Path) -> WhamNetwork:
    """Read a published ``.pth.tar`` checkpoint; sizes come from the tensors' shapes.

    All tensors of the network must be there and no others, but for the body's own
    (``smpl.*``), which are ignored.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or is not a WHAM network.
    """
    model = read_published(path)
    weights = {k: v for k, v in model.items() if not k.startswith(_BODY_PREFIX)}
    return _FILES.build_published(Path(path), weights, WhamConfig.from_shapes)


def load_regressors(path: str | Path) -> BodyRegressors:
    """Read the regressors embedded in a published checkpoint, float32.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or has no such regressors.
    """
    model = read_published(path)
    found = []
    for name, rows in (("smpl.J_regressor_wham", 31), ("smpl.J_regressor_feet", 4)):
        tensor = model.get(name)
        if tensor is None or tensor.dim() != 2 or tensor.shape[0] != rows:
            shape = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
            raise CheckpointError(
                f"{name} ({rows}, vertices) is {shape} in {path}; give the regressors by file"
            )
        found.append(tensor.float())
    return BodyRegressors(*found)


def save_safetensors(
    network: WhamNetwork,
    path: str | Path,
    *,
    half: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write weights with the configuration as JSON in the file's header.

    Args:
        network: what to write.
        path: file, by convention ``.safetensors``.
        half: store float16 (half the size; read back as float32).
        metadata: further header entries, such as how the weights were made.
    """
    config = network.config.to_dict()
    _FILES.save(network, config, path, half=lambda name, tensor: half, metadata=metadata)


def read_metadata(path: str | Path) -> dict[str, str]:
    """Header of a ``.safetensors`` file.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read or is of another kind.
    """
    return _FILES.metadata(path)


def read_published(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a published checkpoint, network and body, under their names.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or holds no model.
    """
    return read_model(path, _FILES.name)
