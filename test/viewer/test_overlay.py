"""The overlay paints bones, marks and boxes where the camera sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from humor_ros.types import TrackingState
from humor_ros.viewer.overlay import draw_overlay
from humor_ros.viewer.palette import CONTACT, LEFT, RIGHT, PersonColors
from humor_ros.viewer.person import world_to_camera

PLAIN = {"boxes": False, "keypoints": False}


def near(image, place, color, radius=2, tolerance=60) -> bool:
    """Whether a pixel around a place has about that colour."""
    x, y = np.round(place).astype(int)
    patch = image[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
    return bool((np.abs(patch.astype(int) - color).max(axis=-1) < tolerance).any())


def middle(camera, person, parent, child):
    return camera.project(person.joints_camera[[parent, child]]).mean(axis=0)


@pytest.fixture
def blank():
    return np.zeros((240, 320, 3), np.uint8)


def test_left_thigh_has_the_colour_of_the_left_side(blank, camera, make_person) -> None:
    person = make_person()
    image = draw_overlay(blank, [person], camera, **PLAIN)
    assert near(image, middle(camera, person, 1, 4), LEFT)


def test_right_forearm_has_the_colour_of_the_right_side(blank, camera, make_person) -> None:
    person = make_person()
    image = draw_overlay(blank, [person], camera, **PLAIN)
    assert near(image, middle(camera, person, 19, 21), RIGHT)


def test_spine_has_the_colour_of_the_person(blank, camera, make_person) -> None:
    person, colors = make_person(), PersonColors()
    image = draw_overlay(blank, [person], camera, colors, **PLAIN)
    assert near(image, middle(camera, person, 0, 3), colors.of("abcde"))


def test_only_resting_foot_points_are_filled(blank, camera, make_person) -> None:
    person = make_person()
    feet = camera.project(world_to_camera(person, person.contact_positions_world))
    image = draw_overlay(blank, [person], camera, **PLAIN)
    assert near(image, feet[0], CONTACT)
    assert not near(image, feet[2], CONTACT, radius=1)


def test_box_has_the_colour_of_the_person(blank, camera, make_person) -> None:
    person, colors = make_person(), PersonColors()
    image = draw_overlay(blank, [person], camera, colors, figures=False, keypoints=False)
    left, top, right, bottom = person.box_xyxy
    outside = left - 0.06 * max(right - left, bottom - top)
    assert near(image, (outside, (top + bottom) / 2), colors.of("abcde"))


def test_measured_keypoints_are_marked_and_unsure_ones_are_not(blank, camera, make_person) -> None:
    keypoints = np.zeros((17, 3))
    keypoints[0] = (50, 60, 0.9)
    keypoints[1] = (90, 60, 0.1)
    person = make_person(keypoints_image=keypoints)
    image = draw_overlay(blank, [person], camera, figures=False, boxes=False)
    assert near(image, (50, 60), (250, 250, 250))
    assert not image[50:70, 80:100].any()


def test_person_behind_the_camera_leaves_the_image_alone(blank, camera, make_person) -> None:
    person = make_person(position_world=(-5.0, 0.0, 0.0))
    assert not draw_overlay(blank, [person], camera, **PLAIN).any()


def test_bones_with_an_end_behind_the_camera_are_skipped(blank, camera, make_person) -> None:
    person = make_person()
    joints = person.joints_camera.copy()
    joints[[20, 22], 2] = -1.0
    place = middle(camera, person, 18, 20)
    image = draw_overlay(blank, [replace(person, joints_camera=joints)], camera, **PLAIN)
    assert not image[int(place[1]) - 2 : int(place[1]) + 3, int(place[0])].any()


def test_not_finite_joints_are_skipped(blank, camera, make_person) -> None:
    person = make_person(
        joints_camera=np.full((24, 3), np.nan), contact_positions_world=np.full((4, 3), np.inf)
    )
    assert not draw_overlay(blank, [person], camera, **PLAIN).any()


def test_not_finite_box_is_skipped(blank, camera, make_person) -> None:
    person = make_person(box_xyxy=np.full(4, np.nan))
    image = draw_overlay(blank, [person], camera, figures=False, keypoints=False)
    assert not image.any()


def test_occluded_people_are_paler(blank, camera, make_person) -> None:
    tracked = draw_overlay(blank, [make_person()], camera, **PLAIN)
    occluded = draw_overlay(
        blank, [make_person(tracking_state=TrackingState.OCCLUDED)], camera, **PLAIN
    )
    assert 0 < occluded.sum() < 0.8 * tracked.sum()


def test_nearer_person_is_drawn_over_the_farther(blank, camera, make_person) -> None:
    near_person = make_person("nearr", (3.0, 0.0, 0.0))
    far_person = make_person("farrr", (6.0, 0.0, 0.0))
    colors = PersonColors()
    colors.of("nearr"), colors.of("farrr")
    both = draw_overlay(blank, [near_person, far_person], camera, colors, **PLAIN)
    swapped = draw_overlay(blank, [far_person, near_person], camera, colors, **PLAIN)
    np.testing.assert_array_equal(both, swapped)
    assert near(both, middle(camera, near_person, 0, 3), colors.of("nearr"))


def test_nobody_leaves_the_image_alone(blank, camera) -> None:
    assert not draw_overlay(blank, [], camera).any()


def test_given_image_is_not_written_to(blank, camera, make_person) -> None:
    draw_overlay(blank, [make_person()], camera)
    assert not blank.any()


def test_wrong_image_is_named(camera) -> None:
    with pytest.raises(ValueError, match=r"image_bgr must be \(H, W, 3\) uint8, got \(240, 320\)"):
        draw_overlay(np.zeros((240, 320), np.uint8), [], camera)


def test_people_keep_their_colours_in_order_of_appearance() -> None:
    colors = PersonColors()
    first, second = colors.of("aaaaa"), colors.of("bbbbb")
    assert first != second
    assert colors.of("aaaaa") == first


def test_world_points_reach_the_camera_through_the_root(make_person) -> None:
    person = make_person()
    np.testing.assert_allclose(
        world_to_camera(person, person.joints_world), person.joints_camera, atol=1e-12
    )
