"""Clips of motion capture: what the network is given agrees with what it should answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from humor_ros.body.model import BodyModel
from humor_ros.geometry.rotation import rotation_6d_to_matrix
from humor_ros.training.amass import BodyMotions
from humor_ros.training.mocap import MocapLibrary
from humor_ros.training.published_camera import published_cameras
from humor_ros.training.published_config import (
    PublishedCameraConfig,
    PublishedConfig,
    PublishedDataConfig,
    PublishedNoiseConfig,
)
from humor_ros.training.published_noise import (
    box_around,
    noisy_points,
    smooth_boxes,
    unseen_joints,
)
from humor_ros.training.published_synthesis import MocapSource
from humor_ros.wham.config import WhamConfig
from humor_ros.wham.trajectory import roll_out

EXACT = PublishedNoiseConfig(
    bias_m=0, jitter_m=0, peak_m=0, box_scale_range=(1, 1), box_shift=0, box_median_frames=1
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**changes: object) -> PublishedConfig:
    config = PublishedConfig(
        network=WhamConfig(d_embed=16, n_layers=1, n_refiner_layers=1, d_feat=4),
        data=PublishedDataConfig(clip_frames=12),
        noise=EXACT,
    )
    return replace(config, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def motions(library: MocapLibrary) -> BodyMotions:
    return BodyMotions(library, torch.zeros(library.n_clips, 10))


def test_the_person_stays_in_sight_of_every_camera() -> None:
    hips = torch.randn(200, 30, 3, generator=seeded()).cumsum(1) * 0.3
    hips = hips - hips[:, :1]
    cameras = published_cameras(hips, PublishedCameraConfig(), seeded(1))
    depth = cameras.position[..., 2]
    beside = cameras.position[..., :2].abs().amax(-1)
    assert float(depth.amin()) > 0.49
    assert float((beside / depth).amax()) < 1.2 * 0.5**0.5 + 1e-4
    turn = cameras.rotation_camera_world
    assert torch.allclose(turn @ turn.mT, torch.eye(3).expand_as(turn), atol=1e-5)


def test_a_quarter_of_the_cameras_stands_still() -> None:
    cameras = published_cameras(torch.zeros(2000, 4, 3), PublishedCameraConfig(), seeded())
    turn = cameras.rotation_camera_world
    still = (turn - turn[:, :1]).abs().amax((1, 2, 3)) < 1e-6
    assert float(still.float().mean()) == pytest.approx(0.25, abs=0.03)


def test_noise_is_of_the_stated_sizes() -> None:
    points = torch.zeros(200, 50, 17, 3)
    config = PublishedNoiseConfig()
    bias = noisy_points(points, replace(config, jitter_m=0, peak_m=0), seeded())
    assert torch.equal(bias, bias[:, :1].expand_as(bias))
    assert float(bias.std()) == pytest.approx(0.025, rel=0.05)
    jitter = noisy_points(points, replace(config, bias_m=0, peak_m=0), seeded())
    assert float(jitter.std()) == pytest.approx(0.012, rel=0.05)
    peak = noisy_points(points, replace(config, bias_m=0, jitter_m=0), seeded())
    hit = peak.abs().amax(-1) > 0
    assert float(hit.float().mean()) == pytest.approx(0.005, rel=0.1)
    # One vector a clip.
    clip = peak[0][hit[0]]
    assert torch.equal(clip, clip[:1].expand_as(clip))


def test_an_unseen_elbow_hides_its_wrist() -> None:
    mask = unseen_joints(50, 40, PublishedNoiseConfig(mask_probability=0.2), seeded())
    assert bool(mask[..., 9][mask[..., 7]].all())
    assert bool(mask[..., 0][mask[..., 5] & mask[..., 6]].all())
    assert not bool(mask[..., 7][mask[..., 9]].all())


def test_a_box_is_square_around_the_points() -> None:
    pixels = torch.tensor([[[10.0, 20.0], [110.0, 60.0]]])
    assert torch.allclose(box_around(pixels, 1.2), torch.tensor([[60.0, 40.0, 0.6]]))


def test_the_median_of_boxes_takes_out_a_jump() -> None:
    boxes = torch.ones(1, 40, 3)
    boxes[0, 20] = 50.0
    assert torch.equal(smooth_boxes(boxes, 15), torch.ones(1, 40, 3))


def test_the_input_without_noise_is_the_projection_of_the_truth(
    motions: BodyMotions, body: BodyModel
) -> None:
    batch = MocapSource(motions, body, small()).batch(6, seeded())
    side = batch.bbox[..., None, 2:] * 200
    pixels = batch.x[..., :34].unflatten(-1, (17, 2)) * side / 2 + batch.bbox[..., None, :2]
    assert torch.allclose(pixels, batch.keypoints2d_full[:, :, :17, :2], atol=0.05)


def test_velocity_and_root_roll_out_to_the_way_in_the_camera(
    motions: BodyMotions, body: BodyModel
) -> None:
    config = small(camera=PublishedCameraConfig(moving_share=0.0))
    batch = MocapSource(motions, body, config).batch(6, seeded())
    root = rotation_6d_to_matrix(batch.root)
    way = roll_out(root[:, :-1], batch.velocity, torch.zeros(6, 3)).float()
    turn = batch.rotation_camera_world[:, 1:]
    assert torch.allclose(turn @ root[:, 1:], rotation_6d_to_matrix(batch.pose[:, :, 0]), atol=1e-5)
    # Points in the camera, moved with the way, project where the truth says.
    points = batch.keypoints3d[:, :, :, :3] + (turn @ way[..., None])[..., 0][:, :, None]
    pixels = batch.keypoints2d_full[..., :2]
    rays = (pixels - 500.0) / batch.intrinsics[0, 0, 0, 0]
    # Solve for the constant place of the camera by least squares, clip by clip.
    for clip in range(6):
        p, r = points[clip].flatten(0, 1), rays[clip].flatten(0, 1)
        one, zero = torch.ones(len(p)), torch.zeros(len(p))
        a = torch.cat(
            [torch.stack([one, zero, -r[:, 0]], 1), torch.stack([zero, one, -r[:, 1]], 1)]
        )
        b = torch.cat([r[:, 0] * p[:, 2] - p[:, 0], r[:, 1] * p[:, 2] - p[:, 1]])
        solved = torch.linalg.lstsq(a.double(), b[:, None].double())
        residual = a.double() @ solved.solution - b[:, None].double()
        assert float(residual.abs().amax()) < 2e-3


def test_the_same_generator_gives_the_same_clips(motions: BodyMotions, body: BodyModel) -> None:
    source = MocapSource(motions, body, replace(small(), noise=PublishedNoiseConfig()))
    one, two = source.batch(3, seeded(5)), source.batch(3, seeded(5))
    other = source.batch(3, seeded(6))
    assert all(
        torch.equal(a, b) for a, b in zip(vars(one).values(), vars(two).values(), strict=True)
    )
    assert not torch.equal(one.x, other.x)


def test_treadmill_clips_know_no_contact(library: MocapLibrary, body: BodyModel) -> None:
    named = MocapLibrary(
        library.rotations_6d,
        library.root_position,
        torch.cat([library.start, library.start[-1:] + library.length[-1:]]),
        ["BML/01_Treadmill_slow"] * library.n_clips,
        library.categories,
    )
    source = MocapSource(BodyMotions(named, torch.zeros(library.n_clips, 10)), body, small())
    assert bool((source.batch(2, seeded()).contact == -1).all())


def test_features_are_zeros_where_the_stage_has_some(motions: BodyMotions, body: BodyModel) -> None:
    without = MocapSource(motions, body, small()).batch(1, seeded())
    assert without.inputs(small().network).img_features is None
    batch = MocapSource(motions, body, small(features=True)).batch(1, seeded())
    assert batch.img_features.shape == (1, 12, 4)
    assert not batch.img_features.any()


def test_motions_that_are_too_short_are_an_error(motions: BodyMotions, body: BodyModel) -> None:
    config = small(data=PublishedDataConfig(clip_frames=81))
    with pytest.raises(ValueError, match="122 frames"):
        MocapSource(motions, body, config)
