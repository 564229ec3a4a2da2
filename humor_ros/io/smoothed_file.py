"""Writing a smoothed track: the track file's keys and three more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from humor_ros.io.track_writer import write_npz

if TYPE_CHECKING:
    from humor_ros.humor.smoothing import SmoothedTrack

__all__ = ["write_smoothed"]


def write_smoothed(path: str | Path, source: str | Path, smoothed: SmoothedTrack) -> Path:
    """Write a smoothed track whole or not at all.

    Args:
        path: file to write; its folder must exist.
        source: the track file that was smoothed; its other keys are kept.
        smoothed: the new motion. Rows are in the order of ``TrackFile``, by frame.

    Raises:
        FileNotFoundError: the folder of ``path`` does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"folder of the output file not found: {path.parent}")
    with np.load(source, allow_pickle=False) as archive:
        arrays: dict[str, NDArray[Any]] = {key: archive[key] for key in archive.files}
    order = np.argsort(arrays["frame"], kind="stable")
    for key, value in arrays.items():
        if value.ndim and len(value) == len(order) and not key.startswith("processed_"):
            arrays[key] = value[order]
    arrays.update(smoothed.columns)
    arrays["lag_frames"] = smoothed.lag_frames
    arrays["contacts9"] = smoothed.contacts9
    arrays["ground_plane"] = smoothed.ground_plane
    write_npz(path, arrays)
    return path
