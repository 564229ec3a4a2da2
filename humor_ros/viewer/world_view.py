"""The world's picture: floor grid in metres, people, trails, foot contacts and the camera."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.types import Image, TrackingState
from humor_ros.viewer.canvas import blend, disc, label, ring, segment, text
from humor_ros.viewer.figure import draw_figure
from humor_ros.viewer.mesh import BodyMeshes, PosedPerson, paint_mesh, paint_shadow
from humor_ros.viewer.palette import CONTACT, GRID, INK, PAPER, Color, PersonColors, faded
from humor_ros.viewer.scene import CameraPose, Scene, Trails
from humor_ros.viewer.view_camera import ViewCamera

__all__ = ["WorldView"]

_CONTACT_PROBABILITY = 0.5
#: Longer ways are drawn with fewer points, about this many.
_WAY_STROKES = 1500
#: Length of the drawn camera's pyramid, metres.
_FRUSTUM_M = 0.5
#: Shares of the floor colour for shadow and strong lines.
_SHADOW: Color = faded(INK, PAPER, 0.16)
_AXIS: Color = faded(INK, PAPER, 0.35)


class WorldView:
    """Draws one scene from one side, image after image.

    Args:
        view: the viewer's camera.
        scene: floor and bounds.
        title: written in the upper left corner.
        meshes: draw the body's surface by these in place of stick figures.
    """

    def __init__(
        self, view: ViewCamera, scene: Scene, title: str = "", meshes: BodyMeshes | None = None
    ) -> None:
        self.view = view
        self._meshes = meshes
        self.scene = scene
        self._paper = np.full((view.height, view.width, 3), PAPER, np.uint8)
        self._draw_grid(self._paper)
        # Letters and strokes follow the size of the picture.
        self._size = max(1.0, min(view.width, view.height) / 480.0)
        letters = 0.45 * self._size
        line = 26.0 * letters
        text(self._paper, title, 8, 8 + line, INK, letters)
        metres = f"grid {scene.grid_step_m:g} m"
        text(self._paper, metres, 8, view.height - 10, faded(INK, PAPER, 0.7), 0.9 * letters)

    @classmethod
    def from_above(
        cls, scene: Scene, width: int, height: int, meshes: BodyMeshes | None = None
    ) -> WorldView:
        """The scene seen from above."""
        view = ViewCamera.from_above(width, height, scene.points)
        return cls(view, scene, "from above", meshes)

    @classmethod
    def oblique(
        cls, scene: Scene, width: int, height: int, meshes: BodyMeshes | None = None
    ) -> WorldView:
        """The scene seen from behind, aside and slightly above."""
        view = ViewCamera.oblique(width, height, scene.points)
        title = "world, z up" + (" (camera assumed level)" if scene.level_assumed else "")
        return cls(view, scene, title, meshes)

    def draw(
        self,
        people: Sequence[PosedPerson],
        colors: PersonColors,
        *,
        trails: Trails | None = None,
        pose: CameraPose | None = None,
        camera: PinholeCamera | None = None,
        ghosts: Sequence[PosedPerson] = (),
        names: bool = True,
    ) -> Image:
        """Draw one moment.

        Args:
            people: who is there now.
            colors: colours given so far.
            trails: ways and footprints to show.
            pose: where the camera is now; not drawn if None.
            camera: its intrinsics, for the opening of the drawn pyramid.
            ghosts: people at other moments, earliest first and palest.
            names: write each person's name.

        Returns:
            (H, W, 3) BGR.
        """
        image = self._paper.copy()
        for person in (*ghosts, *people):
            self._draw_shadow(image, person)
        if trails is not None:
            self._draw_trails(image, trails, colors)
        if pose is not None:
            self._draw_camera(image, pose, camera)
        for index, person in enumerate(ghosts):
            share = 0.25 + 0.5 * (index + 1) / (len(ghosts) + 1)
            self._draw_person(image, person, colors, share)
        for person in self._far_first(people):
            occluded = person.tracking_state != TrackingState.TRACKED
            self._draw_person(image, person, colors, share=0.5 if occluded else 1.0)
            self._draw_feet(image, person)
        if names:
            for person in people:
                self._draw_name(image, person, colors)
        return image

    def _far_first(self, people: Sequence[PosedPerson]) -> list[PosedPerson]:
        sight = self.view.rotation_view_world[2]
        return sorted(people, key=lambda person: -float(sight @ person.root_position_world))

    def _line(self, image: Image, start: Any, end: Any, color: Color, width: float = 1.0) -> None:
        ends = self.view.project_segment(np.asarray(start), np.asarray(end))
        if ends is not None:
            segment(image, ends[0], ends[1], color, width)

    def _draw_grid(self, image: Image) -> None:
        """Lines on the floor around the scene, paler and paler away from it."""
        step, z = self.scene.grid_step_m, self.scene.ground_z
        places = self.scene.points[:, :2]
        centre = np.round((places.min(axis=0) + places.max(axis=0)) / 2.0 / step) * step
        radius = float(np.ptp(places, axis=0).max()) / 2.0 + 2.0 * step
        reach = np.arange(-int(3.0 * radius / step), int(3.0 * radius / step) + 1) * step
        for fixed in reach:
            for start in reach[:-1]:
                middle = float(np.hypot(fixed, start + step / 2.0))
                color = faded(GRID, PAPER, float(np.clip(1.6 - 0.6 * middle / radius, 0.0, 1.0)))
                if color == PAPER:
                    continue
                for axis in (0, 1):
                    ends = np.full((2, 3), z)
                    ends[:, axis] = centre[axis] + (start, start + step)
                    ends[:, 1 - axis] = centre[1 - axis] + fixed
                    self._line(image, ends[0], ends[1], color)

    def _on_floor(self, points: NDArray[Any]) -> NDArray[Any]:
        flat = np.array(points, np.float64).reshape(-1, 3)
        flat[:, 2] = self.scene.ground_z
        return flat

    def _draw_shadow(self, image: Image, person: PosedPerson) -> None:
        """The figure laid flat on the floor, as under a lamp right above."""
        if self.view.orthographic:
            return
        if self._meshes is not None:
            pixels, _ = self.view.project(self._on_floor(self._meshes.in_world(person)))
            paint_shadow(image, pixels, self._meshes.faces, INK, 0.16)
            return
        pixels, depths = self.view.project(self._on_floor(person.joints_world))
        scale = self.view.pixels_per_metre(depths)
        for parent, child in ((0, 6), (6, 15), (1, 7), (2, 8), (16, 20), (17, 21), (16, 17)):
            width = 0.1 * float(scale[parent])
            segment(image, pixels[parent], pixels[child], _SHADOW, width)

    def _draw_trails(self, image: Image, trails: Trails, colors: PersonColors) -> None:
        width = 2.0 * self._size
        for name, places in trails.roots.items():
            color = faded(colors.of(name), PAPER, 0.75)
            every = max(1, len(places) // _WAY_STROKES)
            floor = self._on_floor(np.array([*places[:-1:every], places[-1]]))
            for start, end in pairwise(floor):
                self._line(image, start, end, color, width)
        for name, places in trails.footprints.items():
            if places:
                pixels, _ = self.view.project(np.array(places))
                for place in pixels:
                    disc(image, place, 2.2 * self._size, faded(colors.of(name), PAPER, 0.55))

    def _draw_camera(self, image: Image, pose: CameraPose, camera: PinholeCamera | None) -> None:
        x, y = 0.55, 0.4
        if camera is not None:
            x, y = camera.width / 2 / camera.fx, camera.height / 2 / camera.fy
        corners = _FRUSTUM_M * np.array([(-x, -y, 1), (x, -y, 1), (x, y, 1), (-x, y, 1)])
        eye = np.asarray(pose.position_world_camera, np.float64)
        world = corners @ np.asarray(pose.rotation_world_camera, np.float64).T + eye
        width = 1.6 * self._size
        if not self.view.orthographic:
            self._line(image, eye, self._on_floor(eye)[0], _AXIS)
            pixels, _ = self.view.project(self._on_floor(eye))
            disc(image, pixels[0], 3.0 * self._size, _AXIS)
        for corner, following in zip(world, np.roll(world, -1, axis=0), strict=True):
            self._line(image, eye, corner, INK, width)
            self._line(image, corner, following, INK, width)
        pixels, _ = self.view.project(eye[None])
        disc(image, pixels[0], 3.2 * self._size, INK)

    def _draw_person(
        self, image: Image, person: PosedPerson, colors: PersonColors, share: float
    ) -> None:
        layer = image.copy() if share < 1.0 else image
        color = colors.of(person.person_id)
        if self._meshes is not None:
            vertices = self._meshes.in_world(person)
            pixels, _ = self.view.project(vertices)
            places = vertices @ self.view.rotation_view_world.T
            paint_mesh(layer, pixels, places, self._meshes.faces, color)
        else:
            pixels, depths = self.view.project(person.joints_world)
            scale = self.view.pixels_per_metre(depths)
            draw_figure(layer, pixels, depths, scale, color, PAPER)
        if layer is not image:
            blend(image, layer, share)

    def _draw_feet(self, image: Image, person: PosedPerson) -> None:
        feet, _ = self.view.project(person.contact_positions_world)
        for place, probability in zip(feet, person.contacts, strict=True):
            if probability > _CONTACT_PROBABILITY:
                disc(image, place, 3.6 * self._size, PAPER)
                disc(image, place, 2.8 * self._size, CONTACT)
            elif not self.view.orthographic:
                ring(image, place, 2.2 * self._size, _AXIS)

    def _draw_name(self, image: Image, person: PosedPerson, colors: PersonColors) -> None:
        pixels, depths = self.view.project(np.asarray(person.joints_world)[15:16])
        up = 0.28 * float(self.view.pixels_per_metre(depths)[0])
        left, bottom = pixels[0, 0] - 20.0 * self._size, pixels[0, 1] - max(up, 10.0)
        color = colors.of(person.person_id)
        label(image, person.person_id, left, bottom, color, 0.38 * self._size)
