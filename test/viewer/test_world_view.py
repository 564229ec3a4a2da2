"""The world's views put people, ways and the camera where they are, with everything in view."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humor_ros.viewer.palette import INK, PAPER, PersonColors
from humor_ros.viewer.scene import CameraPose, Scene, Trails, ground_height
from humor_ros.viewer.view_camera import ViewCamera
from humor_ros.viewer.world_view import WorldView

POSE = CameraPose(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))
boxes = st.lists(st.tuples(*[st.floats(-30, 30)] * 3), min_size=2, max_size=8, unique=True).map(
    np.array
)


def close_to(image, place, color, radius=3, tolerance=50) -> bool:
    x, y = np.round(place).astype(int)
    patch = image[y - radius : y + radius + 1, x - radius : x + radius + 1].astype(int)
    return bool((np.abs(patch - color).max(axis=-1) < tolerance).any())


@settings(max_examples=40, deadline=None)
@given(points=boxes)
@pytest.mark.parametrize("make", [ViewCamera.from_above, ViewCamera.oblique])
def test_all_points_asked_for_are_inside_the_picture(make, points) -> None:
    pixels, _ = make(400, 300, points).project(points)
    assert np.isfinite(pixels).all()
    assert (pixels >= -1).all()
    assert (pixels <= (401, 301)).all()


@pytest.mark.parametrize("make", [ViewCamera.from_above, ViewCamera.oblique])
def test_view_axes_are_a_rotation(make) -> None:
    view = make(400, 300, np.array([(0.0, 0, 0), (4.0, 3.0, 2.0)]))
    np.testing.assert_allclose(
        view.rotation_view_world @ view.rotation_view_world.T, np.eye(3), atol=1e-12
    )
    assert np.linalg.det(view.rotation_view_world) == pytest.approx(1.0)


def test_up_in_the_world_is_up_in_the_oblique_picture() -> None:
    view = ViewCamera.oblique(400, 300, np.array([(0.0, 0, 0), (4.0, 3.0, 2.0)]))
    (low, high), _ = view.project(np.array([(2.0, 1.5, 0.0), (2.0, 1.5, 1.0)]))
    assert high[1] < low[1]
    assert high[0] == pytest.approx(low[0], abs=1.0)


def test_world_y_is_left_of_world_x_from_above() -> None:
    view = ViewCamera.from_above(400, 300, np.array([(0.0, 0, 0), (4.0, 3.0, 2.0)]))
    (origin, x, y), _ = view.project(np.array([(0.0, 0, 0), (1.0, 0, 0), (0.0, 1.0, 0)]))
    along, left = x - origin, y - origin
    assert along[0] * left[1] - along[1] * left[0] < 0  # counter-clockwise, v pointing down


def test_segments_are_cut_at_the_eye() -> None:
    view = ViewCamera.oblique(400, 300, np.array([(0.0, 0, 0), (4.0, 3.0, 2.0)]))
    behind = view.eye_world - 5.0 * view.rotation_view_world[2]
    ends = view.project_segment(np.zeros(3), behind)
    assert ends is not None
    assert np.isfinite(ends).all()
    assert view.project_segment(behind, behind) is None


def test_floor_is_where_feet_rest(make_person) -> None:
    assert ground_height([make_person()]) == pytest.approx(-0.95)


def test_floor_is_below_the_toes_where_nothing_rests(make_person) -> None:
    height = ground_height([make_person(contacts=np.zeros(4))])
    assert height == pytest.approx(-0.95, abs=0.01)


def test_nobody_has_no_floor() -> None:
    assert ground_height([]) is None


def test_grid_has_about_ten_lines_across() -> None:
    small = Scene(0.0, np.array([(0.0, 0, 0), (3.0, 1.0, 0)]))
    large = Scene(0.0, np.array([(0.0, 0, 0), (80.0, 1.0, 0)]))
    assert (small.grid_step_m, large.grid_step_m) == (0.5, 10.0)


@pytest.mark.parametrize("make", [WorldView.from_above, WorldView.oblique])
def test_head_is_painted_where_it_is(make, make_person) -> None:
    person, colors = make_person(), PersonColors()
    view = make(Scene.around([person], [POSE]), 400, 300)
    image = view.draw([person], colors, names=False)
    pixels, _ = view.view.project(person.joints_world[15:16])
    assert close_to(image, pixels[0], colors.of("abcde"))


def test_camera_is_painted_where_it_is(make_person, camera) -> None:
    person = make_person()
    view = WorldView.from_above(Scene.around([person], [POSE]), 400, 300)
    image = view.draw([], PersonColors(), pose=POSE, camera=camera)
    pixels, _ = view.view.project(np.zeros((1, 3)))
    assert close_to(image, pixels[0], INK)


def test_way_is_painted_on_the_floor(make_person) -> None:
    people = [make_person(position_world=(x, 0.0, 0.0)) for x in (3.0, 5.0)]
    colors, trails = PersonColors(), Trails()
    for person in people:
        trails.add([person])
    view = WorldView.oblique(Scene.around(people), 400, 300)
    with_way = view.draw([], colors, trails=trails)
    pixels, _ = view.view.project(np.array([(4.0, 0.0, -0.95)]))
    assert close_to(with_way, pixels[0], colors.of("abcde"), tolerance=80)


def test_footprint_is_kept_once_while_the_foot_rests(make_person) -> None:
    trails = Trails()
    for _ in range(3):
        trails.add([make_person()])
    assert len(trails.footprints["abcde"]) == 2
    trails.add([make_person(contacts=np.zeros(4))])
    trails.add([make_person()])
    assert len(trails.footprints["abcde"]) == 4


def test_trails_forget_the_oldest(make_person) -> None:
    trails = Trails(max_points=2)
    for x in (1.0, 2.0, 3.0):
        trails.add([make_person(position_world=(x, 0.0, 0.0))])
    assert [place[0] for place in trails.roots["abcde"]] == [2.0, 3.0]


@pytest.mark.parametrize("make", [WorldView.from_above, WorldView.oblique])
def test_empty_world_is_a_grid(make) -> None:
    image = make(Scene.around([]), 400, 300).draw([], PersonColors())
    assert image.shape == (300, 400, 3)
    assert (image != PAPER).any()


def test_not_finite_people_are_skipped(make_person) -> None:
    person = make_person(
        joints_world=np.full((24, 3), np.nan),
        contact_positions_world=np.full((4, 3), np.nan),
        root_position_world=np.full(3, np.nan),
    )
    scene = Scene.around([person, make_person("fghij")])
    view = WorldView.oblique(scene, 400, 300)
    trails = Trails()
    trails.add([person])
    image = view.draw([person], PersonColors(), trails=trails)
    np.testing.assert_array_equal(image, view.draw([], PersonColors()))
