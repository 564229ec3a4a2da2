"""The images of a training sequence, from a folder of image files or from videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.io.video import VideoReader
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Image

__all__ = ["ImageFolder", "SequenceImages", "Videos"]

#: Endings of the files that are looked for in a folder of videos.
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")


class SequenceImages(Protocol):
    """Gives the images of frames of a sequence."""

    def read(
        self, sequence: PersonSequence, rows: NDArray[np.int64]
    ) -> Iterator[tuple[int, Image]]:
        """Pairs of a row and its image (H, W, 3) uint8 BGR; rows without an image are left out.

        Args:
            sequence: whose images.
            rows: growing indices of its frames.

        Raises:
            FileNotFoundError: there is no place to look for images of the sequence.
            ValueError: an image is not of the size that the sequence states.
        """
        ...

    def where(self, sequence: PersonSequence) -> str:
        """Where its images are looked for, and what to do if none is there."""
        ...


class ImageFolder:
    """Image files, where ``image_path`` of the sequence says.

    Args:
        root: folder that ``image_path`` is relative to.

    Raises:
        FileNotFoundError: there is no such folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise FileNotFoundError(f"folder of images not found: {self.root}")

    def read(
        self, sequence: PersonSequence, rows: NDArray[np.int64]
    ) -> Iterator[tuple[int, Image]]:
        """See :meth:`SequenceImages.read`; files that cannot be read are left out."""
        if sequence.image_path is None:
            raise FileNotFoundError(
                f"{sequence.name} names no image files (key 'image_path'); give its video"
            )
        for row in rows.tolist():
            path = self.root / str(sequence.image_path[row])
            image = cv2.imread(str(path)) if path.is_file() else None
            if image is not None:
                _check_size(image, sequence, str(path))
                yield row, np.asarray(image, dtype=np.uint8)

    def where(self, sequence: PersonSequence) -> str:
        """See :meth:`SequenceImages.where`."""
        names = sequence.image_path
        first = self.root if names is None else self.root / str(names[0])
        return f"{first} and so on; give the folder that image_path is relative to"


class Videos:
    """Frames of a video, by the index that the sequence states.

    Args:
        path: a video file, or a folder of videos named after their sequences.

    Raises:
        FileNotFoundError: there is nothing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"video, or folder of videos, not found: {self.path}")

    def read(
        self, sequence: PersonSequence, rows: NDArray[np.int64]
    ) -> Iterator[tuple[int, Image]]:
        """See :meth:`SequenceImages.read`; frames after the video's end are left out."""
        if not len(rows):
            return
        path = self._file(sequence)
        row_of = dict(zip(sequence.frame[rows].tolist(), rows.tolist(), strict=True))
        last = max(row_of)
        with VideoReader(path) as video:
            for frame in video:
                row = row_of.get(frame.index)
                if row is not None:
                    _check_size(frame.image, sequence, f"frame {frame.index} of {path}")
                    yield row, frame.image
                if frame.index >= last:
                    break

    def where(self, sequence: PersonSequence) -> str:
        """See :meth:`SequenceImages.where`."""
        return f"frame {sequence.frame[0]} of {self.path}; is it the video of that sequence?"

    def _file(self, sequence: PersonSequence) -> Path:
        if self.path.is_file():
            return self.path
        names = [sequence.sequence + suffix for suffix in VIDEO_SUFFIXES]
        for name in names:
            if (self.path / name).is_file():
                return self.path / name
        raise FileNotFoundError(f"no video of {sequence.name} in {self.path}, such as {names[0]}")


def _check_size(image: NDArray[np.generic], sequence: PersonSequence, name: str) -> None:
    """Boxes are pixels of images of one size."""
    height, width = image.shape[:2]
    if (width, height) != tuple(sequence.image_size.tolist()):
        stated = "x".join(map(str, sequence.image_size.tolist()))
        raise ValueError(
            f"{name} is {width}x{height}, but {sequence.name} states {stated}; is it the image of "
            "that sequence?"
        )
