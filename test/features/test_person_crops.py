"""Who is encoded in which image, and from which box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from online_cases import Walkers, picture

from humor_ros.features.person_crops import PersonCrops
from humor_ros.types import Track, TrackingState
from humor_ros.wham.boxes import box_of_keypoints

IMAGE = picture(0)


def tracks(places, frame=0, state=TrackingState.TRACKED):
    walkers = Walkers(places)
    walkers.frame = frame
    return [
        Track(i + 1, state, points, np.r_[points[:, :2].min(0), points[:, :2].max(0)], 0.0, 0.0, 1)
        for i, points in enumerate(walkers.people())
    ]


def test_the_first_box_is_that_of_the_key_points():
    (track,) = tracks([100.0])
    request = PersonCrops().request(1.0, IMAGE, [track])
    np.testing.assert_allclose(request.boxes[0], box_of_keypoints(track.keypoints))


def test_boxes_are_smoothed_causally():
    crops = PersonCrops()
    before, now = (tracks([100.0], frame) for frame in (0, 20))
    first = crops.request(1.0, IMAGE, before).boxes[0]
    second = crops.request(1.1, IMAGE, now).boxes[0]
    tight = box_of_keypoints(now[0].keypoints)
    np.testing.assert_allclose(second, 0.3 * first + 0.7 * tight)


def test_an_unseen_person_waits():
    crops = PersonCrops()
    crops.request(1.0, IMAGE, tracks([100.0]))
    assert crops.request(1.1, IMAGE, tracks([100.0], state=TrackingState.OCCLUDED)) is None


def test_too_few_key_points_leave_the_box_of_the_detector():
    (track,) = tracks([100.0])
    keypoints = track.keypoints.copy()
    keypoints[2:, 2] = 0.0
    request = PersonCrops().request(1.0, IMAGE, [replace(track, keypoints=keypoints)])
    assert request.boxes[0, 2] > 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_key_points_that_are_no_numbers_do_not_spoil_the_box(bad):
    crops = PersonCrops()
    crops.request(1.0, IMAGE, tracks([100.0]))
    (track,) = tracks([100.0])
    keypoints = track.keypoints.copy()
    keypoints[3] = bad
    request = crops.request(1.1, IMAGE, [replace(track, keypoints=keypoints)])
    assert np.isfinite(request.boxes).all()


def test_who_waits_longest_goes_first():
    crops = PersonCrops(max_people=2)
    people = tracks([50.0, 150.0, 250.0])
    order = []
    for frame in range(3):
        request = crops.request(float(frame), IMAGE, people)
        crops.taken(request)
        order.append(request.track_ids)
    assert order == [(1, 2), (3, 1), (2, 1)]


def test_a_person_is_due_again_after_so_many_images():
    crops = PersonCrops(every=3)
    people = tracks([100.0])
    due = []
    for frame in range(7):
        request = crops.request(float(frame), IMAGE, people)
        due.append(request is not None)
        if request is not None:
            crops.taken(request)
    assert due == [True, False, False, True, False, False, True]


def test_what_was_not_taken_stays_due():
    crops = PersonCrops(every=10)
    people = tracks([100.0])
    assert crops.request(0.0, IMAGE, people) is not None
    assert crops.request(0.1, IMAGE, people) is not None


def test_people_who_have_left_are_forgotten():
    crops = PersonCrops()
    crops.request(0.0, IMAGE, tracks([50.0, 150.0]))
    crops.request(0.1, IMAGE, [])
    (track,) = tracks([100.0], 20)
    found = crops.request(0.2, IMAGE, [track]).boxes[0]
    np.testing.assert_allclose(found, box_of_keypoints(track.keypoints))
