"""Reading and writing WHAM's weights: the published container and our own safetensors file.

Nothing is unpickled but tensors and plain numbers, and nothing is downloaded. Every error is a
:class:`CheckpointError` or ``FileNotFoundError`` that names the file and the remedy.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from humor_ros.wham.config import WhamConfig
from humor_ros.wham.network import WhamNetwork

__all__ = [
    "BodyRegressors",
    "CheckpointError",
    "load_network",
    "load_published",
    "load_regressors",
    "load_safetensors",
    "read_metadata",
    "read_published",
    "save_safetensors",
]

_FORMAT = "humor_ros/wham/1"
_BODY_PREFIX = "smpl."


class CheckpointError(ValueError):
    """A weight file that cannot be used; the message names the file and the remedy."""


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
    path = _existing(path)
    return load_safetensors(path) if path.suffix == ".safetensors" else load_published(path)


def load_published(path: str | Path) -> WhamNetwork:
    """Read a published ``.pth.tar`` checkpoint; sizes come from the tensors' shapes.

    All tensors of the network must be there and no others, but for the body's own
    (``smpl.*``), which are ignored.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or is not a WHAM network.
    """
    path = _existing(path)
    model = read_published(path)
    weights = {k: v for k, v in model.items() if not k.startswith(_BODY_PREFIX)}
    return _build(path, weights, None)


def load_regressors(path: str | Path) -> BodyRegressors:
    """Read the regressors embedded in a published checkpoint, float32.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or has no such regressors.
    """
    path = _existing(path)
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
    dtype = torch.float16 if half else torch.float32
    tensors = {
        name: tensor.detach().to("cpu", dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    header = dict(metadata or {})
    header |= {"format": _FORMAT, "config": json.dumps(network.config.to_dict())}
    save_file(tensors, str(path), metadata=header)


def load_safetensors(path: str | Path) -> WhamNetwork:
    """Read :func:`save_safetensors` back, in evaluation mode and float32.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or its header or tensors do not fit.
    """
    path = _existing(path)
    header, tensors = _read_safetensors(path)
    try:
        config = WhamConfig.from_dict(json.loads(header["config"]))
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} has no usable WHAM configuration in its header ({error}); "
            "write the file with humor_ros.wham.checkpoint.save_safetensors"
        ) from error
    return _build(path, tensors, config)


def read_metadata(path: str | Path) -> dict[str, str]:
    """Header of a ``.safetensors`` file.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read or is of another kind.
    """
    path = _existing(path)
    try:
        with safe_open(str(path), framework="pt") as file:
            return _checked_header(path, file.metadata())
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _existing(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no WHAM weights at {path}; give the path of a weight file")
    return path


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    text = str(error).strip()
    reason = re.split(r"\n|\. ", text)[0] if len(text) > 4 else type(error).__name__
    return CheckpointError(
        f"{path} cannot be read as WHAM weights: it is corrupt, truncated or of another kind "
        f"({reason[:200]}); fetch or copy the file again"
    )


def _checked_header(path: Path, header: dict[str, str] | None) -> dict[str, str]:
    if not header or header.get("format") != _FORMAT:
        kind = (header or {}).get("format", "no format entry")
        raise CheckpointError(
            f"{path} is not a WHAM weight file of format {_FORMAT} (its header has {kind}); "
            "write it with humor_ros.wham.checkpoint.save_safetensors"
        )
    return header


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            header = _checked_header(path, file.metadata())
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _plain_numpy_types() -> list[Any]:
    """NumPy scalars, which published containers may hold beside the tensors (scores)."""
    scalar = np.float64(0).__reduce__()[0]
    dtypes = [type(np.dtype(kind)) for kind in ("float32", "float64", "int64")]
    old_name = (scalar, "numpy.core.multiarray.scalar")
    return [scalar, old_name, np.dtype, *dtypes]


def _check_sums(path: Path) -> None:
    """Compare the check sums of a zipped container, which torch does not do on reading."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        spoilt = archive.testzip()
    if spoilt is not None:
        raise zipfile.BadZipFile(f"the check sum of {spoilt} is wrong")


def read_published(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a published checkpoint, network and body, under their names.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or holds no model.
    """
    path = _existing(path)
    try:
        _check_sums(path)
        with torch.serialization.safe_globals(_plain_numpy_types()):
            container = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise _unreadable(path, error) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        IndexError,
        AttributeError,
        TypeError,
        AssertionError,
    ) as error:
        raise _unreadable(path, error) from error
    model = container.get("model") if isinstance(container, dict) else None
    if not isinstance(model, dict) or not all(isinstance(v, Tensor) for v in model.values()):
        raise CheckpointError(
            f"{path} has no dictionary of tensors under 'model'; give a published WHAM "
            "checkpoint (.pth.tar) or our .safetensors"
        )
    return model


def _build(path: Path, weights: dict[str, Tensor], config: WhamConfig | None) -> WhamNetwork:
    """Make the network and fill it, strictly."""
    try:
        if config is None:
            shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
            config = WhamConfig.from_shapes(shapes)
    except KeyError as error:
        raise CheckpointError(
            f"{path} lacks the tensor {error}; it is not a complete WHAM network"
        ) from error
    except (ValueError, IndexError) as error:
        raise CheckpointError(f"{path} is not a WHAM network: {error}") from error
    with torch.device("meta"):
        network = WhamNetwork(config)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    missing = sorted(set(expected) - set(weights))
    unknown = sorted(set(weights) - set(expected))
    wrong = [
        f"{name} {tuple(weights[name].shape)} instead of {shape}"
        for name, shape in expected.items()
        if name in weights and tuple(weights[name].shape) != shape
    ]
    for problem, names in (("lacks", missing), ("has unknown", unknown), ("has wrong", wrong)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise CheckpointError(
                f"{path} {problem} tensors: {', '.join(names[:3])}{more}; "
                "it is not a WHAM network of the sizes that its other tensors tell"
            )
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{path} holds NaN or Inf in {name}; the weights are spoilt")
    network.load_state_dict({k: v.float() for k, v in weights.items()}, strict=True, assign=True)
    return network.requires_grad_(True).eval()
