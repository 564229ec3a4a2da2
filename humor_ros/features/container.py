"""Reading a PyTorch-Lightning checkpoint without running anything and without copying it.

Such a file is a zip archive of a pickle (``tensor_pickle``) and one uncompressed member a tensor.
Tensors are mapped from the file: what is not used is never read, and the memory of a tensor that is
dropped is given back at once, though others of the file stay.
"""

from __future__ import annotations

import mmap
import pickle
import struct
import weakref
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from humor_ros.features.tensor_pickle import read_tensor_pickle
from humor_ros.weight_files import CheckpointError, existing_file, unreadable

__all__ = ["Container", "read_container"]

_WRAPPERS = ("module.", "model.")
#: Of a member's own header in a zip archive: sizes of the name and of the extra field after it.
_HEADER_SIZE, _LENGTHS = 30, slice(26, 30)


@dataclass(frozen=True)
class Container:
    """What a checkpoint holds, as far as it matters here.

    Attributes:
        path: where it was read.
        tensors: by published name, mapped from the file, which must stay as it is for as long
            as they are used.
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
    path = existing_file(path, "image-encoder weights (HMR2.0a)")
    try:
        with zipfile.ZipFile(path) as archive:
            spoilt = archive.testzip() if check_sums else None
            if spoilt is not None:
                raise zipfile.BadZipFile(f"the check sum of {spoilt} is wrong")
            content = _Members(path, archive).load()
    except (pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise unreadable(path, "a checkpoint", error) from error
    except (OSError, EOFError, RuntimeError, ValueError, TypeError) as error:
        raise unreadable(path, "a checkpoint", error) from error
    except (AttributeError, LookupError, MemoryError, OverflowError) as error:
        raise unreadable(path, "a checkpoint", error) from error
    held = content.get("state_dict", content) if isinstance(content, Mapping) else None
    tensors = {
        _bare(name): value
        for name, value in (held.items() if isinstance(held, Mapping) else ())
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise CheckpointError(
            f"{path} holds no tensors under 'state_dict'; give the HMR2.0a checkpoint (.ckpt)"
        )
    return Container(path, tensors, _count(content, "global_step"), _count(content, "epoch"))


class _Members:
    """The members of an archive that ``torch.save`` wrote."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        pickles = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if len(pickles) != 1:
            raise zipfile.BadZipFile(f"it has {len(pickles)} members data.pkl, not one")
        self._pickle = pickles[0]
        self._root = self._pickle.removesuffix("data.pkl")
        order = self._root + "byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise zipfile.BadZipFile("its numbers are not little-endian")
        self._storages: dict[str, torch.UntypedStorage] = {}
        with path.open("rb") as file:
            # Written pages, if there ever are any, stay out of the file.
            self._pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def load(self) -> Any:
        """What the pickle holds."""
        return read_tensor_pickle(self._archive.read(self._pickle), self._find)

    def _find(self, name: str, size: int) -> torch.UntypedStorage:
        if name not in self._storages:
            self._storages[name] = self._map(self._archive.getinfo(f"{self._root}data/{name}"))
        storage = self._storages[name]
        if storage.nbytes() < size:
            raise zipfile.BadZipFile(f"data/{name} has {storage.nbytes()} bytes of {size}")
        return storage

    def _map(self, member: zipfile.ZipInfo) -> torch.UntypedStorage:
        if member.compress_type != zipfile.ZIP_STORED:
            raise zipfile.BadZipFile(f"{member.filename} is compressed")
        if member.file_size == 0:
            return torch.UntypedStorage(0)
        header = self._pages[member.header_offset : member.header_offset + _HEADER_SIZE]
        start = member.header_offset + _HEADER_SIZE + sum(struct.unpack("<HH", header[_LENGTHS]))
        view = np.frombuffer(self._pages, np.uint8, member.file_size, start)
        drop = weakref.finalize(view, _give_back, self._pages, start, start + member.file_size)
        drop.atexit = False
        return torch.from_numpy(view).untyped_storage()


def _give_back(pages: mmap.mmap, start: int, stop: int) -> None:
    """Tell the system that the whole pages between two bytes are not needed any more."""
    start = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    length = stop // mmap.PAGESIZE * mmap.PAGESIZE - start
    if length > 0 and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED, start, length)


def _bare(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.split(".", 1)[1]
    return name


def _count(content: Mapping[Any, Any], name: str) -> int | None:
    value = content.get(name)
    return value if isinstance(value, int) else None
