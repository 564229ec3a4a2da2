"""Unpickling tensors, and nothing else: whatever else a pickle names is replaced by an inert thing.

The pickle of a training checkpoint names classes of the training code. Tensors are rebuilt here;
every other class or function becomes a stand-in that swallows what it is given, so that the
training code need not be installed and nothing of the file's choosing is ever called.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from humor_ros.array_pickle import check_pickle_program

__all__ = ["read_tensor_pickle"]

#: Gives the storage of a name in the archive, of at least so many bytes.
FindStorage = Callable[[str, int], torch.UntypedStorage]

_MAX_PROTOCOL = 4

_STORAGES: dict[str, torch.dtype] = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
}


def read_tensor_pickle(data: bytes, find_storage: FindStorage) -> Any:
    """Read a pickle as ``torch.save`` writes it into its archives.

    Args:
        data: the pickle, of protocol 4 at the most (``torch.save`` uses 2).
        find_storage: gives a tensor's memory.

    Returns:
        Dictionaries, lists, strings, numbers and tensors; elsewhere inert objects.

    Raises:
        pickle.UnpicklingError: the pickle is spoilt. So may be said by ``ValueError``,
            ``TypeError``, ``LookupError``, ``AttributeError``, ``RuntimeError`` or ``EOFError``.
    """
    check_pickle_program(data, _MAX_PROTOCOL)
    return _TensorUnpickler(data, find_storage).load()


class _Inert:
    """Stands for whatever is no tensor; takes everything, does nothing."""

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


class _Storage:
    """Memory and its type of numbers, on its way into a tensor."""

    __slots__ = ("dtype", "memory")

    def __init__(self, memory: torch.UntypedStorage, dtype: torch.dtype) -> None:
        self.memory, self.dtype = memory, dtype


class _Rebuild:
    """Makes a tensor of a storage; without attributes, so that a file cannot alter it."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: object) -> Tensor:
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor has no storage")
        empty = torch.empty(0, dtype=storage.dtype)
        return empty.set_(storage.memory, offset, torch.Size(size), tuple(stride))


class _RebuildParameter:
    """A parameter is its tensor."""

    __slots__ = ()

    def __call__(self, data: Any, *_: object) -> Any:
        return data


class _StorageType:
    """What names the type of a storage's numbers."""

    __slots__ = ("_dtype",)

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    @property
    def dtype(self) -> torch.dtype:
        """Type of the numbers."""
        return self._dtype


class _TensorUnpickler(pickle.Unpickler):
    """Finds tensors, and inert stand-ins for the rest."""

    def __init__(self, data: bytes, find_storage: FindStorage) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self._find_storage = find_storage
        self._known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
            ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
        }
        for name, dtype in _STORAGES.items():
            self._known["torch", name] = _StorageType(dtype)

    def find_class(self, module: str, name: str) -> Any:
        known = self._known.get((module, name))
        return type("Inert", (_Inert,), {}) if known is None else known

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage of ("storage", type, name, device, count)."""
        _, kind, name, _, count = pid
        if not isinstance(kind, _StorageType) or not isinstance(count, int) or count < 0:
            raise pickle.UnpicklingError(f"storage {name!r} is of an unknown type or size")
        size = count * torch.empty(0, dtype=kind.dtype).element_size()
        return _Storage(self._find_storage(str(name), size), kind.dtype)
