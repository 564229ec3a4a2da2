"""Writing pictures to an ``.mp4`` with whichever codec this OpenCV has."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import cv2

from humor_ros.types import Image

__all__ = ["FilmFile"]

#: MPEG-4 part 2 is in every OpenCV wheel; H.264 where the build or the system brings it.
_CODECS = ("mp4v", "avc1")


class FilmFile:
    """An open video file; a context manager that finishes it.

    The file appears under its name when finished, and not at all after an error.

    Args:
        path: ``.mp4`` to write; its folder must exist.
        fps: frames per second, positive.
        size: width and height, pixels.

    Raises:
        ValueError: if ``fps`` is not positive.
        OSError: if the folder is absent, or no codec works.
    """

    def __init__(self, path: str | Path, fps: float, size: tuple[int, int]) -> None:
        self.path = Path(path)
        if not fps > 0:
            raise ValueError(f"fps must be positive, got {fps}")
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"folder of the output file not found: {self.path.parent}")
        self._part = self.path.with_name(f".{self.path.stem}.part{self.path.suffix}")
        self._size = size
        for codec in _CODECS:
            fourcc = cv2.VideoWriter.fourcc(*codec)
            self._writer = cv2.VideoWriter(str(self._part), fourcc, fps, size)
            if self._writer.isOpened():
                return
        self._part.unlink(missing_ok=True)
        raise OSError(
            f"cannot write {self.path}: OpenCV has no encoder for {' or '.join(_CODECS)}; "
            "write a .png instead, or install opencv-python-headless from PyPI"
        )

    def write(self, picture: Image) -> None:
        """Append one picture.

        Args:
            picture: (height, width, 3) BGR.

        Raises:
            ValueError: if it has another size than the file.
        """
        size = (picture.shape[1], picture.shape[0])
        if size != self._size:
            raise ValueError(f"picture is {size[0]}x{size[1]}, the film is {self._size}")
        self._writer.write(picture)

    def close(self) -> None:
        """Finish the file and put it under its name."""
        self._writer.release()
        self._part.replace(self.path)

    def __enter__(self) -> FilmFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.release()
            self._part.unlink(missing_ok=True)
