"""Reading HuMoR's published files: the networks' checkpoint and the initial-state mixture.

Nothing is unpickled but tensors and plain numbers, and nothing is downloaded. Every error is a
:class:`CheckpointError` or ``FileNotFoundError`` that names the file and the remedy.
"""

from __future__ import annotations

import pickle
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.humor.config import HumorConfig
from humor_ros.humor.networks import HumorNetwork

__all__ = ["CheckpointError", "existing_file", "load_published", "read_arrays", "read_tensors"]

_PARALLEL_PREFIX = "module."
#: Bodies that the published model may carry; they are no part of the networks.
_BODY_PREFIXES = ("male_bm.", "female_bm.", "neutral_bm.")
_NETWORKS = ("encoder.", "decoder.", "prior_net.")
_SHOWN = 3


class CheckpointError(ValueError):
    """A weight file that cannot be used; the message names the file and the remedy."""


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
    path = existing_file(path, "HuMoR weights")
    container = read_tensors(path, "HuMoR weights")
    model = container.get("model") if isinstance(container, Mapping) else None
    if not isinstance(model, Mapping) or not all(isinstance(v, Tensor) for v in model.values()):
        raise CheckpointError(
            f"{path} has no dictionary of tensors under 'model'; give a published HuMoR "
            "checkpoint (best_model.pth)"
        )
    weights = {name.removeprefix(_PARALLEL_PREFIX): tensor for name, tensor in model.items()}
    weights = {n: t for n, t in weights.items() if not n.startswith(_BODY_PREFIXES)}
    return build_network(path, weights, None)


def build_network(
    path: Path, weights: Mapping[str, Tensor], config: HumorConfig | None
) -> HumorNetwork:
    """Make networks of named tensors, strictly.

    Args:
        path: where the tensors come from, for messages.
        weights: by published name.
        config: sizes; None reads them from the shapes.

    Raises:
        CheckpointError: tensors are missing, unknown, of a wrong shape or not finite.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    try:
        config = HumorConfig.from_shapes(shapes) if config is None else config
    except KeyError as error:
        raise CheckpointError(
            f"{path} lacks the tensor {error}; it is not a complete HuMoR ({_NETWORKS})"
        ) from error
    except (ValueError, IndexError) as error:
        raise CheckpointError(f"{path} is not a HuMoR network: {error}") from error
    with torch.device("meta"):
        network = HumorNetwork(config)
    _check_names(path, shapes, {n: tuple(t.shape) for n, t in network.state_dict().items()})
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{path} holds NaN or infinity in {name}; the weights are spoilt")
    network.load_state_dict({k: v.float() for k, v in weights.items()}, strict=True, assign=True)
    return network.requires_grad_(True).eval()


def existing_file(path: str | Path, what: str) -> Path:
    """The path of a file that exists.

    Raises:
        FileNotFoundError: there is no such file; ``what`` says what it should hold.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no {what} at {path}; give the path of an existing file")
    return path


def read_tensors(path: Path, what: str) -> Any:
    """Read a torch file without running anything in it.

    Args:
        path: an existing file.
        what: what it should hold, for the message.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        if zipfile.is_zipfile(path):  # torch itself does not compare check sums
            with zipfile.ZipFile(path) as archive:
                spoilt = archive.testzip()
            if spoilt is not None:
                raise zipfile.BadZipFile(f"the check sum of {spoilt} is wrong")
        with torch.serialization.safe_globals(_plain_numpy_types()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (
        *(pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError),
        *(ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError),
    ) as error:
        raise _unreadable(path, what, error) from error


def read_arrays(path: str | Path, what: str) -> dict[str, NDArray]:
    """Read all arrays of an ``.npz`` file; Python objects inside are refused.

    Args:
        path: the file.
        what: what it should hold, for messages.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read.
    """
    path = existing_file(path, what)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError) as error:
        raise _unreadable(path, what, error) from error
    except (AttributeError, TypeError, KeyError) as error:  # a lone array, not an archive
        raise _unreadable(path, what, error) from error


def _check_names(
    path: Path, found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]
) -> None:
    missing = sorted(set(expected) - set(found))
    unknown = sorted(set(found) - set(expected))
    wrong = [
        f"{name} {found[name]} instead of {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    for problem, names in (("lacks", missing), ("has unknown", unknown), ("has wrong", wrong)):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise CheckpointError(
                f"{path} {problem} tensors: {', '.join(names[:_SHOWN])}{more}; "
                "it is not a HuMoR network of the sizes that its other tensors tell"
            )


def _plain_numpy_types() -> list[Any]:
    """NumPy scalars, which published containers may hold beside the tensors (losses)."""
    scalar = np.float64(0).__reduce__()[0]
    dtypes = [type(np.dtype(kind)) for kind in ("float32", "float64", "int64")]
    old_name = (scalar, "numpy.core.multiarray.scalar")
    return [scalar, old_name, np.dtype, *dtypes]


def _unreadable(path: Path, what: str, error: Exception) -> CheckpointError:
    text = str(error).strip()
    reason = re.split(r"\n|\. ", text)[0] if len(text) > 4 else type(error).__name__
    return CheckpointError(
        f"{path} cannot be read as {what}: it is corrupt, truncated or of another kind "
        f"({reason[:200]}); fetch or copy the file again"
    )
