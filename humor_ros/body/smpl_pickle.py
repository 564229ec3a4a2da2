"""Reading SMPL's published ``.pkl`` files without running code from them.

The files are Python 2 pickles of NumPy arrays, SciPy sparse matrices and chumpy arrays. Only
those are admitted, and the last two are rebuilt from their plain data, so that neither chumpy
nor the SciPy of the time is needed.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from humor_ros.array_pickle import ArrayUnpickler

__all__ = ["read_smpl_pickle"]

_SPARSE_CLASSES = {
    "csc_matrix": sparse.csc_matrix,
    "csr_matrix": sparse.csr_matrix,
    "coo_matrix": sparse.coo_matrix,
}


class _Record:
    """Data of an object of a class that is not loaded."""

    origin = ""

    def __new__(cls, *_arguments: Any) -> _Record:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def _new_record(cls: type, *_base_and_state: Any) -> _Record:
    """Stand in for ``copyreg``'s functions, for records only."""
    if not (isinstance(cls, type) and issubclass(cls, _Record)):
        raise pickle.UnpicklingError(f"it rebuilds an unexpected class, {cls!r}")
    return cls()


class _SmplUnpickler(ArrayUnpickler):
    """Admits arrays and nothing that acts."""

    content = "SMPL body"

    def find_class(self, module: str, name: str) -> Any:
        package = module.partition(".")[0]
        if package == "chumpy" or (package == "scipy" and name in _SPARSE_CLASSES):
            return type(name, (_Record,), {"origin": f"{module}.{name}"})
        if module in ("copy_reg", "copyreg") and name in ("_reconstructor", "__newobj__"):
            return _new_record
        if module in ("__builtin__", "builtins") and name == "object":
            return object
        return super().find_class(module, name)


def _rebuild_sparse(record: _Record) -> np.ndarray:
    state = record.state
    name = type(record).__name__
    try:
        if name == "coo_matrix":
            parts: tuple[Any, ...] = (state["data"], (state["row"], state["col"]))
        else:
            parts = (state["data"], state["indices"], state["indptr"])
        shape = tuple(state["_shape"] if "_shape" in state else state["shape"])
        return _SPARSE_CLASSES[name](parts, shape=shape).toarray()
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"a {record.origin} in it is incomplete ({error})") from error


def _rebuild_chumpy(record: _Record) -> np.ndarray:
    """Evaluate the two chumpy nodes that body files hold: an array, and a selection of one."""
    state = record.state
    if "x" in state:
        return np.asarray(_plain(state["x"]))
    if "a" in state and "idxs" in state:
        values = np.asarray(_plain(state["a"])).ravel()[np.asarray(_plain(state["idxs"]))]
        shape = state.get("preferred_shape")
        return values if shape is None else values.reshape(shape)
    raise ValueError(
        f"it holds a {record.origin}, which cannot be read without chumpy; convert the file to "
        ".npz once, where chumpy is installed"
    )


def _plain(value: Any) -> Any:
    if not isinstance(value, _Record):
        return value
    return _rebuild_chumpy(value) if value.origin.startswith("chumpy") else _rebuild_sparse(value)


def read_smpl_pickle(path: Path) -> dict[str, Any]:
    """Read a body file as a dictionary of plain NumPy arrays, strings and numbers.

    Args:
        path: an SMPL-format ``.pkl``.

    Returns:
        The file's entries; sparse and chumpy arrays made dense.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if it is no pickle of a body, or asks for anything but arrays.
    """
    try:
        with path.open("rb") as stream:
            content = _SmplUnpickler(stream).load()
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not a dictionary of arrays")
        return {str(key): _plain(value) for key, value in content.items()}
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError) as error:
        raise ValueError(f"{path} is not a readable SMPL body: {error}") from error
    except (ValueError, TypeError, ImportError) as error:
        raise ValueError(f"{path} is not a readable SMPL body: {error}") from error
