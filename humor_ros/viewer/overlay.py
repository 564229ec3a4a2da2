"""People over the camera's image: body skeleton, measured key-points, boxes and foot contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.image_check import check_image
from humor_ros.types import Array, Image, TrackingState
from humor_ros.viewer.canvas import blend, disc, label, ring
from humor_ros.viewer.figure import draw_figure
from humor_ros.viewer.mesh import BodyMeshes, PosedPerson, paint_mesh
from humor_ros.viewer.palette import CONTACT, KEYPOINT, Color, PersonColors
from humor_ros.viewer.person import DrawablePerson, world_to_camera

__all__ = ["draw_overlay"]

#: Joints nearer than this to the camera's plane are not drawn, metres.
_NEAREST_M = 0.05
#: Key-points below this confidence are not drawn.
_KEYPOINT_CONFIDENCE = 0.3
#: A foot point rests above this probability.
_CONTACT_PROBABILITY = 0.5
#: Opacity of the figure of somebody who is measured, and of somebody who is predicted.
_OPACITY = 0.9
_OPACITY_OCCLUDED = 0.45
#: Boxes reach from key-point to key-point; drawn with this much room, in sizes of the box.
_BOX_ROOM = 0.06
#: Radius of the mark on a foot point, metres on the body.
_FOOT_MARK_M = 0.025
_CASING: Color = (30, 26, 24)


def draw_overlay(
    image_bgr: Image,
    people: Sequence[PosedPerson],
    camera: PinholeCamera,
    colors: PersonColors | None = None,
    *,
    boxes: bool = True,
    keypoints: bool = True,
    figures: bool = True,
    meshes: BodyMeshes | None = None,
    size: float | None = None,
) -> Image:
    """Draw people over an image and return the new image.

    Args:
        image_bgr: (H, W, 3) uint8, the camera's (distorted) image.
        people: who to draw; the farthest is drawn first.
        camera: intrinsics of this image.
        colors: colours given so far; pass the same object for all images of a video.
        boxes: draw box and name.
        keypoints: draw the measured key-points.
        figures: draw the body's skeleton and foot contacts.
        meshes: draw the body's surface by these in place of the skeleton.
        size: of marks and letters, 1 being right for a picture 480 pixels high; by the
            image's height if None.

    Raises:
        ValueError: if the image is not (H, W, 3) uint8.
    """
    colors = colors or PersonColors()
    image = check_image(image_bgr).copy()
    size = max(1.0, image.shape[0] / 480.0) if size is None else size
    for person in sorted(people, key=lambda human: -float(human.root_position_camera[2])):
        color = colors.of(person.person_id)
        if figures:
            occluded = person.tracking_state != TrackingState.TRACKED
            opacity = _OPACITY_OCCLUDED if occluded else _OPACITY
            if meshes is not None:
                vertices = meshes.in_camera(person)
                places = _project(camera, vertices)
                paint_mesh(image, places, vertices, meshes.faces, color, opacity)
            else:
                layer = image.copy()
                _draw_body(layer, person, camera, color)
                blend(image, layer, opacity)
            _draw_feet(image, person, camera, size)
        if keypoints:
            _draw_keypoints(image, person, size)
        if boxes:
            _draw_box(image, person, color, size)
    return image


def _project(camera: PinholeCamera, points: NDArray[Any]) -> Array:
    """Pixels (N, 2) of points (N, 3) of the camera frame; NaN behind the camera."""
    points = np.asarray(points, np.float64)
    visible = np.isfinite(points).all(axis=1) & (points[:, 2] > _NEAREST_M)
    pixels = np.full((len(points), 2), np.nan)
    if visible.any():
        pixels[visible] = camera.project(points[visible])
    return pixels


def _draw_body(image: Image, person: DrawablePerson, camera: PinholeCamera, color: Color) -> None:
    joints = np.asarray(person.joints_camera, np.float64)
    depths = joints[:, 2]
    scale = camera.fx / np.maximum(depths, _NEAREST_M)
    pixels = _project(camera, joints)
    draw_figure(image, pixels, depths, scale, color, _CASING, filled_head=False)


def _draw_feet(image: Image, person: DrawablePerson, camera: PinholeCamera, size: float) -> None:
    feet = _project(camera, world_to_camera(person, person.contact_positions_world))
    # Marks are no larger than a foot is wide, however small the person.
    scale = camera.fx / max(float(person.root_position_camera[2]), _NEAREST_M)
    radius = float(np.clip(_FOOT_MARK_M * scale, 1.5 * size, 4.0 * size))
    for place, probability in zip(feet, person.contacts, strict=True):
        if probability > _CONTACT_PROBABILITY:
            disc(image, place, radius + max(1.0, 0.8 * size), _CASING)
            disc(image, place, radius, CONTACT)
        else:
            ring(image, place, 0.8 * radius, KEYPOINT, 1.0)


def _draw_keypoints(image: Image, person: DrawablePerson, size: float) -> None:
    for x, y, confidence in person.keypoints_image:
        if confidence >= _KEYPOINT_CONFIDENCE:
            place = np.array((x, y))
            disc(image, place, 2.8 * size, _CASING)
            disc(image, place, 1.8 * size, KEYPOINT)


def _draw_box(image: Image, person: DrawablePerson, color: Color, size: float) -> None:
    if not np.isfinite(person.box_xyxy).all():
        return
    box = np.asarray(person.box_xyxy, np.float64)
    room = _BOX_ROOM * float(np.max(box[2:] - box[:2])) * np.array((-1, -1, 1, 1))
    limit = np.array(image.shape[1::-1] * 2) - 1
    left, top, right, bottom = np.clip(box + room, 0, limit).round().astype(int).tolist()
    width = max(1, round(1.2 * size))
    cv2.rectangle(image, (left, top), (right, bottom), color, width, cv2.LINE_AA)
    state = person.tracking_state
    words = person.person_id
    if state != TrackingState.TRACKED:
        words += f" {TrackingState(state).name.lower()}"
    label(image, words, left, top, color, 0.45 * size)
