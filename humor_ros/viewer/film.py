"""One picture of the film: the overlay on the left, the world in two views on the right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.types import Image
from humor_ros.viewer.canvas import fit_height
from humor_ros.viewer.mesh import BodyMeshes, PosedPerson
from humor_ros.viewer.overlay import draw_overlay
from humor_ros.viewer.palette import PAPER, PersonColors
from humor_ros.viewer.scene import CameraPose, Scene, Trails
from humor_ros.viewer.world_view import WorldView

__all__ = ["Film"]

#: Width of the world's column, and height of the oblique view, in heights of the picture.
_COLUMN = 0.8
_OBLIQUE = 0.58
#: Ways go back this many pictures: 20 s at 30 Hz.
_TRAIL_PICTURES = 600


class Film:
    """Draws picture after picture; ways and footprints follow from call to call.

    Args:
        scene: what the world views show.
        camera: intrinsics of the images to come.
        height: of the pictures, pixels; even, as video encoders want it.
        meshes: draw the body's surface by these in place of stick figures.
    """

    def __init__(
        self,
        scene: Scene,
        camera: PinholeCamera,
        height: int = 720,
        meshes: BodyMeshes | None = None,
    ) -> None:
        self._camera = camera
        self._height = 2 * (max(240, height) // 2)
        self._meshes = meshes
        self._colors = PersonColors()
        self._trails = Trails(_TRAIL_PICTURES)
        width = 2 * round(_COLUMN * self._height / 2)
        tall = round(_OBLIQUE * self._height)
        self._oblique = WorldView.oblique(scene, width, tall, meshes)
        self._above = WorldView.from_above(scene, width, self._height - tall, meshes)

    def draw(
        self, image_bgr: Image, people: Sequence[PosedPerson], pose: CameraPose | None = None
    ) -> Image:
        """Draw the next picture.

        Args:
            image_bgr: (H, W, 3) the camera's image.
            people: who is in it.
            pose: where the camera is in the world.

        Returns:
            (height, width, 3) BGR, both even.
        """
        self._trails.add(people)
        left = draw_overlay(image_bgr, people, self._camera, self._colors, meshes=self._meshes)
        left = fit_height(left, self._height)
        views = [
            view.draw(people, self._colors, trails=self._trails, pose=pose, camera=self._camera)
            for view in (self._oblique, self._above)
        ]
        views[1][:2] = np.array(PAPER) * 0.85  # a line between the two views
        picture = np.concatenate((left, np.concatenate(views)), axis=1)
        return picture[:, : picture.shape[1] // 2 * 2]
