"""A stick figure of SMPL's 24 joints: limbs in the colours of the sides, trunk in the person's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from humor_ros.body.skeleton import SMPL_EDGES, SMPL_JOINT_NAMES
from humor_ros.types import Image
from humor_ros.viewer.canvas import disc, ring, segment
from humor_ros.viewer.palette import LEFT, RIGHT, Color

__all__ = ["bone_color", "draw_figure"]

#: Thickness of a bone's stroke in metres by the child joint's limb.
_LIMB_WIDTH_M = 0.045
_TRUNK_WIDTH_M = 0.055
_THIN_WIDTH_M = 0.03
_HEAD_RADIUS_M = 0.085
_HEAD, _NECK = SMPL_JOINT_NAMES.index("head"), SMPL_JOINT_NAMES.index("neck")
_THIN = ("foot", "hand", "wrist", "collar", "head", "neck")
#: Strokes are kept between these widths, in pixels, near and far.
_MIN_WIDTH_PX, _MAX_WIDTH_PX = 2.0, 22.0
#: Joints are dotted from this scale on, pixels per metre.
_DOTS_FROM = 240.0


def bone_color(child: int, trunk: Color) -> Color:
    """The colour of the bone that ends at a joint: its side's, or ``trunk`` in the middle."""
    name = SMPL_JOINT_NAMES[child]
    if name.endswith(("collar", "hip")):
        return trunk
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else trunk


def _bone_width_m(child: int) -> float:
    name = SMPL_JOINT_NAMES[child]
    if name.endswith(_THIN):
        return _THIN_WIDTH_M
    limb = name.endswith(("knee", "ankle", "elbow"))
    return _LIMB_WIDTH_M if limb else _TRUNK_WIDTH_M


def draw_figure(
    image: Image,
    pixels: NDArray[Any],
    depths: NDArray[Any],
    pixels_per_metre: NDArray[Any],
    trunk: Color,
    casing: Color,
    *,
    filled_head: bool = True,
) -> None:
    """Draw the bones from far to near, in place; bones with an end not finite are skipped.

    Args:
        image: (H, W, 3) BGR.
        pixels: (24, 2) joints in the image; NaN where a joint cannot be seen.
        depths: (24,) distance from the viewer, any unit, growing away.
        pixels_per_metre: (24,) scale of the picture at each joint.
        trunk: colour of the middle of the body.
        casing: colour of the outline around each stroke.
        filled_head: a disc for the head; a ring where the face should stay visible.
    """
    scale = np.nan_to_num(np.asarray(pixels_per_metre, np.float64))
    order = sorted(SMPL_EDGES, key=lambda edge: -np.nan_to_num(depths[list(edge)]).mean())
    for parent, child in order:
        width = _bone_width_m(child) * float(scale[[parent, child]].mean())
        width = float(np.clip(width, _MIN_WIDTH_PX, _MAX_WIDTH_PX))
        outline = max(1.0, 0.16 * width)
        segment(image, pixels[parent], pixels[child], casing, width + 2.0 * outline)
        segment(image, pixels[parent], pixels[child], bone_color(child, trunk), width)
        if child == _HEAD:
            _draw_head(image, pixels, float(scale[_HEAD]), trunk, casing, filled_head)
    if float(np.median(scale)) < _DOTS_FROM:
        return
    for joint, place in enumerate(pixels):
        if joint not in (0, _HEAD):
            disc(image, place, min(0.011 * float(scale[joint]), 5.0), casing)


def _draw_head(
    image: Image,
    pixels: NDArray[Any],
    scale: float,
    trunk: Color,
    casing: Color,
    filled: bool,
) -> None:
    radius = _HEAD_RADIUS_M * scale
    along = pixels[_HEAD] - pixels[_NECK]
    length = float(np.hypot(*along))
    # SMPL's head joint is the base of the skull: the middle of the head is a bit further up.
    centre = pixels[_HEAD] + along * min(1.0, 0.07 * scale / max(length, 1e-6))
    width = float(np.clip(0.2 * radius, 1.0, 4.0))
    if filled:
        disc(image, centre, radius + max(1.0, 0.3 * width), casing)
        disc(image, centre, radius, trunk)
    else:
        ring(image, centre, radius, casing, width + 2.0)
        ring(image, centre, radius, trunk, width)
