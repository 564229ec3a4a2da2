"""Message definitions for bags: those of rosbags, and this package's own."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

__all__ = ["bag_typestore"]

_PACKAGE = "humor_ros"


def _message_folder() -> Path:
    """Where the ``.msg`` files are: installed, or in the checkout."""
    folders = [Path(__file__).resolve().parents[2] / "msg"]
    with contextlib.suppress(PackageNotFoundError):
        folders.insert(0, Path(get_package_share_directory(_PACKAGE)) / "msg")
    for folder in folders:
        if any(folder.glob("*.msg")):
            return folder
    raise FileNotFoundError(
        f"the message definitions of {_PACKAGE} are in none of "
        f"{', '.join(map(str, folders))}; build the package and source its setup file"
    )


@functools.cache
def bag_typestore() -> Typestore:
    """Types of the standard packages and of this one.

    Raises:
        FileNotFoundError: if this package's definitions are not installed.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for path in sorted(_message_folder().glob("*.msg")):
        types |= get_types_from_msg(path.read_text(), f"{_PACKAGE}/msg/{path.stem}")
    store.register(types)
    return store
