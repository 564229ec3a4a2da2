"""Training sequences of tracked people: measured values, smoothed boxes, no truth."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.io.track_file import TrackFile
from humor_ros.io.track_schema import FORMAT_VERSION, ROW_KEYS
from humor_ros.training.tracked_sequences import tracked_sequences
from humor_ros.wham.boxes import box_of_keypoints


def track_arrays(people: dict[str, list[int]], gravity: bool = False) -> dict[str, np.ndarray]:
    """A track file's arrays: people by name, with the frames in which they are seen."""
    rows = sorted((frame, name) for name, frames in people.items() for frame in frames)
    count, random = len(rows), np.random.default_rng(0)
    kinds = {"str": "U5"}
    arrays = {
        key: np.zeros((count, *shape), kinds.get(kind, kind))
        for key, (shape, kind) in ROW_KEYS.items()
    }
    arrays["frame"] = np.array([frame for frame, _ in rows])
    arrays["stamp_s"] = arrays["frame"] / 25.0
    arrays["person_id"] = np.array([name for _, name in rows], "U5")
    points = random.uniform(20, 70, (count, 17, 2))
    arrays["keypoints_image"] = np.concatenate((points, np.full((count, 17, 1), 0.9)), -1)
    arrays["box_xyxy"] = np.tile((10.0, 10.0, 80.0, 80.0), (count, 1))
    arrays["rotation_world_camera"] = np.tile(np.eye(3), (count, 1, 1))
    arrays["gravity_known"][:] = gravity
    frames = np.arange(max((frame for frame, _ in rows), default=0) + 1)
    return arrays | {
        "version": np.array(FORMAT_VERSION),
        "processed_frame": frames,
        "processed_stamp_s": frames / 25.0,
        "image_size": np.array((120, 90)),
        "camera_matrix": np.array([[150.0, 0, 60], [0, 150.0, 45], [0, 0, 1]]),
        "camera_distortion": np.array([0.1, -0.05, 0.0, 0.0]),
        "camera_model": np.array("plumb_bob"),
        "camera_assumed": np.array(False),
        "fps": np.array(25.0),
    }


@pytest.fixture
def sequences():
    """Sequences of a file's arrays."""
    return lambda arrays, **options: list(
        tracked_sequences(TrackFile.from_arrays(arrays), "street", **options)
    )


def test_every_person_is_a_sequence(sequences):
    found = sequences(track_arrays({"aaaaa": [*range(40)], "bbbbb": [*range(5, 45)]}))
    assert [one.name for one in found] == ["street_aaaaa", "street_bbbbb"]
    assert found[1].frame.tolist() == list(range(5, 45))
    assert found[0].fps == 25.0
    assert found[0].camera.distortion[:2] == (0.1, -0.05)


def test_short_tracks_are_left_out(sequences):
    arrays = track_arrays({"aaaaa": [*range(40)], "bbbbb": [*range(10)]})
    assert [one.person for one in sequences(arrays)] == ["aaaaa"]
    assert len(sequences(arrays, min_frames=10)) == 2


def test_frames_in_which_somebody_is_hidden_do_not_count(sequences):
    arrays = track_arrays({"aaaaa": [*range(40)]})
    arrays["keypoints_image"][20:, :, 2] = 0.0
    assert sequences(arrays) == []


def test_nothing_is_taken_for_the_truth(sequences):
    (one,) = sequences(track_arrays({"aaaaa": [*range(40)]}))
    masks = ("has_smpl", "has_root_position", "has_trajectory", "has_features", "has_init")
    assert not any(getattr(one, name).any() for name in masks)
    assert (one.contacts == -1).all()


@pytest.mark.parametrize("gravity", [False, True])
def test_the_camera_counts_where_gravity_is_known(sequences, gravity):
    (one,) = sequences(track_arrays({"aaaaa": [*range(40)]}, gravity))
    assert one.gravity_known is gravity
    assert bool(one.has_camera.all()) is gravity


def test_boxes_are_those_of_the_keypoints_smoothed_over_the_past(sequences):
    arrays = track_arrays({"aaaaa": [*range(40)]})
    (one,) = sequences(arrays, box_smoothing=0.5)
    tight = [box_of_keypoints(points) for points in arrays["keypoints_image"]]
    np.testing.assert_allclose(one.boxes[0], tight[0], rtol=1e-6)
    np.testing.assert_allclose(one.boxes[1], 0.5 * tight[0] + 0.5 * tight[1], rtol=1e-6)
    np.testing.assert_allclose(one.boxes[2], 0.5 * one.boxes[1] + 0.5 * tight[2], rtol=1e-6)


def test_boxes_stay_while_somebody_is_hidden_and_start_anew_after_a_gap(sequences):
    arrays = track_arrays({"aaaaa": [*range(20), *range(60, 90)]})
    arrays["keypoints_image"][10, :, 2] = 0.0
    (one,) = sequences(arrays)
    np.testing.assert_array_equal(one.boxes[10], one.boxes[9])
    np.testing.assert_allclose(
        one.boxes[20], box_of_keypoints(arrays["keypoints_image"][20]), rtol=1e-6
    )


def test_keypoints_that_are_not_numbers_are_unseen(sequences):
    arrays = track_arrays({"aaaaa": [*range(40)]})
    arrays["keypoints_image"][3] = (np.nan, np.nan, 0.0)
    (one,) = sequences(arrays)
    assert np.isfinite(one.keypoints).all()
    assert (one.keypoints[3, :, 2] == 0.0).all()
