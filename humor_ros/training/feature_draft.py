"""Image features of a sequence as far as they are made, kept in a file until they are complete."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humor_ros.features.rows import EncodedRows
from humor_ros.io.track_writer import write_npz

__all__ = ["FeatureDraft"]


class FeatureDraft:
    """Features of T frames; what an interrupted run left is taken up if it is of the same origin.

    Args:
        path: of the draft's own file; it need not exist.
        origin: what the features are made with and of; others' drafts are not used.
        frames: T.
        size: numbers of a feature, F.
        mirrored: keep those of the mirrored crops, too.

    Attributes:
        features: (T, F) float32.
        mirrored: (T, F) float32, or None.
        valid: (T,) bool, whether a frame has a feature.
        done: (T,) bool, whether a frame was looked at.
    """

    def __init__(self, path: Path, origin: str, frames: int, size: int, *, mirrored: bool) -> None:
        self.path = path
        self._origin = origin
        self.features = np.zeros((frames, size), dtype=np.float32)
        self.mirrored = np.zeros((frames, size), dtype=np.float32) if mirrored else None
        self.valid = np.zeros(frames, dtype=bool)
        self.done = np.zeros(frames, dtype=bool)
        self._resume()

    def put(self, encoded: EncodedRows) -> None:
        """Take a batch."""
        rows, found = encoded.rows, encoded.found
        self.features[rows] = found.people.feature.numpy()
        if self.mirrored is not None and found.mirrored is not None:
            self.mirrored[rows] = found.mirrored.feature.numpy()
        self.valid[rows] = found.valid.numpy()
        self.done[rows] = True

    def save(self) -> None:
        """Write the file, whole or not at all."""
        write_npz(self.path, {"origin": np.array(self._origin), **self._arrays()})

    def discard(self) -> None:
        """Delete the file, once it is of no use any more."""
        self.path.unlink(missing_ok=True)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        rows = np.flatnonzero(self.done)
        arrays: dict[str, NDArray[Any]] = {
            "rows": rows,
            "features": self.features[rows],
            "valid": self.valid[rows],
        }
        if self.mirrored is not None:
            arrays["mirrored"] = self.mirrored[rows]
        return arrays

    def _resume(self) -> None:
        """Take the file's features, unless it is another's or spoilt."""
        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
            if str(held["origin"]) != self._origin:
                return
            rows = held["rows"]
            self.features[rows] = held["features"]
            if self.mirrored is not None:
                self.mirrored[rows] = held["mirrored"]
            self.valid[rows] = held["valid"]
            self.done[rows] = True
        except FileNotFoundError:
            return
        except (OSError, ValueError, EOFError, LookupError, zipfile.BadZipFile):
            self.done[:] = False
            self.valid[:] = False
