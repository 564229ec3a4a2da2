"""The packaged MoveNet: bad input, and real video against projected ground truth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from humor_ros.detection import (
    Detector,
    DetectorConfig,
    ModelFileError,
    PeopleTracker,
    PeopleTrackerConfig,
    create_detector,
    movenet,
)
from humor_ros.detection.onnx_session import open_session
from humor_ros.types import TrackingState


@pytest.fixture(scope="module")
def detector():
    return create_detector()


@pytest.fixture(scope="module")
def clip(shared):
    """(frames, (F, 17, 2) pixels, (F, 17) valid): every fourth image of the evaluation video."""
    folder = shared / "data" / "eval"
    if not (folder / "cam01.mp4").is_file():
        pytest.skip(f"no evaluation video in {folder}")
    truth = np.load(folder / "single_gt.npz")
    capture = cv2.VideoCapture(str(folder / "cam01.mp4"))
    frames, points, valid = [], [], []
    for number in range(60):
        image = capture.read()[1]
        if number % 4:
            continue
        turn = cv2.Rodrigues(truth["R"][0])[0]
        joints = np.nan_to_num(truth["joints"][0, number])
        pixels = cv2.projectPoints(joints, turn, truth["t"][0], truth["K"][0], truth["dist"][0])[0]
        frames.append(image)
        points.append(pixels[:, 0])
        valid.append(truth["valid"][0, number].astype(bool) & (np.arange(17) >= 5))
    return frames, np.array(points), np.array(valid)


def box_of(points, valid):
    return np.concatenate([points[valid].min(axis=0), points[valid].max(axis=0)])


def test_the_packaged_detector_keeps_the_protocol(detector):
    assert isinstance(detector, Detector)


@pytest.mark.parametrize("shape", [(480, 640, 3), (1, 1, 3), (3, 500, 3), (500, 3, 3)])
def test_a_black_image_shows_nobody(detector, shape):
    assert detector.detect(np.zeros(shape, np.uint8)) == []


def test_a_crop_of_a_black_image_has_no_confidence(detector):
    found = detector.refine(np.zeros((480, 640, 3), np.uint8), np.array([[10.0, 10, 200, 300]]))
    assert found.shape == (1, 17, 3)
    assert found[..., 2].max() < 0.3


@pytest.mark.parametrize("box", [[-500.0, -500, -400, -400], [5.0, 5, 5, 5], [0.0, 0, 1e5, 1e5]])
def test_odd_boxes_give_finite_keypoints(detector, box):
    assert np.isfinite(detector.refine(np.zeros((48, 64, 3), np.uint8), np.array([box]))).all()


def test_no_boxes_give_no_keypoints(detector):
    assert detector.refine(np.zeros((48, 64, 3), np.uint8), np.zeros((0, 4))).shape == (0, 17, 3)


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((0, 0, 3), np.uint8)])
def test_wrong_images_are_refused_by_name(detector, image):
    with pytest.raises(ValueError, match="image_bgr"):
        detector.detect(image)
    with pytest.raises(ValueError, match="image_bgr"):
        detector.refine(image, np.array([[0.0, 0, 1, 1]]))


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.onnx"):
        open_session(tmp_path / "nowhere.onnx", threads=1)


@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_a_truncated_model_is_named_with_a_remedy(tmp_path, size):
    path = tmp_path / "broken.onnx"
    path.write_bytes((movenet.ASSETS / "movenet_lightning_f16.onnx").read_bytes()[:size])
    with pytest.raises(ModelFileError, match=r"broken\.onnx.*again"):
        open_session(path, threads=1)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"kind": "yolo"}, "kind"),
        ({"movenet_model": "storm"}, "movenet_model"),
        ({"full_frame_size": 100}, "full_frame_size"),
        ({"threads": 0}, "threads"),
        ({"person_threshold": 2.0}, "person_threshold"),
        ({"kind": "onnx"}, "pose_path"),
        ({"person_input": "cmyk"}, "person_input"),
    ],
)
def test_wrong_settings_of_the_detector_are_named(settings, name):
    with pytest.raises(ValueError, match=name):
        DetectorConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"max_people": 0}, "max_people"),
        ({"reid_window_s": -1.0}, "reid_window_s"),
        ({"min_score": 1.5}, "min_score"),
        ({"max_size_ratio": 0.9}, "max_size_ratio"),
        ({"reach_speed": float("nan")}, "reach_speed"),
    ],
)
def test_wrong_settings_of_the_tracker_are_named(settings, name):
    with pytest.raises(ValueError, match=name):
        PeopleTrackerConfig(**settings)


@pytest.mark.slow
def test_the_tracker_follows_real_video_within_13_pixels(detector, clip):
    frames, points, valid = clip
    tracker = PeopleTracker(detector)
    errors = []
    for number, image in enumerate(frames):
        tracks = tracker.update(image, number / 15)
        best = min(tracks, key=lambda t: t.track_id)
        assert best.track_id == 1
        away = np.linalg.norm(best.keypoints[:, :2] - points[number], axis=1)
        errors.append(away[valid[number]])
    assert best.state is TrackingState.TRACKED
    assert np.median(np.concatenate(errors)) < 8.0
    assert np.mean(np.concatenate(errors) < 13.0) > 0.75


@pytest.mark.slow
def test_a_search_beside_the_crops_changes_nothing(detector, clip):
    frames = clip[0][:6]
    played = []
    for parallel in (False, True):
        config = PeopleTrackerConfig(parallel_search=parallel, detect_every_frames=2)
        tracker = PeopleTracker(detector, config)
        played.append([tracker.update(f, n / 15)[0].keypoints for n, f in enumerate(frames)])
    np.testing.assert_array_equal(*played)


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_crop_sees_a_turned_person_as_well_as_an_upright_one(detector, clip, turns):
    upright, turned, unturned = [], [], []
    for image, pixels, seen in list(zip(*clip, strict=True))[::5]:
        lying, there = np.rot90(image, -turns), pixels
        for _ in range(turns):
            there = np.column_stack([image.shape[0] - 1 - there[:, 1], there[:, 0]])
            image = np.rot90(image, -1)
        box = box_of(there, seen)[None]
        lying = np.ascontiguousarray(lying)
        for errors, found in (
            (turned, detector.refine(lying, box, [turns])[0]),
            (unturned, detector.refine(lying, box)[0]),
        ):
            errors.append(np.linalg.norm(found[:, :2] - there, axis=1)[seen])
    for image, pixels, seen in list(zip(*clip, strict=True))[::5]:
        found = detector.refine(image, box_of(pixels, seen)[None])[0]
        upright.append(np.linalg.norm(found[:, :2] - pixels, axis=1)[seen])
    medians = [np.median(np.concatenate(e)) for e in (upright, turned, unturned)]
    assert medians[1] < medians[0] + 2.0
    assert medians[1] < medians[2]


@pytest.mark.slow
def test_an_image_and_its_mirror_image_agree_without_bias(detector, clip):
    from humor_ros.detection.coco import COCO_FLIP

    shifts = []
    for image, pixels, seen in list(zip(*clip, strict=True))[::3]:
        right = image.shape[1] - 1
        box = box_of(pixels, seen)
        mirrored_box = np.array([right - box[2], box[1], right - box[0], box[3]])
        found = detector.refine(image, box[None])[0]
        mirrored = np.ascontiguousarray(image[:, ::-1])
        other = detector.refine(mirrored, mirrored_box[None])[0][COCO_FLIP]
        shifts.append(np.median((found[seen, 0] + other[seen, 0] - right) / 2.0))
    assert abs(np.mean(shifts)) < 1.5


@pytest.mark.slow
def test_twenty_people_are_found_and_followed(clip):
    frames, points, _ = clip
    low, high = points[0].min(axis=0), points[0].max(axis=0)
    x0, y0, x1, y1 = (int(v) for v in (*(low - 60), *(high + 60)))
    person = cv2.resize(frames[0][y0:y1, x0:x1], (120, 240), interpolation=cv2.INTER_AREA)
    crowd = np.tile(person, (2, 10, 1))
    detector = create_detector(DetectorConfig(full_frame_size=512, max_detections=30))
    tracker = PeopleTracker(detector, PeopleTrackerConfig(max_people=20))
    for number in range(4):
        tracks = tracker.update(crowd, number / 30)
    assert len(tracks) >= 16
    assert tracker.counters["crops_refined"] <= 4 * 3
    capped = PeopleTracker(detector, PeopleTrackerConfig(max_people=5))
    assert len(capped.update(crowd, 0.0)) == 5
    assert capped.counters["dropped_over_cap"] >= 10
