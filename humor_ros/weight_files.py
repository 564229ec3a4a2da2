"""Reading files of weights and arrays: nothing in them is run, and what is wrong is told by name.

Nothing is unpickled but tensors and plain numbers, and nothing is downloaded. Every error is a
:class:`CheckpointError` or ``FileNotFoundError`` that names the file and the remedy.
"""

from __future__ import annotations

import pickle
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    "CheckpointError",
    "check_numbers",
    "check_shapes",
    "existing_file",
    "read_arrays",
    "read_model",
    "read_tensors",
    "some",
    "unreadable",
]

_SHOWN = 3  #: names in a message


class CheckpointError(ValueError):
    """A weight file that cannot be used; the message names the file and the remedy."""


def existing_file(path: str | Path, what: str) -> Path:
    """The path of a file that exists.

    Raises:
        FileNotFoundError: there is no such file; ``what`` says what it should hold.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no {what} at {path}; give the path of an existing file")
    return path


def unreadable(path: Path, what: str, error: Exception) -> CheckpointError:
    """The error of a file that should hold ``what`` and cannot be read."""
    text = str(error).strip()
    reason = re.split(r"\n|\. ", text)[0] if len(text) > 4 else type(error).__name__
    return CheckpointError(
        f"{path} cannot be read as {what}: it is corrupt, truncated or of another kind "
        f"({reason[:200]}); fetch or copy the file again"
    )


def read_tensors(path: str | Path, what: str) -> Any:
    """Read what ``torch.save`` wrote, without running anything in it.

    Args:
        path: the file.
        what: what it should hold, for messages.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read.
    """
    path = existing_file(path, what)
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
        raise unreadable(path, what, error) from error


def read_model(path: str | Path, name: str) -> dict[str, Tensor]:
    """Read the tensors under ``model`` of a published checkpoint.

    Args:
        path: the file.
        name: of the network, for messages.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or holds no model.
    """
    container = read_tensors(path, f"{name} weights")
    model = container.get("model") if isinstance(container, Mapping) else None
    if not isinstance(model, Mapping) or not all(isinstance(v, Tensor) for v in model.values()):
        raise CheckpointError(
            f"{path} has no dictionary of tensors under 'model'; give a published {name} "
            "checkpoint, or a .safetensors file of this package"
        )
    return dict(model)


def read_arrays(path: str | Path, what: str, needed: Iterable[str] = ()) -> dict[str, NDArray]:
    """Read all arrays of an ``.npz`` file; Python objects inside are refused.

    Args:
        path: the file.
        what: what it should hold, for messages.
        needed: names of arrays that must be there.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or lacks an array.
    """
    path = existing_file(path, what)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError) as error:
        raise unreadable(path, what, error) from error
    except (AttributeError, TypeError, KeyError) as error:  # a lone array, not an archive
        raise unreadable(path, what, error) from error
    missing = sorted(set(needed) - set(arrays))
    if missing:
        raise CheckpointError(f"{path} lacks the arrays {', '.join(missing)}; give {what}")
    return arrays


def check_shapes(
    path: Path, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], verdict: str
) -> None:
    """Compare names and shapes of tensors.

    Args:
        path: where they come from, for messages.
        weights: of the file.
        expected: of the network; only their shapes count.
        verdict: ends the message, such as "it is not a WHAM network".

    Raises:
        CheckpointError: tensors are of another shape, missing or unknown.
    """
    wrong = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    missing = sorted(set(expected) - set(weights))
    unknown = sorted(set(weights) - set(expected))
    for problem, names in (("has wrong", wrong), ("lacks", missing), ("has unknown", unknown)):
        if names:
            raise CheckpointError(f"{path} {problem} tensors: {some(names)}; {verdict}")


def check_numbers(path: Path, name: str, tensor: Tensor) -> None:
    """Refuse a tensor that is not of real, finite numbers.

    Raises:
        CheckpointError: it is not; names file and tensor.
    """
    if not tensor.is_floating_point():
        raise CheckpointError(f"{path} holds {tensor.dtype} in {name}; numbers must be real")
    low, high = torch.aminmax(tensor)
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        raise CheckpointError(f"{path} holds NaN or Inf in {name}; the weights are spoilt")


def some(names: list[str]) -> str:
    """The first names and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _plain_numpy_types() -> list[Any]:
    """NumPy scalars, which published containers may hold beside the tensors (losses, scores)."""
    scalar = np.float64(0).__reduce__()[0]
    dtypes = [type(np.dtype(kind)) for kind in ("float32", "float64", "int64")]
    old_name = (scalar, "numpy.core.multiarray.scalar")
    return [scalar, old_name, np.dtype, *dtypes]
