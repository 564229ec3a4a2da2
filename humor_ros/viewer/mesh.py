"""The body's surface: vertices of a tracked person, and a small shaded painter of triangles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.types import Array, Image
from humor_ros.viewer.palette import Color
from humor_ros.viewer.person import DrawablePerson

if TYPE_CHECKING:
    from humor_ros.body.model import BodyModel

__all__ = ["BodyMeshes", "PosedPerson", "paint_mesh", "paint_shadow"]

#: The picture is painted this many times larger and shrunk, against stairs at the edges.
_SUPERSAMPLE = 2
#: Direction to the lamp in view axes (x right, y down, z away) and how much light is diffuse.
_TO_LAMP = np.array((-0.35, -0.65, -0.68))
_AMBIENT = 0.42
#: Share of the given colour in the skin; the rest is light grey.
_TINT = 0.62
_SHIFT = 4


class PosedPerson(DrawablePerson, Protocol):
    """A person with the body's parameters, as ``HumanState`` and ``TrackRow`` have them."""

    @property
    def betas(self) -> NDArray[Any]:
        """(10,) shape."""

    @property
    def body_pose(self) -> NDArray[Any]:
        """(23, 3, 3) matrices or (23, 3) axis-angle, radians."""


@dataclass
class BodyMeshes:
    """Skins people with a body model; the last picture's people are kept for its other views.

    Attributes:
        body: the model whose parameters the people carry.
    """

    body: BodyModel

    def __post_init__(self) -> None:
        self._kept: dict[int, tuple[PosedPerson, Array]] = {}

    @property
    def faces(self) -> NDArray[np.int64]:
        """(F, 3) vertex numbers of each triangle, counter-clockwise from outside."""
        return self.body.faces

    def in_camera(self, person: PosedPerson) -> Array:
        """(V, 3) vertices in the camera's optical frame, metres."""
        rotation = np.asarray(person.root_orientation_camera, np.float64)
        return self._local(person) @ rotation.T + person.root_position_camera

    def in_world(self, person: PosedPerson) -> Array:
        """(V, 3) vertices in the world, metres."""
        rotation = np.asarray(person.root_orientation_world, np.float64)
        return self._local(person) @ rotation.T + person.root_position_world

    def _local(self, person: PosedPerson) -> Array:
        """(V, 3) vertices in the root's frame, from the pelvis."""
        import torch

        kept = self._kept.get(id(person))
        if kept is not None and kept[0] is person:
            return kept[1]
        pose = np.asarray(person.body_pose, np.float64)
        if pose.shape == (23, 3):
            from scipy.spatial.transform import Rotation

            pose = Rotation.from_rotvec(pose).as_matrix()
        rotations = torch.tensor(np.concatenate((np.eye(3)[None], pose)), dtype=torch.float32)
        betas = torch.tensor(np.asarray(person.betas), dtype=torch.float32)
        with torch.no_grad():
            output = self.body(betas[None], rotations[None], vertices=True)
            vertices = (output.vertices - output.joints[:, :1])[0].numpy().astype(np.float64)
        if len(self._kept) >= 64:
            self._kept.clear()
        self._kept[id(person)] = (person, vertices)
        return vertices


def paint_mesh(
    image: Image,
    pixels: NDArray[Any],
    places: NDArray[Any],
    faces: NDArray[Any],
    color: Color,
    opacity: float = 1.0,
) -> None:
    """Paint a closed mesh, in place: far triangles first, shaded, smooth edges.

    Args:
        image: (H, W, 3) BGR.
        pixels: (V, 2) vertices in the image; triangles with a vertex not finite are skipped.
        places: (V, 3) vertices in view axes (x right, y down, z away), metres.
        faces: (F, 3) vertex numbers, counter-clockwise seen from outside.
        color: BGR of the skin in full light.
        opacity: 1 hides what is behind.
    """
    shown = _in_reach(image, pixels, faces)
    places = np.asarray(places, np.float64)
    flat = np.asarray(pixels, np.float64)[shown]
    side_a, side_b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    # Counter-clockwise from outside is clockwise where v points down: the front has area < 0.
    front = np.flatnonzero(side_a[:, 0] * side_b[:, 1] - side_a[:, 1] * side_b[:, 0] < 0)
    order = front[np.argsort(-places[shown[front], 2].mean(axis=1))]
    light = _light(places, np.asarray(faces))[shown[order]].mean(axis=1)
    skin = _TINT * np.array(color) + (1.0 - _TINT) * np.array((232.0, 232.0, 232.0))
    shades = np.clip(light[:, None] * skin, 0, 255).round()
    _paint(image, flat[order], shades, opacity)


def paint_shadow(
    image: Image, pixels: NDArray[Any], faces: NDArray[Any], color: Color, opacity: float
) -> None:
    """Paint the outline of a mesh in one colour, in place; arguments as :func:`paint_mesh`."""
    flat = np.asarray(pixels, np.float64)[_in_reach(image, pixels, faces)]
    _paint(image, flat, np.tile(np.array(color, np.float64), (len(flat), 1)), opacity)


def _light(places: Array, faces: NDArray[Any]) -> Array:
    """(V,) brightness of each vertex in [0, 1], by its normal."""
    corners = places[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros_like(places)
    for corner in range(3):
        for axis in range(3):
            sums[:, axis] += np.bincount(faces[:, corner], normals[:, axis], len(places))
    lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-12)
    lamp = _TO_LAMP / np.linalg.norm(_TO_LAMP)
    return _AMBIENT + (1.0 - _AMBIENT) * np.clip(sums @ lamp / lengths, 0.0, 1.0)


def _in_reach(image: Image, pixels: NDArray[Any], faces: NDArray[Any]) -> NDArray[np.int64]:
    """The faces whose vertices are all finite and not far off the image."""
    limit = 2.0 * max(image.shape[:2])
    with np.errstate(invalid="ignore"):
        good = (np.abs(pixels) < limit).all(axis=1)
    return np.asarray(faces)[good[faces].all(axis=1)]


def _paint(image: Image, triangles: Array, shades: Array, opacity: float) -> None:
    """Fill (F, 3, 2) triangles in the order given with (F, 3) colours."""
    if not len(triangles):
        return
    size = np.array(image.shape[1::-1])
    low = np.clip(np.floor(triangles.min(axis=(0, 1))).astype(int) - 1, 0, size)
    high = np.clip(np.ceil(triangles.max(axis=(0, 1))).astype(int) + 2, 0, size)
    width, height = (high - low).tolist()
    if width <= 0 or height <= 0:
        return
    # Pixel centres stand at whole numbers, so the larger picture starts at -0.5.
    scaled = (triangles - low + 0.5) * _SUPERSAMPLE - 0.5
    fixed = np.round(scaled * (1 << _SHIFT)).astype(np.int32)
    layer = np.zeros((height * _SUPERSAMPLE, width * _SUPERSAMPLE, 4), np.uint8)
    paints = np.column_stack((shades, np.full(len(shades), 255.0))).tolist()
    for triangle, paint in zip(fixed, paints, strict=True):
        cv2.fillConvexPoly(layer, triangle, paint, cv2.LINE_8, _SHIFT)
    small = cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    cover = small[..., 3:] * (opacity / 255.0)
    # Colours of the layer are already weighted by its cover, black where there is none.
    region = image[low[1] : high[1], low[0] : high[0]]
    mixed = region * (1.0 - cover) + small[..., :3] * opacity
    region[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
