"""What every room asks of an image."""

from __future__ import annotations

import numpy as np

from humor_ros.types import Image

__all__ = ["check_image"]


def check_image(image_bgr: Image) -> Image:
    """Returns ``image_bgr`` if it is a (H, W, 3) uint8 array with at least one pixel.

    Raises:
        ValueError: naming the argument, what was expected and what came.
    """
    got = f"a {type(image_bgr).__name__}"
    if isinstance(image_bgr, np.ndarray):
        shape, dtype = image_bgr.shape, image_bgr.dtype
        if dtype == np.uint8 and len(shape) == 3 and shape[2] == 3 and 0 not in shape:
            return image_bgr
        got = f"{shape} {dtype}"
    raise ValueError(
        f"image_bgr must be (H, W, 3) uint8, got {got}; give an 8-bit BGR image of at least one "
        "pixel"
    )
