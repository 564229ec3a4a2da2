"""The motion model, left and right, and the memory of colours."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.detection.appearance import appearance_similarity, torso_appearance
from humor_ros.detection.coco import COCO_FLIP
from humor_ros.detection.crossings import CrossingWatch
from humor_ros.detection.followed_person import FollowedPerson
from humor_ros.detection.keypoint_motion import KeypointMotion
from humor_ros.detection.left_right import mend_left_right


@pytest.fixture
def standing(actor):
    return actor(lambda _: (300.0, 240.0)).keypoints(0.0)


@pytest.fixture
def spread():
    return np.full(17, 4.0)


def test_prediction_of_steady_motion_is_exact_in_the_end(standing):
    motion = KeypointMotion(standing)
    velocity = np.array([90.0, -30.0, 0.0])
    for step in range(1, 60):
        motion.predict(1 / 30)
        motion.update(standing + velocity * step / 30, np.ones(17, dtype=bool))
    motion.predict(1 / 30)
    expected = standing[:, :2] + velocity[:2] * 60 / 30
    np.testing.assert_allclose(motion.positions, expected, atol=0.5)


def test_an_unseen_person_comes_to_rest(standing):
    motion = KeypointMotion(standing)
    motion.velocities[:] = (300.0, 0.0)
    for _ in range(60):
        motion.predict(1 / 30, unseen=True)
    assert np.abs(motion.velocities).max() < 1.0
    assert (motion.positions - standing[:, :2]).max() < 60.0


def test_uncertainty_grows_without_measurements_and_shrinks_with_them(standing):
    motion = KeypointMotion(standing)
    start = motion.spread.copy()
    motion.predict(0.5)
    grown = motion.spread.copy()
    motion.update(standing, np.ones(17, dtype=bool))
    assert (grown > start).all()
    assert (motion.spread < grown).all()


def test_joints_left_out_keep_their_prediction(standing):
    motion = KeypointMotion(standing)
    motion.predict(1 / 30)
    use = np.arange(17) != 9
    motion.update(standing + 40.0, use)
    np.testing.assert_array_equal(motion.positions[9], standing[9, :2])


def test_size_outlives_a_crouch(standing):
    motion = KeypointMotion(standing)
    size = motion.size
    crouched = standing * np.array([1.0, 0.4, 1.0])
    for _ in range(15):
        motion.predict(1 / 30)
        motion.update(crouched, np.ones(17, dtype=bool))
    assert motion.size > 0.9 * size


def test_names_that_continue_the_motion_are_left_alone(standing, spread):
    mended, groups = mend_left_right(standing, standing, spread, 180.0)
    assert mended is standing
    assert groups == []


def test_a_swapped_body_is_mended(standing, spread):
    mended, groups = mend_left_right(standing[COCO_FLIP], standing, spread, 180.0)
    np.testing.assert_array_equal(mended[5:], standing[5:])
    assert groups


@pytest.mark.parametrize("pairs", [[(7, 8), (9, 10)], [(13, 14), (15, 16)]])
def test_swapped_limbs_are_mended_alone(standing, spread, pairs):
    swapped = standing.copy()
    for left, right in pairs:
        swapped[[left, right]] = swapped[[right, left]]
    mended, groups = mend_left_right(swapped, standing, spread, 180.0)
    np.testing.assert_array_equal(mended, standing)
    assert len(groups) == 1


def test_swapped_arms_and_legs_are_mended_both(standing, spread):
    swapped = standing.copy()
    for left, right in [(7, 8), (9, 10), (13, 14), (15, 16)]:
        swapped[[left, right]] = swapped[[right, left]]
    mended, _ = mend_left_right(swapped, standing, spread, 180.0)
    np.testing.assert_array_equal(mended, standing)


def test_unseen_limbs_are_not_renamed(standing, spread):
    swapped = standing[COCO_FLIP].copy()
    swapped[:, 2] = 0.05
    assert mend_left_right(swapped, standing, spread, 180.0)[1] == []


def test_an_old_prediction_renames_nothing(standing):
    assert mend_left_right(standing[COCO_FLIP], standing, np.full(17, 200.0), 180.0)[1] == []


def test_mending_does_not_edit_its_input(standing, spread):
    swapped = standing[COCO_FLIP].copy()
    copy = swapped.copy()
    mend_left_right(swapped, standing, spread, 180.0)
    np.testing.assert_array_equal(swapped, copy)


def painted(colour):
    return np.full((480, 640, 3), colour, dtype=np.uint8)


def test_colours_tell_shirts_apart(standing):
    red, blue = (torso_appearance(painted(c), standing) for c in ((30, 30, 200), (200, 30, 30)))
    assert appearance_similarity(red, red) == pytest.approx(1.0)
    assert appearance_similarity(red, blue) == pytest.approx(0.0)


def test_black_and_white_are_told_apart(standing):
    black, white = (torso_appearance(painted(c), standing) for c in (10, 240))
    assert appearance_similarity(black, white) == pytest.approx(0.0)


def test_a_torso_that_is_not_seen_has_no_colours(standing):
    standing[5, 2] = 0.1
    assert torso_appearance(painted(50), standing) is None
    assert appearance_similarity(None, None) is None


def test_a_torso_outside_the_image_has_no_colours(standing):
    standing[:, 0] += 5000.0
    assert torso_appearance(painted(50), standing) is None


def followed(number, x, actor, image):
    keypoints = actor(lambda _: (x, 240.0)).keypoints(0.0)
    person = FollowedPerson.begin(number, keypoints, 0.0)
    person.confirmed = True
    person.remember_appearance(torso_appearance(image, keypoints))
    return person


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_crossing_exchanges_ids_only_if_the_colours_say_so(actor, exchanged):
    image = painted(90)
    image[:, :320], image[:, 320:] = (200, 60, 40), (40, 200, 60)
    people = [followed(1, 200.0, actor, image), followed(2, 440.0, actor, image)]
    watch = CrossingWatch(0.3)
    for person in people:
        person.keypoints = actor(lambda _: (320.0, 240.0)).keypoints(0.0)
    watch.update(image, people, 0.0)
    places = (440.0, 200.0) if exchanged else (200.0, 440.0)
    for person, x in zip(people, places, strict=True):
        person.keypoints = actor(lambda _, x=x: (x, 240.0)).keypoints(0.0)
    assert watch.update(image, people, 0.1) == 0
    assert watch.update(image, people, 0.4) == int(exchanged)
    by_id = {p.track_id: p.keypoints[0, 0] for p in people}
    assert by_id == {1: 200.0, 2: 440.0}
