"""Snapshots of a training run: written whole or not at all, and read back exactly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

__all__ = ["SNAPSHOT_NAME", "load_snapshot", "save_snapshot"]

SNAPSHOT_NAME = "snapshot.pt"
_KEYS = ("step", "network", "optimiser", "average", "torch_rng", "minutes", "config")


def save_snapshot(folder: Path, content: dict[str, Any]) -> Path:
    """Write a snapshot beside the old one and put it in its place."""
    path = folder / SNAPSHOT_NAME
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    os.replace(partial, path)
    return path


def load_snapshot(folder: Path) -> dict[str, Any]:
    """Read the snapshot of a run.

    Raises:
        FileNotFoundError: the folder holds none.
        ValueError: the file is unreadable or lacks an entry.
    """
    path = folder / SNAPSHOT_NAME
    if not path.is_file():
        raise FileNotFoundError(f"no snapshot {path} to resume from; run without --resume first")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} is not a readable snapshot ({error})") from error
    missing = [key for key in _KEYS if key not in content]
    if missing:
        raise ValueError(f"{path} lacks {missing}; it is not a snapshot of this program")
    result: dict[str, Any] = content
    return result
