"""Pictures of tracked people: over the camera's image, in the world, and both as a summary."""

from __future__ import annotations

from humor_ros.viewer.film import Film
from humor_ros.viewer.mesh import BodyMeshes, PosedPerson
from humor_ros.viewer.overlay import draw_overlay
from humor_ros.viewer.palette import PersonColors
from humor_ros.viewer.person import DrawablePerson
from humor_ros.viewer.scene import CameraPose, Scene, Trails, ground_height
from humor_ros.viewer.summary import pick_moments, render_summary
from humor_ros.viewer.world_view import WorldView

__all__ = [
    "BodyMeshes",
    "CameraPose",
    "DrawablePerson",
    "Film",
    "PersonColors",
    "PosedPerson",
    "Scene",
    "Trails",
    "WorldView",
    "draw_overlay",
    "ground_height",
    "pick_moments",
    "render_summary",
]
