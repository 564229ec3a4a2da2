"""The painter of triangles hides what is behind and shades by the lamp; bodies are skinned."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.viewer.mesh import BodyMeshes, paint_mesh, paint_shadow
from humor_ros.viewer.overlay import draw_overlay

COLOR = (0, 0, 255)


def tetrahedron(depth: float):
    """A tetrahedron whose front faces the viewer, and its pixels in a 100 x 100 image."""
    places = np.array([(-1.0, 1.0, 0), (1.0, 1.0, 0), (0.0, -1.0, 0), (0.0, 0.3, 1.0)])
    faces = np.array([(0, 1, 2), (0, 3, 1), (1, 3, 2), (2, 3, 0)])
    return places[:, :2] * 40 + 50, places + np.array((0, 0, depth)), faces


@pytest.fixture
def blank():
    return np.zeros((100, 100, 3), np.uint8)


def test_inside_is_painted_and_outside_is_not(blank) -> None:
    paint_mesh(blank, *tetrahedron(5.0), COLOR)
    assert blank[60, 50, 2] > 60
    assert not blank[5, 5].any()


def test_opacity_shows_what_is_behind(blank) -> None:
    blank[:] = (200, 0, 0)
    paint_mesh(blank, *tetrahedron(5.0), COLOR, 0.5)
    assert 100 < blank[60, 50, 0] < 180
    assert tuple(blank[5, 5]) == (200, 0, 0)


def test_triangles_seen_from_inside_are_left_out(blank) -> None:
    pixels, places, faces = tetrahedron(5.0)
    paint_mesh(blank, pixels, places, faces[:1, ::-1], COLOR)
    assert not blank.any()


def test_triangles_with_a_vertex_not_finite_are_left_out(blank) -> None:
    pixels, places, faces = tetrahedron(5.0)
    pixels[:] = np.nan
    paint_mesh(blank, pixels, places, faces, COLOR)
    assert not blank.any()


def test_mesh_outside_the_image_is_left_out(blank) -> None:
    pixels, places, faces = tetrahedron(5.0)
    paint_mesh(blank, pixels + 150, places, faces, COLOR)
    assert not blank.any()


def test_edges_are_smooth(blank) -> None:
    paint_mesh(blank, *tetrahedron(5.0), COLOR)
    reds = np.unique(blank[55, :, 2])
    assert len(reds) > 2


def test_shadow_has_one_colour(blank) -> None:
    pixels, _, faces = tetrahedron(5.0)
    paint_shadow(blank, pixels, faces, (0, 200, 0), 1.0)
    assert tuple(blank[60, 50]) == (0, 200, 0)


@pytest.fixture(scope="module")
def meshes():
    from humor_ros.body.model import BodyModel

    return BodyMeshes(BodyModel.load())


def test_vertices_surround_the_joints_in_both_frames(meshes, make_person) -> None:
    person = make_person()
    for vertices, joints in (
        (meshes.in_world(person), person.joints_world),
        (meshes.in_camera(person), person.joints_camera),
    ):
        assert vertices.shape == (meshes.body.num_vertices, 3)
        np.testing.assert_allclose(vertices.mean(axis=0), joints.mean(axis=0), atol=0.25)


def test_axis_angle_and_matrices_give_the_same_surface(meshes, make_person) -> None:
    matrices, vectors = make_person(), make_person(body_pose=np.zeros((23, 3)))
    np.testing.assert_allclose(meshes.in_world(matrices), meshes.in_world(vectors), atol=1e-6)


def test_faces_turn_their_front_outwards(meshes, make_person) -> None:
    corners = meshes.in_world(make_person())[meshes.faces]
    volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 0.03 < volume < 0.15


def test_overlay_of_a_body_covers_the_trunk(meshes, camera, make_person) -> None:
    blank = np.zeros((240, 320, 3), np.uint8)
    person = make_person()
    image = draw_overlay(blank, [person], camera, boxes=False, keypoints=False, meshes=meshes)
    x, y = camera.project(person.joints_camera[3:4])[0].round().astype(int)
    assert image[y - 3 : y + 4, x - 5 : x + 6].any(axis=-1).all()
