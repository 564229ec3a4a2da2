"""The published losses equal the golden arrays, term by term, and leave unknown truth alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from humor_ros.training.losses import PublishedPrediction, PublishedTruth, published_losses
from humor_ros.training.published_config import PublishedConfig

FOLDER = Path(__file__).parents[2] / "config" / "train"
STAGES = {
    name: PublishedConfig.load(FOLDER / f"wham_published_{file}.yaml").loss
    for name, file in (
        ("stage1", "stage1"),
        ("stage2", "stage2"),
        ("stage2_b", "stage2_bedlam"),
    )
}
STAGE1, STAGE2 = STAGES["stage1"], STAGES["stage2"]
NAMES = {
    "pose": "pose",
    "betas": "betas",
    "2d": "keypoints2d",
    "3d": "keypoints3d",
    "3d_nn": "keypoints3d_network",
    "casc": "cascade",
    "v3d": "vertices",
    "contact": "contact",
    "root": "root",
    "root_ref": "root_refined",
    "sliding": "sliding",
    "sliding_ref": "sliding_refined",
    "camera": "camera",
}


class Golden:
    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        self.p = {k[5:]: torch.from_numpy(v) for k, v in arrays.items() if k[:5] == "pred/"}
        self.g = {k[3:]: torch.from_numpy(v) for k, v in arrays.items() if k[:3] == "gt/"}
        self.out = {k[4:]: float(v) for k, v in arrays.items() if k[:4] == "out/"}

    def prediction(self) -> PublishedPrediction:
        p = self.p
        return PublishedPrediction(
            pose=p["pose"].reshape(4, 12, 24, 6),
            betas=p["betas"],
            contact=p["contact"],
            keypoints3d_network=p["kp3d_nn"],
            keypoints3d=p["kp3d"].reshape(4, 12, 31, 3),
            keypoints2d_full=p["full_kp2d"],
            keypoints2d_weak=p["weak_kp2d"],
            vertices=p["verts_cam"].reshape(4, 12, -1, 3),
            root=p["poses_root_r6d"],
            root_refined=p["poses_root_r6d_refined"],
            velocity=p["vel_root"],
            velocity_refined=p["vel_root_refined"],
            feet=p["feet"],
            feet_refined=p["feet_refined"],
            rotation_camera_world=p["R"],
        )

    def truth(self) -> PublishedTruth:
        g = self.g
        return PublishedTruth(
            pose=g["pose"],
            betas=g["betas"],
            has_smpl=g["has_smpl"],
            vertices=g["verts"],
            has_vertices=g["has_verts"],
            keypoints3d=g["kp3d"],
            keypoints2d_full=g["full_kp2d"],
            keypoints2d_weak=g["weak_kp2d"],
            bbox=g["bbox"],
            contact=g["contact"],
            root=g["pose_root"],
            # The published data mark an unknown root or velocity by zeros.
            has_root=(g["pose_root"] != 0).flatten(1).any(1),
            velocity=g["vel_root"],
            has_velocity=g["has_traj"] & (g["vel_root"] != 0).flatten(1).any(1),
            rotation_camera_world=g["R"],
            cam_angvel=g["cam_angvel"],
            has_camera=g["has_traj"],
        )


@pytest.fixture(scope="module")
def golden(shared_golden: Path) -> Golden:
    return Golden(shared_golden / "wham" / "loss_golden.npz")


@pytest.mark.shared
@pytest.mark.parametrize("epoch", [0, 6])
@pytest.mark.parametrize("stage", STAGES)
def test_every_term_equals_the_golden_value(golden: Golden, stage: str, epoch: int) -> None:
    terms = published_losses(golden.prediction(), golden.truth(), STAGES[stage], epoch)
    expected = {
        NAMES[name]: value
        for name in NAMES
        for key, value in golden.out.items()
        if key == f"{stage}/epoch{epoch}/{name}"
    }
    assert set(terms) == set(expected)
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value, rel=1e-5, abs=1e-12), name
    total = float(sum(terms.values()))
    assert total == pytest.approx(golden.out[f"{stage}/epoch{epoch}/total"], rel=1e-5)


def random_pair(batch: int = 2, frames: int = 5) -> tuple[PublishedPrediction, PublishedTruth]:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(batch, *shape, generator=generator)

    turns = torch.linalg.qr(draw(frames + 1, 3, 3))[0]
    prediction = PublishedPrediction(
        pose=draw(frames, 24, 6).requires_grad_(),
        betas=draw(frames, 10),
        contact=draw(frames, 4),
        keypoints3d_network=draw(frames, 17, 3),
        keypoints3d=draw(frames, 31, 3),
        keypoints2d_full=draw(frames, 31, 2),
        keypoints2d_weak=draw(frames, 31, 2),
        vertices=draw(frames, 8, 3),
        root=draw(frames + 1, 6),
        root_refined=draw(frames + 1, 6),
        velocity=draw(frames, 3).requires_grad_(),
        velocity_refined=draw(frames, 3),
        feet=draw(frames, 4, 3),
        feet_refined=draw(frames, 4, 3),
        rotation_camera_world=turns[:, 1:],
    )
    known = torch.ones(batch, dtype=torch.bool)
    truth = PublishedTruth(
        pose=draw(frames, 24, 6),
        betas=draw(frames, 10),
        has_smpl=known,
        vertices=draw(frames, 8, 3),
        has_vertices=known,
        keypoints3d=draw(frames, 31, 4).abs(),
        keypoints2d_full=draw(frames, 31, 3).abs(),
        keypoints2d_weak=draw(frames, 31, 3).abs(),
        bbox=draw(frames, 3).abs() + 1,
        contact=draw(frames, 4),
        root=draw(frames + 1, 6),
        has_root=known,
        velocity=draw(frames, 3),
        has_velocity=known,
        rotation_camera_world=turns,
        cam_angvel=draw(frames, 6),
        has_camera=known,
    )
    return prediction, truth


def test_nothing_known_is_a_loss_of_zero_with_a_gradient() -> None:
    prediction, truth = random_pair()
    nobody = torch.zeros(2, dtype=torch.bool)
    masks = [name for name in vars(truth) if name.startswith("has_")]
    unknown = replace(
        truth,
        contact=torch.full_like(truth.contact, -1),
        keypoints3d=truth.keypoints3d * torch.tensor([1.0, 1.0, 1.0, 0.0]),
        keypoints2d_full=truth.keypoints2d_full * torch.tensor([1.0, 1.0, 0.0]),
        keypoints2d_weak=truth.keypoints2d_weak * torch.tensor([1.0, 1.0, 0.0]),
        **dict.fromkeys(masks, nobody),
    )
    total = sum(published_losses(prediction, unknown, STAGE2, 9).values())
    assert float(total.detach()) == 0.0
    total.backward()
    assert not prediction.pose.grad.any()


def test_a_clip_without_smpl_does_not_move_the_pose() -> None:
    prediction, truth = random_pair()
    truth = replace(truth, has_smpl=torch.tensor([True, False]))
    published_losses(prediction, truth, STAGE1, 0)["pose"].backward()
    assert prediction.pose.grad[0].any()
    assert not prediction.pose.grad[1].any()


@pytest.mark.parametrize(("bound", "frames"), [("batch", 2), ("window", 5)])
def test_the_velocity_is_compared_as_far_as_the_bound(bound: str, frames: int) -> None:
    prediction, truth = random_pair()
    weights = replace(STAGE1, velocity_bound=bound)
    published_losses(prediction, truth, weights, 0)["root"].backward()
    reached = prediction.velocity.grad.flatten(2).any(-1).any(0)
    assert reached.tolist() == [frame < frames for frame in range(5)]


def test_an_unknown_bound_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="velocity_bound"):
        replace(STAGE1, velocity_bound="clip")
