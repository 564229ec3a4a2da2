"""From the bytes of a ROS image message to an 8-bit BGR picture.

The one door for the node (where cv_bridge is absent) and for bags. Encodings are those of
``sensor_msgs/image_encodings.hpp``; YUV 4:2:2 without a suffix is UYVY there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.types import Image

__all__ = ["SUPPORTED_ENCODINGS", "ImageDecodeError", "decode_compressed", "decode_image"]

_Conversion = Callable[[NDArray[Any]], NDArray[Any]]


class ImageDecodeError(ValueError):
    """An image message that cannot be turned into a picture; says why and what to do."""


def _color(code: int) -> _Conversion:
    return lambda image: cv2.cvtColor(image, code)


def _as_is(image: NDArray[Any]) -> NDArray[Any]:
    return image


_GRAY = _color(cv2.COLOR_GRAY2BGR)
_RGB = _color(cv2.COLOR_RGB2BGR)
_BGRA = _color(cv2.COLOR_BGRA2BGR)
_RGBA = _color(cv2.COLOR_RGBA2BGR)
_UYVY = _color(cv2.COLOR_YUV2BGR_UYVY)
_YUYV = _color(cv2.COLOR_YUV2BGR_YUY2)
_BAYER = {
    "rggb": _color(cv2.COLOR_BayerRGGB2BGR),
    "bggr": _color(cv2.COLOR_BayerBGGR2BGR),
    "gbrg": _color(cv2.COLOR_BayerGBRG2BGR),
    "grbg": _color(cv2.COLOR_BayerGRBG2BGR),
}

#: encoding: (bytes a sample, samples a pixel, conversion to BGR)
_PACKED: dict[str, tuple[int, int, _Conversion]] = {
    "bgr8": (1, 3, _as_is),
    "8uc3": (1, 3, _as_is),
    "rgb8": (1, 3, _RGB),
    "bgra8": (1, 4, _BGRA),
    "8uc4": (1, 4, _BGRA),
    "rgba8": (1, 4, _RGBA),
    "mono8": (1, 1, _GRAY),
    "8uc1": (1, 1, _GRAY),
    "bgr16": (2, 3, _as_is),
    "rgb16": (2, 3, _RGB),
    "bgra16": (2, 4, _BGRA),
    "rgba16": (2, 4, _RGBA),
    "mono16": (2, 1, _GRAY),
    "yuv422": (1, 2, _UYVY),
    "uyvy": (1, 2, _UYVY),
    "yuv422_yuy2": (1, 2, _YUYV),
    "yuyv": (1, 2, _YUYV),
    **{f"bayer_{name}8": (1, 1, code) for name, code in _BAYER.items()},
    **{f"bayer_{name}16": (2, 1, code) for name, code in _BAYER.items()},
}
_PLANAR: dict[str, _Conversion] = {
    "nv12": _color(cv2.COLOR_YUV2BGR_NV12),
    "nv21": _color(cv2.COLOR_YUV2BGR_NV21),
}
_DEPTH = ("16uc1", "16sc1", "32fc1", "64fc1")

#: Encodings of raw images that :func:`decode_image` reads.
SUPPORTED_ENCODINGS: tuple[str, ...] = (*_PACKED, *_PLANAR)


def decode_image(
    height: int, width: int, encoding: str, step: int, is_bigendian: bool, data: object
) -> Image:
    """Turn the fields of a ``sensor_msgs/Image`` into BGR.

    Args:
        height: rows, pixels.
        width: columns, pixels.
        encoding: one of :data:`SUPPORTED_ENCODINGS`, in any case.
        step: bytes from one row to the next; may exceed the pixels (padding). 0 means no
            padding.
        is_bigendian: byte order of 16-bit samples.
        data: anything with a buffer of bytes. For nv12 and nv21 the chroma plane follows
            the luma rows.

    Returns:
        (height, width, 3) uint8 BGR. May share memory with ``data`` (bgr8): read only.

    Raises:
        ImageDecodeError: naming the encoding or the size that is wrong.
    """
    if height <= 0 or width <= 0:
        raise ImageDecodeError(f"image is empty: {width} x {height} pixels")
    name = encoding.strip().lower()
    buffer = _bytes_of(data)
    if name in _PLANAR:
        return _decode_planar(height, width, name, step, buffer)
    if name not in _PACKED:
        hint = " (a depth image: choose the colour topic)" if name in _DEPTH else ""
        raise ImageDecodeError(
            f"image encoding {encoding!r} is not supported{hint}; "
            f"supported are {', '.join(SUPPORTED_ENCODINGS)}"
        )
    size, channels, convert = _PACKED[name]
    if convert in (_UYVY, _YUYV) and width % 2:
        raise ImageDecodeError(f"{encoding} images must have an even width, got {width}")
    rows = _rows(buffer, height, width * channels * size, step, encoding)
    if size == 1:
        return _contiguous(convert(rows.reshape(height, width, channels) if channels > 1 else rows))
    samples: NDArray[Any] = np.ascontiguousarray(rows).view(np.uint16)
    if bool(is_bigendian) != (sys.byteorder == "big"):
        samples = samples.byteswap()
    samples = samples.reshape(height, width, channels) if channels > 1 else samples
    return (convert(samples) // 257).astype(np.uint8)


def decode_compressed(image_format: str, data: object) -> Image:
    """Turn the fields of a ``sensor_msgs/CompressedImage`` into BGR.

    Orientation tags are ignored, since the camera's calibration is for the pixels as stored.

    Args:
        image_format: the message's ``format``, such as "jpeg" or "bgr8; png compressed bgr8".
        data: the file's bytes.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        ImageDecodeError: for depth images, and for data that is empty, cut off or no image.
    """
    low = image_format.lower()
    if "compresseddepth" in low or any(low.startswith(name) for name in _DEPTH):
        raise ImageDecodeError(
            f"compressed image format {image_format!r} is a depth image; choose the colour topic"
        )
    buffer = _bytes_of(data)
    if buffer.size == 0:
        raise ImageDecodeError(f"compressed image ({image_format!r}) has no data")
    if _is_cut_off(buffer):
        raise ImageDecodeError(
            f"compressed image ({image_format!r}) is cut off after {buffer.size} bytes"
        )
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ImageDecodeError(f"compressed image ({image_format!r}): {error}") from error
    if image is None:
        raise ImageDecodeError(
            f"compressed image ({image_format!r}, {buffer.size} bytes) is not a picture that "
            "OpenCV can read; jpeg, png and webp are"
        )
    return np.asarray(image, dtype=np.uint8)


def _bytes_of(data: object) -> NDArray[np.uint8]:
    """The bytes of a buffer without a copy."""
    if isinstance(data, (list, tuple)):
        data = bytes(data)
    try:
        return np.frombuffer(data, dtype=np.uint8)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, BufferError) as error:
        if isinstance(data, (bytes, bytearray)) or getattr(data, "nbytes", 1) == 0:
            return np.zeros(0, dtype=np.uint8)
        raise ImageDecodeError(f"image data is not a buffer of bytes: {error}") from error


def _rows(
    buffer: NDArray[np.uint8], rows: int, used: int, step: int, encoding: str
) -> NDArray[np.uint8]:
    """Rows of a padded image, (rows, used) bytes; the last row may lack its padding."""
    stride = step if step else used
    if stride < used:
        raise ImageDecodeError(
            f"step {step} of a {encoding} image is less than its row of {used} bytes"
        )
    needed = stride * (rows - 1) + used
    if buffer.size < needed:
        raise ImageDecodeError(
            f"{encoding} image data is cut off: {buffer.size} bytes of at least {needed}"
        )
    return np.lib.stride_tricks.as_strided(buffer, (rows, used), (stride, 1), writeable=False)


def _decode_planar(
    height: int, width: int, name: str, step: int, buffer: NDArray[np.uint8]
) -> Image:
    """NV12 and NV21: a luma plane, then half as many rows of interleaved chroma."""
    if height % 2 or width % 2:
        raise ImageDecodeError(f"{name} images must have an even size, got {width} x {height}")
    rows = _rows(buffer, height * 3 // 2, width, step, name)
    return _contiguous(_PLANAR[name](np.ascontiguousarray(rows)))


def _contiguous(image: NDArray[Any]) -> Image:
    return np.ascontiguousarray(image, dtype=np.uint8)


def _is_cut_off(buffer: NDArray[np.uint8]) -> bool:
    """Whether a JPEG or PNG lacks its end (OpenCV would fill the rest with grey)."""
    head, tail = buffer[:4].tobytes(), buffer[-1024:].tobytes()
    if head[:2] == b"\xff\xd8":
        return b"\xff\xd9" not in tail
    if head == b"\x89PNG":
        return b"IEND" not in tail
    return False
