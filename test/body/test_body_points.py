"""Joints, key-points and feet without the mesh equal those of smplx's mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import smplx
import torch
from torch import Tensor

from humor_ros.body import SMPL_PARENTS, BodyModel, packaged_body_path
from humor_ros.geometry import rotation_6d_to_matrix


def smplx_reference(arrays: dict[str, np.ndarray], betas: Tensor, rotations: Tensor):
    """Vertices and joints by smplx, in the dtype of the poses."""
    names = dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0)
    layer = smplx.SMPLLayer(
        model_path="",
        data_struct=smplx.utils.Struct(**arrays),
        vertex_ids=names,
        dtype=rotations.dtype,
    )
    output = layer(betas=betas, global_orient=rotations[:, :1], body_pose=rotations[:, 1:])
    return output.vertices, output.joints[:, :24]


def assert_points_equal_smplx(body: BodyModel, arrays, regressor, betas, rotations, atol) -> None:
    vertices, joints = smplx_reference(arrays, betas, rotations)
    points = torch.as_tensor(regressor).to(vertices) @ vertices
    output = body(betas, rotations)
    torch.testing.assert_close(output.joints, joints, rtol=0, atol=atol)
    torch.testing.assert_close(output.keypoints31, points[:, :31], rtol=0, atol=atol)
    torch.testing.assert_close(output.feet, points[:, 31:], rtol=0, atol=atol)


def packaged_arrays() -> tuple[dict[str, np.ndarray], np.ndarray]:
    with np.load(packaged_body_path()) as archive:
        arrays = {name: archive[name] for name in archive.files if name not in ("bs_type",)}
    folder = packaged_body_path().parent
    regressors = [np.load(folder / f"J_regressor_{name}.npy") for name in ("wham31", "feet")]
    return arrays, np.concatenate(regressors)


@pytest.mark.parametrize("seed", range(3))
def test_free_body_equals_smplx(free_body: BodyModel, random_poses, seed: int) -> None:
    arrays, regressor = packaged_arrays()
    assert_points_equal_smplx(free_body, arrays, regressor, *random_poses(16, seed), 1e-7)


def test_free_body_in_single_precision_equals_smplx(random_poses) -> None:
    arrays, regressor = packaged_arrays()
    poses = random_poses(32, 7, torch.float32)
    assert_points_equal_smplx(BodyModel.load(), arrays, regressor, *poses, 1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_body_with_pose_blend_shapes_equals_smplx(
    synthetic_body, synthetic_arrays, synthetic_regressors, random_poses, seed: int
) -> None:
    regressor = np.concatenate(synthetic_regressors)
    poses = random_poses(16, seed)
    assert_points_equal_smplx(synthetic_body, synthetic_arrays, regressor, *poses, 1e-11)


@pytest.mark.shared
def test_golden_body_equals_smplx(golden_body, shared_golden: Path, random_poses) -> None:
    body, regressor = golden_body
    with np.load(shared_golden / "wham" / "smpl_431.npz") as archive:
        arrays = dict(archive)
    assert np.abs(arrays["posedirs"]).max() > 0
    assert_points_equal_smplx(body, arrays, regressor, *random_poses(32), 1e-7)


@pytest.mark.shared
def test_golden_body_equals_the_published_stages(golden_body, shared_golden: Path) -> None:
    body, _ = golden_body
    with np.load(shared_golden / "wham" / "outputs_f64.npz") as golden:
        pose = torch.from_numpy(golden["feat/pose6d"]).double()
        betas = torch.from_numpy(golden["feat/shape"]).double().reshape(-1, 10)
        joints = golden["feat/joints31_cam"].reshape(-1, 31, 3)
        feet = golden["feat/feet_cam_rel"].reshape(-1, 4, 3)
    output = body(betas, rotation_6d_to_matrix(pose.reshape(-1, 24, 6))).centred()
    np.testing.assert_allclose(output.keypoints31, joints, rtol=0, atol=1e-6)
    np.testing.assert_allclose(output.feet, feet, rtol=0, atol=1e-6)


def test_vertices_path_equals_smplx(synthetic_body, synthetic_arrays, random_poses) -> None:
    betas, rotations = random_poses(4)
    expected, _ = smplx_reference(synthetic_arrays, betas, rotations)
    output = synthetic_body(betas, rotations, vertices=True)
    torch.testing.assert_close(output.vertices, expected)


def test_one_shape_serves_all_poses(synthetic_body, random_poses) -> None:
    betas, rotations = random_poses(5)
    shared_shape = synthetic_body(betas[:1], rotations, vertices=True)
    repeated = synthetic_body(betas[:1].expand(5, -1), rotations, vertices=True)
    for name in ("joints", "keypoints31", "feet", "vertices"):
        torch.testing.assert_close(getattr(shared_shape, name), getattr(repeated, name))


def test_empty_batch_gives_empty_points(synthetic_body, random_poses) -> None:
    betas, rotations = random_poses(1)
    output = synthetic_body(betas[:0], rotations[:0])
    assert output.keypoints31.shape == (0, 31, 3)


def test_each_body_of_a_batch_is_independent(synthetic_body, random_poses) -> None:
    betas, rotations = random_poses(6)
    together = synthetic_body(betas, rotations).keypoints31
    alone = torch.cat(
        [synthetic_body(betas[i : i + 1], rotations[i : i + 1]).keypoints31 for i in range(6)]
    )
    torch.testing.assert_close(together, alone)


def test_turning_the_root_turns_everything_about_the_pelvis(free_body, random_poses) -> None:
    betas, rotations = random_poses(3)
    upright = rotations.clone()
    upright[:, 0] = torch.eye(3, dtype=torch.float64)
    still, turned = free_body(betas, upright), free_body(betas, rotations)
    for name in ("joints", "keypoints31", "feet"):
        pelvis = still.joints[:, :1]
        offsets = getattr(still, name) - pelvis
        expected = offsets @ rotations[:, 0].transpose(-1, -2) + pelvis
        torch.testing.assert_close(getattr(turned, name), expected)


def test_pelvis_stays_at_its_rest_place(free_body, random_poses) -> None:
    betas, rotations = random_poses(3)
    torch.testing.assert_close(
        free_body(betas, rotations).joints[:, 0], free_body.rest_joints(betas)[:, 0]
    )


def test_rest_joints_are_those_of_the_t_pose(synthetic_body, random_poses) -> None:
    betas, _ = random_poses(4)
    identity = torch.eye(3, dtype=torch.float64).expand(4, len(SMPL_PARENTS), 3, 3)
    torch.testing.assert_close(
        synthetic_body(betas, identity).joints, synthetic_body.rest_joints(betas)
    )


def test_gradient_equals_finite_differences(synthetic_body, random_poses) -> None:
    betas, rotations = random_poses(2)

    def points(betas: Tensor, rotations: Tensor) -> Tensor:
        output = synthetic_body(betas, rotations)
        return torch.cat((output.joints, output.keypoints31, output.feet), dim=1)

    assert torch.autograd.gradcheck(
        points, (betas.requires_grad_(), rotations.requires_grad_()), fast_mode=True
    )


def test_mid_hip_is_the_mean_of_the_coco_hips(free_body, random_poses) -> None:
    output = free_body(*random_poses(2))
    torch.testing.assert_close(output.mid_hip, output.coco17[:, [11, 12]].mean(dim=1))
    torch.testing.assert_close(output.centred().mid_hip, torch.zeros(2, 3, dtype=torch.float64))


def test_body_stores_nothing_in_checkpoints(free_body, random_poses) -> None:
    free_body(*random_poses(1), vertices=True)
    assert not free_body.state_dict()
    assert not list(free_body.parameters())


def test_moving_the_module_changes_the_dtype_of_its_points(random_poses) -> None:
    body = BodyModel.load().double()
    assert body(*random_poses(1), vertices=True).vertices.dtype == torch.float64
    assert body(*random_poses(1)).joints.dtype == torch.float64


@pytest.mark.parametrize(
    ("betas", "rotations", "message"),
    [
        ((2, 10), (2, 23, 3, 3), r"rotations must have shape \(B, 24, 3, 3\), got \(2, 23, 3, 3\)"),
        ((2, 10), (2, 72), "rotations must have shape"),
        ((3, 10), (2, 24, 3, 3), r"betas must have shape \(2, 10\), or \(1, 10\)"),
        ((2, 16), (2, 24, 3, 3), r"got \(2, 16\)"),
    ],
)
def test_wrong_shapes_are_named(free_body, betas, rotations, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        free_body(torch.zeros(betas), torch.zeros(rotations))


def test_shoulders_of_coco_are_the_shoulder_joints_of_every_shape(free_body: BodyModel) -> None:
    betas = torch.randn(8, 10, generator=torch.Generator().manual_seed(0)).to(torch.float64)
    rest = free_body(betas, torch.eye(3, dtype=torch.float64).expand(8, 24, 3, 3))
    torch.testing.assert_close(rest.keypoints31[:, 5:7], rest.joints[:, 16:18])
    assert (rest.joints[:, 16] - rest.joints[:, 17]).norm(dim=-1).min() > 0.28
