"""The detector's statistics are those that were put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from humor_ros.detection.coco import COCO_FLIP
from humor_ros.evaluation import keypoint_measurement
from humor_ros.evaluation.keypoint_errors import (
    KeypointRun,
    confidence_bins,
    fit_noise,
    joint_statistics,
    memory,
    swapped_pairs,
)
from humor_ros.evaluation.keypoint_measurement import keypoint_tables
from humor_ros.evaluation.video_truth import CameraTruth
from humor_ros.geometry import PinholeCamera
from humor_ros.types import Detection

HALF = 100.0


def person(frames: int) -> np.ndarray:
    """(F, 17, 2) a body whose tight box is 200 pixels high; left and right are well apart."""
    points = np.zeros((17, 2))
    points[:, 0] = 320 + 40.0 * np.where(np.arange(17) % 2, -1, 1)
    points[:, 1] = 100 + np.linspace(0, 2 * HALF, 17)
    return np.repeat(points[None], frames, axis=0)


def run(error: np.ndarray, confidence: float = 0.9) -> KeypointRun:
    """A run with errors (F, 17, 2) in half boxes."""
    truth = person(len(error))
    found = np.concatenate(
        [truth + HALF * error, np.full((*error.shape[:2], 1), confidence)], axis=-1
    )
    return KeypointRun(truth, found, np.zeros(error.shape[:2]))


def test_bias_and_spread_are_told_apart() -> None:
    random = np.random.default_rng(1)
    error = 0.01 * random.normal(size=(400, 17, 2)) + np.array([0.03, -0.02])
    found = joint_statistics([run(error)])
    assert found.bias_x == pytest.approx(0.03, abs=2e-3)
    assert found.bias_y == pytest.approx(-0.02, abs=2e-3)
    assert found.std == pytest.approx(0.01, rel=0.05)
    assert found.tail_share == pytest.approx(0.011, abs=0.006)
    assert found.lasting_share < 0.2


def test_memory_of_an_autoregression_is_its_correlation_time() -> None:
    random = np.random.default_rng(2)
    keep = np.exp(-1 / 5)
    values = [random.normal(size=200)]
    for _ in range(3000):
        values.append(keep * values[-1] + np.sqrt(1 - keep**2) * random.normal(size=200))
    time, share = memory([np.array(values) + random.normal(size=(3001, 200))])
    assert time == pytest.approx(5.0, rel=0.1)
    assert share == pytest.approx(0.5, abs=0.03)


def test_gross_errors_make_a_heavy_tail() -> None:
    random = np.random.default_rng(3)
    error = 0.01 * random.normal(size=(400, 17, 2))
    gaussian = joint_statistics([run(error)])
    error[::10] *= 20
    heavy = joint_statistics([run(error)])
    assert heavy.tail_share > gaussian.tail_share + 0.05
    assert heavy.tail_dof < gaussian.tail_dof
    assert heavy.std == pytest.approx(gaussian.std, rel=0.2)


def test_exchanged_names_are_counted_and_put_right() -> None:
    truth = person(20)
    found = np.concatenate([truth, np.ones((20, 17, 1))], axis=-1)
    found[5:10] = found[5:10][:, COCO_FLIP]
    swapped, known = swapped_pairs(truth, found, np.full(20, HALF))
    assert known[:, 5:].all()
    assert swapped[5:10, 5:].all()
    assert not swapped[10:].any()
    both = KeypointRun(truth, found, np.zeros((20, 17)))
    np.testing.assert_allclose(both.errors()[:, 5:], 0.0, atol=1e-12)
    assert joint_statistics([both]).swapped == pytest.approx(0.25)


def test_pairs_that_lie_together_tell_nothing_of_swaps() -> None:
    truth = person(4)
    truth[..., 0] = 320.0
    truth[:, 1::2] = truth[:, 2::2] + 0.5
    found = np.concatenate([truth, np.ones((4, 17, 1))], axis=-1)
    assert not swapped_pairs(truth, found[:, COCO_FLIP], np.full(4, HALF))[0].any()


def test_a_missing_person_is_absent_and_a_doubtful_joint_missed() -> None:
    runs = run(np.zeros((10, 17, 2)))
    runs.found[:2] = np.nan
    runs.found[2:6, 9, 2] = 0.1
    found = joint_statistics([runs], (9,))
    assert found.absent == pytest.approx(0.2)
    assert found.missed == pytest.approx(0.5)


def test_confidence_bins_hold_the_errors_of_their_confidence() -> None:
    rows = confidence_bins(
        [run(np.full((10, 17, 2), 0.01), 0.95), run(np.full((10, 17, 2), 0.1), 0.35)]
    )
    by_low = {row["low"]: row for row in rows}
    assert by_low[0.8]["median"] == pytest.approx(0.01 * np.sqrt(2))
    assert by_low[0.3]["median"] == pytest.approx(0.1 * np.sqrt(2))
    assert sum(row["count"] for row in rows) == 2 * 10 * 12


def test_errors_that_all_joints_share_are_common() -> None:
    random = np.random.default_rng(4)
    shared = 0.02 * random.normal(size=(600, 1, 2)) * np.ones((1, 17, 1))
    fit = fit_noise([run(shared)])
    alone = fit_noise([run(0.02 * random.normal(size=(600, 17, 2)))])
    assert fit.common_std > 0.012
    assert alone.common_std < 0.004


class OffsetDetector:
    """Finds the person of a truth, every key-point three pixels too far right."""

    def __init__(self, truth: CameraTruth) -> None:
        self.keypoints = np.column_stack([truth.pixels(0)[0], np.full(17, 0.9)])
        self.keypoints[:, 0] += 3.0

    def detect(self, image_bgr: np.ndarray) -> list[Detection]:
        points = self.keypoints[:, :2]
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        return [Detection(box, 0.9, self.keypoints)]

    def refine(self, image_bgr, boxes_xyxy, quarter_turns=None) -> np.ndarray:
        return np.repeat(self.keypoints[None], len(boxes_xyxy), axis=0)


@pytest.mark.parametrize("tracked", [True, False])
def test_a_detector_is_measured_through_the_tracker_and_alone(monkeypatch, tracked: bool) -> None:
    frames = 12
    body = np.concatenate([(person(1)[0] - [320, 200]) / 100.0, np.full((17, 1), 4.0)], axis=1)
    truth = CameraTruth(
        "cam01",
        Path("cam01.mp4"),
        np.arange(frames),
        np.repeat(body[None, None], frames, axis=1),
        ("man",),
        PinholeCamera.assume(640, 480),
        np.array([0.0, -1.0, 0.0]),
        30.0,
        30.0,
    )
    image = np.full((480, 640, 3), 127, np.uint8)
    monkeypatch.setattr(
        keypoint_measurement, "read_frames", lambda truth: ((i, image) for i in range(frames))
    )
    (measured,) = keypoint_measurement.measure_camera(truth, OffsetDetector(truth), tracked=tracked)
    found = joint_statistics([measured])
    assert found.bias_x == pytest.approx(3.0 / measured.half_box[0])
    assert found.bias_y == pytest.approx(0.0, abs=1e-9)
    assert found.absent == pytest.approx(2 / frames if tracked else 0.0)


def test_tables_name_every_joint() -> None:
    random = np.random.default_rng(5)
    tables = keypoint_tables([run(0.01 * random.normal(size=(40, 17, 2)))])
    names = [row["joint"] for row in tables[0].rows]
    assert names[0] == "left_shoulder"
    assert names[-1] == "all"
    assert {table.name for table in tables} == {"joints", "confidence", "noise"}
