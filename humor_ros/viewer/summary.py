"""A still summary: a strip of overlays, and the world from above and aside with every way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import cv2
import numpy as np

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.types import Image
from humor_ros.viewer.canvas import label
from humor_ros.viewer.mesh import BodyMeshes, PosedPerson
from humor_ros.viewer.overlay import draw_overlay
from humor_ros.viewer.palette import INK, PAPER, PersonColors
from humor_ros.viewer.scene import CameraPose, Scene, Trails
from humor_ros.viewer.world_view import WorldView

__all__ = ["pick_moments", "render_summary"]

_GAP_PX = 6
#: Size of marks and letters in the strip, 1 being right for a picture 480 pixels high.
_MARKS = 0.9
#: Share of the width for the view from above, and height of the world's row in widths.
_ABOVE = 0.42
_WORLD_HEIGHT = 0.36
#: Free room around people in the strip, in sizes of their common box.
_ROOM = 0.12
#: Bounds for width by height of the strip's frames.
_NARROWEST, _WIDEST = 0.62, 1.78


def pick_moments(people_counts: Sequence[int], count: int) -> list[int]:
    """Choose evenly spaced indices between the first and the last image with people.

    Near each even place the image with most people is taken.

    Args:
        people_counts: number of people in each image.
        count: how many to choose.

    Returns:
        at most ``count`` growing indices; all images where there are fewer.
    """
    counts = np.asarray(people_counts)
    total = len(counts)
    if total <= count:
        return list(range(total))
    seen = np.flatnonzero(counts)
    first, last = (int(seen[0]), int(seen[-1])) if len(seen) else (0, total - 1)
    # Moments stand in the middle of equal parts: people come and go at the ends.
    edges = np.linspace(first, last + 1, count + 1)
    chosen = set()
    for start, end in pairwise(edges):
        part = np.arange(int(start), max(int(start) + 1, int(end)))
        middle = (start + end - 1) / 2.0
        near = part[np.abs(part - middle) <= max(1.0, (end - start) / 4.0)]
        part = near if len(near) else part
        best = part[counts[part] == counts[part].max()]
        chosen.add(int(best[np.argmin(np.abs(best - middle))]))
    return sorted(chosen)


def render_summary(
    frames: Sequence[tuple[Image, Sequence[PosedPerson]]],
    camera: PinholeCamera,
    *,
    history: Iterable[Sequence[PosedPerson]] = (),
    poses: Sequence[CameraPose] = (),
    captions: Sequence[str] = (),
    meshes: BodyMeshes | None = None,
    level_assumed: bool = False,
    width: int = 1600,
) -> Image:
    """Draw the summary picture.

    Args:
        frames: image (H, W, 3) BGR and people of each moment in the strip, in order.
        camera: intrinsics of the images.
        history: people of every image, in order, for ways and footprints; the moments of
            ``frames`` where it is empty.
        poses: where the camera was at each moment; the last one is drawn.
        captions: a few words for each moment (its time).
        meshes: draw the body's surface by these in place of stick figures.
        level_assumed: write that the camera was taken to be level.
        width: of the picture, pixels.

    Returns:
        (H, width, 3) BGR.

    Raises:
        ValueError: if there is no frame.
    """
    if not frames:
        raise ValueError("frames is empty: a summary needs at least one image")
    colors = PersonColors()
    everything = [list(people) for people in history] or [list(people) for _, people in frames]
    for people in everything:
        for person in people:
            colors.of(person.person_id)
    strip = _strip(frames, camera, colors, captions, meshes, width)
    everybody = [person for people in everything for person in people]
    scene = Scene.around(everybody, poses, level_assumed=level_assumed)
    world = _world(frames, everything, camera, scene, colors, poses, meshes, width)
    gap = np.full((_GAP_PX, width, 3), PAPER, np.uint8)
    return np.concatenate((strip, gap, world))


def _strip(
    frames: Sequence[tuple[Image, Sequence[PosedPerson]]],
    camera: PinholeCamera,
    colors: PersonColors,
    captions: Sequence[str],
    meshes: BodyMeshes | None,
    width: int,
) -> Image:
    """(H, width, 3) the overlays side by side, all cut to the same region."""
    edges = np.round(np.linspace(0, width + _GAP_PX, len(frames) + 1)).astype(int)
    one = int(edges[1]) - _GAP_PX
    left, top, right, bottom = _common_region(frames)
    height = max(1, round(one * (bottom - top) / (right - left)))
    strip = np.full((height, width, 3), PAPER, np.uint8)
    for index, (image, people) in enumerate(frames):
        # Marks and letters are to be of one size after the tile is shrunk.
        size = _MARKS * max(1.0, (right - left) / one)
        drawn = draw_overlay(
            image, people, camera, colors, keypoints=False, meshes=meshes, size=size
        )
        cut = drawn[top:bottom, left:right]
        tile_width = int(edges[index + 1]) - _GAP_PX - int(edges[index])
        method = cv2.INTER_AREA if tile_width < cut.shape[1] else cv2.INTER_CUBIC
        tile = np.asarray(cv2.resize(cut, (tile_width, height), interpolation=method), np.uint8)
        if index < len(captions):
            label(tile, captions[index], 0, height, INK, 0.5)
        strip[:, edges[index] : edges[index] + tile_width] = tile
    return strip


def _common_region(
    frames: Sequence[tuple[Image, Sequence[PosedPerson]]],
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the region around all people, inside the image."""
    height, width = frames[0][0].shape[:2]
    boxes = [person.box_xyxy for _, people in frames for person in people]
    boxes = [box for box in boxes if np.isfinite(box).all()]
    if not boxes:
        return 0, 0, width, height
    limit = np.array((width, height), np.float64)
    low = np.clip(np.min(boxes, axis=0)[:2], 0.0, limit)
    high = np.clip(np.max(boxes, axis=0)[2:], low + 1.0, limit + 1.0)
    size = (high - low) * (1.0 + 2.0 * _ROOM)
    size = np.maximum(size, 0.3 * limit)
    size[0] = max(size[0], _NARROWEST * size[1])
    size[1] = max(size[1], size[0] / _WIDEST)
    size = np.minimum(size, limit)
    corner = np.clip((low + high) / 2.0 - size / 2.0, 0.0, limit - size)
    left, top = np.floor(corner).astype(int).tolist()
    right, bottom = np.floor(corner + size).astype(int).tolist()
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _world(
    frames: Sequence[tuple[Image, Sequence[PosedPerson]]],
    everything: Sequence[Sequence[PosedPerson]],
    camera: PinholeCamera,
    scene: Scene,
    colors: PersonColors,
    poses: Sequence[CameraPose],
    meshes: BodyMeshes | None,
    width: int,
) -> Image:
    """(H, width, 3) the view from above and the oblique view, side by side."""
    trails = Trails()
    for people in everything:
        trails.add(people)
    height, above_width = round(_WORLD_HEIGHT * width), round(_ABOVE * width)
    views = (
        WorldView.from_above(scene, above_width, height, meshes),
        WorldView.oblique(scene, width - above_width, height, meshes),
    )
    now = frames[-1][1]
    ghosts = [person for _, people in frames[:-1] for person in people]
    pictures = [
        view.draw(
            now,
            colors,
            trails=trails,
            pose=poses[-1] if poses else None,
            camera=camera,
            ghosts=ghosts,
        )
        for view in views
    ]
    pictures[1][:, :2] = np.array(PAPER) * 0.85
    return np.concatenate(pictures, axis=1)
