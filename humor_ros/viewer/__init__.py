"""Pictures of tracked people: over the camera's image, in the world, and both as a summary."""

from __future__ import annotations

from humor_ros.viewer.overlay import draw_overlay
from humor_ros.viewer.palette import PersonColors
from humor_ros.viewer.person import DrawablePerson
from humor_ros.viewer.scene import CameraPose, Scene, Trails, ground_height
from humor_ros.viewer.world_view import WorldView

__all__ = [
    "CameraPose",
    "DrawablePerson",
    "PersonColors",
    "Scene",
    "Trails",
    "WorldView",
    "draw_overlay",
    "ground_height",
]
