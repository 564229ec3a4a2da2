"""Summary and film pictures have the size asked for, and moments are well chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humor_ros.viewer.film import Film
from humor_ros.viewer.scene import CameraPose, Scene
from humor_ros.viewer.summary import pick_moments, render_summary

POSE = CameraPose(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))
GREY = np.full((240, 320, 3), 128, np.uint8)


@given(counts=st.lists(st.integers(0, 3), max_size=200), count=st.integers(1, 8))
def test_moments_are_distinct_growing_and_not_too_many(counts, count) -> None:
    moments = pick_moments(counts, count)
    assert len(moments) <= count
    assert moments == sorted(set(moments))
    assert all(0 <= moment < len(counts) for moment in moments)


@given(start=st.integers(0, 50), length=st.integers(20, 100), count=st.integers(1, 6))
def test_moments_show_people_where_there_are_any(start, length, count) -> None:
    counts = [0] * start + [1] * length + [0] * 30
    assert all(counts[moment] for moment in pick_moments(counts, count))


def test_moments_prefer_the_image_with_most_people() -> None:
    counts = [1] * 40
    counts[21] = 2
    assert pick_moments(counts, 1) == [21]


@pytest.mark.parametrize("number", [1, 2, 4])
def test_summary_has_the_width_asked_for(number, camera, make_person) -> None:
    frames = [(GREY, [make_person()])] * number
    picture = render_summary(frames, camera, poses=[POSE], captions=["0.0 s"], width=800)
    assert picture.shape[1:] == (800, 3)
    assert picture.dtype == np.uint8


def test_summary_without_people_shows_whole_images(camera) -> None:
    picture = render_summary([(GREY, [])] * 2, camera, width=646)
    assert picture.shape == (240 + 6 + round(0.36 * 646), 646, 3)
    assert (picture[5, 5] == 128).all()


def test_summary_of_nothing_is_an_error(camera) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        render_summary([], camera)


def test_film_pictures_have_an_even_size(camera, make_person) -> None:
    people = [make_person(), make_person("fghij", (4.0, 1.0, 0.0))]
    film = Film(Scene.around(people, [POSE]), camera, height=361)
    pictures = [film.draw(GREY, people, POSE), film.draw(GREY, [], None)]
    for picture in pictures:
        assert picture.shape[0] == 360
        assert picture.shape[1] % 2 == 0
    assert pictures[0].shape == pictures[1].shape
