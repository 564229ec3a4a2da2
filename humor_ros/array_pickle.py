"""Unpickling NumPy arrays and plain containers, and nothing that acts.

Data sets and bodies are published as pickles, and a pickle may name any function to be called.
Here only what arrays are made of is admitted; :mod:`humor_ros.body.smpl_pickle` adds what SMPL's
files hold beside them.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["MAX_PROTOCOL", "ArrayUnpickler", "check_pickle_program", "read_array_pickle"]

#: Newest protocol that is read; data sets and ``torch.save`` use 2 to 4.
MAX_PROTOCOL = 5

_REMEMBER = ("PUT", "BINPUT", "LONG_BINPUT")
_NUMPY_MODULES = ("numpy.core", "numpy._core")
_NUMPY_NAMES = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((f"{room}.multiarray", "scalar") for room in _NUMPY_MODULES),
    *((f"{room}.numeric", "_frombuffer") for room in _NUMPY_MODULES),
}


def check_pickle_program(data: bytes, max_protocol: int = MAX_PROTOCOL) -> None:
    """Refuse a pickle that would take more memory than it has bytes, as a spoilt one may.

    Raises:
        pickle.UnpicklingError: it holds an operation of a newer protocol, or an absurd memo.
        ValueError: it is no pickle.
    """
    for operation, argument, _ in pickletools.genops(data):
        if operation.proto > max_protocol:
            raise pickle.UnpicklingError(f"its pickle holds {operation.name}")
        if operation.name in _REMEMBER and not 0 <= int(argument or 0) <= len(data):
            raise pickle.UnpicklingError(f"its pickle remembers {argument} things")


class ArrayUnpickler(pickle.Unpickler):
    """Admits arrays and what they are made of; a subclass may admit more in :meth:`find_class`.

    Args:
        stream: binary file.
    """

    content = "array"  #: what is read, for messages

    def __init__(self, stream: Any) -> None:
        # latin1 is what NumPy asks for when it reads arrays that Python 2 pickled.
        super().__init__(stream, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """The array's class or function of that name.

        Raises:
            pickle.UnpicklingError: it is none of those.
        """
        if (module, name) in _NUMPY_NAMES:
            return super().find_class(module, name)
        if name == "_reconstruct" and module in [f"{room}.multiarray" for room in _NUMPY_MODULES]:
            return _empty_array
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no {self.content} needs")


def read_array_pickle(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary of arrays, containers, strings and numbers.

    Args:
        path: a ``.pkl`` of Python 2 or 3.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such pickle, or asks for anything but arrays.
    """
    if not path.is_file():
        raise FileNotFoundError(f"file not found: {path}")
    data = path.read_bytes()
    try:
        if data[:1] == pickle.PROTO:  # older text pickles have no such memory
            check_pickle_program(data)
        content = ArrayUnpickler(io.BytesIO(data)).load()
    except (
        *(pickle.UnpicklingError, EOFError, AttributeError, LookupError),
        *(ValueError, TypeError, ImportError, MemoryError, RecursionError, OverflowError),
    ) as error:
        raise ValueError(f"{path} is not a readable pickle of arrays: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a dictionary of arrays")
    return {str(key): value for key, value in content.items()}


def _empty_array(kind: type, shape: Any, letter: Any) -> np.ndarray:
    """Stand in for NumPy's ``_reconstruct``: an empty array that the pickle then fills."""
    if kind is not np.ndarray or tuple(shape) != (0,):
        raise pickle.UnpicklingError(f"it rebuilds an unexpected array, {kind!r} of {shape!r}")
    return np.ndarray((0,), dtype=np.int8)


def _latin1(text: str, _encoding: str = "latin1") -> bytes:
    """Stand in for ``_codecs.encode``, by which Python 2 byte strings are spelt."""
    return text.encode("latin1")
