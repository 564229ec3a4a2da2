"""Scores of whole sequences: what each of them sees, and how they are pooled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from humor_ros.evaluation.motion_scores import (
    SCORE_COLUMNS,
    MotionSequence,
    mean_scores,
    score_motion,
)

FRAMES = 40


@pytest.fixture
def truth() -> MotionSequence:
    random = np.random.default_rng(0)
    way = np.linspace(0, 3, FRAMES)[:, None, None] * np.array([1.0, 0.5, 0.0])
    joints = random.normal(size=(1, 24, 3)) * 0.4 + way
    feet = np.repeat(random.normal(size=(1, 4, 3)), FRAMES, axis=0)
    return MotionSequence(
        joints=joints,
        coco17=random.normal(size=(1, 17, 3)) + way,
        vertices=joints[::10, :20],
        vertex_frames=np.arange(0, FRAMES, 10),
        joints_world=joints,
        root_rotation_world=Rotation.random(FRAMES, random_state=0).as_matrix(),
        feet_world=feet,
        contacts=np.ones((FRAMES, 4)),
    )


def test_the_truth_has_no_error_in_any_score(truth) -> None:
    scores = score_motion(truth, truth)
    assert set(scores) == {column.name for column in SCORE_COLUMNS}
    for name, value in scores.items():
        expected = 100.0 if name == "contact_percent" else 0.0
        np.testing.assert_allclose(value, expected, atol=2e-5, err_msg=name)


def test_scores_need_both_sides(truth) -> None:
    bare = MotionSequence(joints=truth.joints)
    assert set(score_motion(bare, truth)) == {"pa_mpjpe_mm", "mpjpe_mm", "accel_ms2"}


def test_another_world_is_no_error_but_its_tilt_is(truth) -> None:
    turn = Rotation.from_euler("xz", [10, 70], degrees=True).as_matrix()
    moved = replace(
        truth,
        joints_world=truth.joints_world @ turn.T + 5.0,
        root_rotation_world=turn @ truth.root_rotation_world,
    )
    scores = score_motion(moved, truth)
    for name in ("w_mpjpe100_mm", "rte_percent", "root_deg"):
        np.testing.assert_allclose(scores[name], 0.0, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(scores["tilt_deg"], 10.0, atol=1e-6)


def test_a_heading_alone_is_no_tilt(truth) -> None:
    turn = Rotation.from_euler("z", 70, degrees=True).as_matrix()
    moved = replace(truth, root_rotation_world=turn @ truth.root_rotation_world)
    np.testing.assert_allclose(score_motion(moved, truth)["tilt_deg"], 0.0, atol=1e-5)


def test_way_of_a_standing_person_has_no_rte(truth) -> None:
    still = replace(truth, joints_world=np.repeat(truth.joints_world[:1], FRAMES, axis=0))
    assert "rte_percent" not in score_motion(still, still)


def test_sliding_counts_what_moves_while_the_true_foot_rests(truth) -> None:
    way = np.arange(FRAMES)[:, None, None] * np.array([0.003, 0.0, 0.0])
    scores = score_motion(replace(truth, feet_world=truth.feet_world + way), truth)
    np.testing.assert_allclose(scores["foot_sliding_mm"], 3.0)


def test_contacts_are_counted(truth) -> None:
    wrong = truth.contacts.copy()
    wrong[:10, 0] = 0.2
    scores = score_motion(replace(truth, contacts=wrong), truth)
    assert scores["contact_percent"].mean() == pytest.approx(100 - 10 / (FRAMES * 4) * 100)


def test_means_weigh_frames_alike() -> None:
    pooled = mean_scores(
        [{"mpjpe_mm": np.full(30, 1.0)}, {"mpjpe_mm": np.full(10, 5.0), "rte_percent": np.ones(2)}]
    )
    assert pooled == {"mpjpe_mm": pytest.approx(2.0), "rte_percent": pytest.approx(1.0)}


def test_different_lengths_are_refused(truth) -> None:
    with pytest.raises(ValueError, match="frames"):
        score_motion(MotionSequence(joints=truth.joints[:-1]), truth)
