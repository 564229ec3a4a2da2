"""The video benchmark's figures: nothing for the truth itself, known ones for known errors."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from humor_ros.geometry.camera import PinholeCamera

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "evaluate_video.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("evaluate_video", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["evaluate_video"] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["evaluate_video"]


@pytest.fixture
def truth(benchmark):
    joints = np.random.default_rng(0).normal(size=(20, 12, 3)) * 0.4 + np.array((0.0, 0.0, 4.0))
    return benchmark.Truth("cam", np.arange(0, 40, 2), joints, PinholeCamera.assume(640, 480), 60.0)


def test_truth_itself_has_no_error(benchmark, truth) -> None:
    scores = benchmark.score(truth.joints, 1, truth)
    errors = (scores.pa_mpjpe, scores.mpjpe, scores.acceleration_ms2, scores.hip_position)
    np.testing.assert_allclose(errors, 0.0, atol=1e-6)
    assert (scores.seen, scores.total, scores.scale) == (20, 20, pytest.approx(1.0))


def test_shift_is_seen_by_the_hips_only(benchmark, truth) -> None:
    scores = benchmark.score(truth.joints + np.array((0.0, 0.3, 0.4)), 1, truth)
    assert scores.hip_position == pytest.approx(500.0)
    assert scores.hip_depth == pytest.approx(400.0)
    assert scores.mpjpe == pytest.approx(0.0, abs=1e-9)


def test_size_is_seen_by_mpjpe_and_not_after_alignment(benchmark, truth) -> None:
    scores = benchmark.score(truth.joints * 0.9, 1, truth)
    assert scores.scale == pytest.approx(0.9)
    assert scores.pa_mpjpe == pytest.approx(0.0, abs=1e-6)
    assert scores.mpjpe > 10.0


def test_frames_without_anybody_are_left_out_and_counted(benchmark, truth) -> None:
    joints = truth.joints.copy()
    joints[3] = np.nan
    scores = benchmark.score(joints, 1, truth)
    assert (scores.seen, scores.total) == (19, 20)
    assert scores.acceleration_ms2 == pytest.approx(0.0)


def test_nobody_at_all_has_no_figures(benchmark, truth) -> None:
    scores = benchmark.score(np.full_like(truth.joints, np.nan), 0, truth)
    assert scores.seen == 0
    assert np.isnan(scores.mpjpe)


def test_missing_ground_truth_is_named(benchmark, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"single_gt\.npz"):
        benchmark.read_truth(tmp_path)


@pytest.mark.shared
def test_ground_truth_projects_into_the_images(benchmark, shared) -> None:
    for truth in benchmark.read_truth(shared / "data" / "eval"):
        pixels = truth.camera.project(truth.joints.reshape(-1, 3))
        assert (pixels > 0).all()
        assert (pixels < (truth.camera.width, truth.camera.height)).all()
