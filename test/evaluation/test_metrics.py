"""The published evaluation's numbers, and what the scores mean on simple motion."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from humor_ros.evaluation.alignment import similarity_align, similarity_transform
from humor_ros.evaluation.metrics import (
    acceleration_error_ms2,
    align_by_pelvis,
    chunked_world_mpjpe_mm,
    foot_sliding_mm,
    jitter_10ms3,
    mpjpe_mm,
    pa_mpjpe_mm,
    root_orientation_error_deg,
    root_translation_error_percent,
)
from humor_ros.geometry.rotation import axis_angle_to_matrix


@pytest.fixture(scope="module")
def golden(shared_golden):
    with np.load(shared_golden / "wham" / "metrics_golden.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def _check(value: torch.Tensor, golden: dict[str, torch.Tensor], name: str) -> None:
    expected = golden[f"out/emdb/{name}"].double()
    assert value.shape == expected.shape
    assert torch.allclose(value, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().mean()))


def _joints(golden):
    return golden["in/pred_j3d"].double(), golden["in/target_j3d"].double()


def test_pa_mpjpe_is_the_published_one(golden):
    prediction, target = map(align_by_pelvis, _joints(golden))
    _check(pa_mpjpe_mm(prediction, target), golden, "pa_mpjpe_mm")


def test_mpjpe_is_the_published_one(golden):
    prediction, target = map(align_by_pelvis, _joints(golden))
    _check(mpjpe_mm(prediction, target), golden, "mpjpe_mm")


def test_pve_is_the_published_one(golden):
    prediction, target = _joints(golden)
    vertices = align_by_pelvis(prediction, golden["in/pred_verts"].double())
    true_vertices = align_by_pelvis(target, golden["in/target_verts"].double())
    _check(mpjpe_mm(vertices, true_vertices), golden, "pve_mm")


def test_acceleration_error_is_the_published_one(golden):
    prediction, target = map(align_by_pelvis, _joints(golden))
    _check(acceleration_error_ms2(prediction, target)[1:-1], golden, "accel_ms2")


@pytest.mark.parametrize(("whole", "name"), [(False, "w_mpjpe100_mm"), (True, "wa_mpjpe100_mm")])
def test_world_errors_are_the_published_ones(golden, whole, name):
    _check(chunked_world_mpjpe_mm(*_joints(golden), whole=whole), golden, name)


def test_rte_is_the_published_one(golden):
    value = root_translation_error_percent(
        golden["in/pred_trans"].double(), golden["in/target_trans"].double()
    )
    _check(value, golden, "rte_pct")


def test_jitter_is_the_published_one(golden):
    _check(jitter_10ms3(_joints(golden)[0]), golden, "jitter_10ms3")


def test_foot_sliding_is_the_published_one(golden):
    seen = golden["in/mask"]
    value = foot_sliding_mm(
        golden["in/fs_pred_feet"].double(), golden["in/fs_target_feet"][seen].double()
    )
    _check(value, golden, "fs_mm")


def test_an_aligned_copy_has_no_error():
    points = torch.randn(4, 10, 3, generator=torch.manual_seed(0)).double()
    turn = axis_angle_to_matrix(torch.randn(4, 3).double())
    moved = 1.7 * points @ turn.mT + torch.tensor([1.0, 2.0, 3.0])
    assert torch.allclose(similarity_align(points, moved), moved, atol=1e-9)


def test_alignment_finds_no_mirror_image():
    points = torch.randn(10, 3, generator=torch.manual_seed(0)).double()
    mirrored = points * torch.tensor([-1.0, 1.0, 1.0])
    _, rotation, _ = similarity_transform(points, mirrored)
    assert float(torch.det(rotation)) == pytest.approx(1.0)


def test_a_rigid_alignment_keeps_the_size():
    points = torch.randn(10, 3, generator=torch.manual_seed(0)).double()
    aligned = similarity_align(points, 3 * points, with_scale=False)
    assert torch.allclose(aligned - aligned.mean(0), points - points.mean(0), atol=1e-9)


def test_constant_speed_has_neither_acceleration_error_nor_jitter():
    walk = torch.arange(12.0)[:, None, None].expand(12, 5, 3).double()
    assert float(acceleration_error_ms2(walk, 0 * walk).max()) == 0
    assert float(jitter_10ms3(walk).max()) == 0


def test_a_turn_of_ten_degrees_is_ten_degrees():
    still = torch.eye(3).expand(5, 3, 3)
    angle = torch.deg2rad(torch.tensor([0.0, 10, 10, 10, 10]))
    turned = axis_angle_to_matrix(torch.stack([0 * angle, angle, 0 * angle], -1))
    error = root_orientation_error_deg(turned, still)
    assert torch.allclose(error[1:], torch.tensor(10.0), atol=1e-2)
