"""Reading a PyTorch-Lightning checkpoint without running anything that it says.

Such files are zipped pickles that name classes of their training code. Tensors are rebuilt; every
other class or function that the file names is replaced by an inert stand-in that swallows what it
is given, so the libraries of the training code need not be installed and nothing of the file's
choosing is ever called. Tensors are mapped from the file: what is not used is never read.
"""

from __future__ import annotations

import os
import pickle
import re
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["CheckpointError", "Container", "read_container"]

_WRAPPERS = ("module.", "model.")
_FORCED = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


class CheckpointError(ValueError):
    """A weight file that cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class Container:
    """What a checkpoint holds, as far as it matters here.

    Attributes:
        path: where it was read.
        tensors: by published name; mapped from the file, so the file must stay as it is for as
            long as they are used.
        global_step: optimiser steps that made the weights, where the file says it.
        epoch: likewise.
    """

    path: Path
    tensors: dict[str, Tensor]
    global_step: int | None = None
    epoch: int | None = None


def read_container(path: str | Path, *, check_sums: bool = False) -> Container:
    """Read a checkpoint's tensors.

    Args:
        path: a zipped checkpoint whose tensors are under ``state_dict``, or a bare dictionary of
            tensors; the prefixes ``module.`` and ``model.`` are taken off.
        check_sums: also compare the check sums of the whole file, which reads all of it.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or holds no tensors.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"no image-encoder weights at {path}; give the path of the HMR2.0a checkpoint"
        )
    try:
        _check_archive(path, check_sums)
        content = _load(path)
    except (pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise _unreadable(path, error) from error
    except (RuntimeError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, Mapping):
        raise _no_tensors(path)
    held = content.get("state_dict", content)
    if not isinstance(held, Mapping):
        raise _no_tensors(path)
    tensors = {
        _bare(name): value
        for name, value in held.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise _no_tensors(path)
    return Container(path, tensors, _count(content, "global_step"), _count(content, "epoch"))


class _Inert:
    """Stands for whatever the file names that is no tensor; takes everything, does nothing."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> _Inert:
        return self

    def __setstate__(self, _: object) -> None:
        pass

    def __setitem__(self, _: object, __: object) -> None:
        pass

    def append(self, _: object) -> None:
        """Take an item."""

    def extend(self, _: object) -> None:
        """Take items."""

    def add(self, _: object) -> None:
        """Take an item."""


class _Rebuild:
    """Makes a tensor of a storage; without attributes, so that a file cannot alter it."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
        return torch._utils._rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict())


class _RebuildParameter:
    """A parameter is its tensor."""

    __slots__ = ()

    def __call__(self, data: Any, *_: object) -> Any:
        return data


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
}


class _TensorUnpickler(pickle.Unpickler):
    """Finds tensors, and inert stand-ins for the rest."""

    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module, name))
        return type("Inert", (_Inert,), {}) if known is None else known


class _TensorPickle:
    """What ``torch.load`` asks of a pickle module; it makes its own sub-class of Unpickler."""

    __name__ = "humor_ros.features.container"
    Unpickler = _TensorUnpickler


def _load(path: Path) -> Any:
    if os.environ.get(_FORCED, "0").lower() in ("1", "y", "yes", "true"):
        raise ValueError(
            f"{_FORCED} is set, which keeps this reader from standing in for the file's foreign "
            "classes (it never runs any); unset it for this program"
        )
    return torch.load(
        str(path),
        map_location="cpu",
        mmap=True,
        weights_only=False,  # _TensorPickle is stricter: it calls nothing but its own stand-ins
        pickle_module=_TensorPickle(),
    )


def _check_archive(path: Path, check_sums: bool) -> None:
    """Refuse what torch would not map: other containers, compressed or scripted archives."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise zipfile.BadZipFile(f"{entry.filename} is compressed")
            if entry.filename.endswith("constants.pkl"):
                raise zipfile.BadZipFile("it is a TorchScript archive, not a checkpoint")
        spoilt = archive.testzip() if check_sums else None
    if spoilt is not None:
        raise zipfile.BadZipFile(f"the check sum of {spoilt} is wrong")


def _bare(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.split(".", 1)[1]
    return name


def _count(content: Mapping[Any, Any], name: str) -> int | None:
    value = content.get(name)
    return value if isinstance(value, int) else None


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    text = str(error).strip()
    reason = re.split(r"\n|\. ", text)[0] if len(text) > 4 else type(error).__name__
    return CheckpointError(
        f"{path} cannot be read as a checkpoint: it is corrupt, truncated or of another kind "
        f"({reason[:200]}); fetch or copy the file again"
    )


def _no_tensors(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} holds no tensors under 'state_dict'; give the HMR2.0a checkpoint (.ckpt)"
    )
