"""Images that no room can use are named."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.image_check import check_image


def test_a_usable_image_comes_back() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    assert check_image(image) is image


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4, 3), np.float64), "float64"),
        (np.zeros((4, 4), np.uint8), r"\(4, 4\)"),
        (np.zeros((4, 0, 3), np.uint8), r"\(4, 0, 3\)"),
        ("picture", "str"),
    ],
)
def test_a_wrong_image_is_named(image: object, said: str) -> None:
    with pytest.raises(ValueError, match=f"image_bgr.*{said}"):
        check_image(image)  # type: ignore[arg-type]
