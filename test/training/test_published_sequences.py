"""Clips of video sequences: geometry, masks and gaps, and the shares of a mixture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_sequence import FRAMES, whole_sequence

from humor_ros.body.model import BodyModel
from humor_ros.geometry.rotation import axis_angle_to_matrix, rotation_6d_to_matrix
from humor_ros.training.published_config import (
    PublishedConfig,
    PublishedDataConfig,
    PublishedNoiseConfig,
)
from humor_ros.training.published_forward import predict_clips, true_clips
from humor_ros.training.published_mixture import Mixture
from humor_ros.training.published_sequences import SequenceSource, load_tracks
from humor_ros.training.published_tracks import track_of
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.wham.config import WhamConfig
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.trajectory import roll_out

EXACT = PublishedNoiseConfig(box_scale_range=(1, 1), box_shift=0)
CONFIG = PublishedConfig(
    network=WhamConfig(d_embed=16, n_layers=1, n_refiner_layers=1, d_feat=8, d_integrator=8),
    data=PublishedDataConfig(clip_frames=10, init_rotation_std_rad=0.0),
    noise=EXACT,
    features=True,
)
NETWORK_FOCAL = float(np.hypot(640, 480))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clip_of(sequence: PersonSequence, body: BodyModel, config: PublishedConfig = CONFIG):
    bodies = {"neutral": body}
    source = SequenceSource([track_of(sequence, bodies, "packaged", config.data)], body, config)
    return source.batch(1, seeded())


def test_the_world_is_that_of_the_camera_and_gravity(body: BodyModel) -> None:
    batch = clip_of(whole_sequence(body), body)
    turn = batch.rotation_camera_world
    root = rotation_6d_to_matrix(batch.root)
    camera_root = rotation_6d_to_matrix(batch.pose[:, :, 0])
    assert torch.allclose(turn[:, 1:] @ root[:, 1:], camera_root, atol=1e-5)
    assert torch.allclose(batch.gravity, turn[:, 1:, :, 1], atol=1e-5)
    # The camera is level: down is the y axis of the optical frame.
    assert torch.allclose(batch.gravity, torch.tensor([0.0, 1.0, 0.0]).expand(1, 10, 3), atol=1e-5)
    assert torch.allclose(batch.init_root, batch.root[:, :1], atol=1e-6)


def test_the_camera_input_is_the_turn_of_the_truth(body: BodyModel) -> None:
    batch = clip_of(whole_sequence(body), body)
    turn = batch.rotation_camera_world
    relative = turn[:, :-1] @ turn[:, 1:].mT
    rest = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    expected = (relative[..., :2, :].flatten(-2) - rest) * 30
    assert torch.allclose(batch.cam_angvel, expected, atol=1e-4)


def test_the_velocity_rolls_out_to_the_way_of_the_hips(body: BodyModel) -> None:
    sequence = whole_sequence(body)
    track = track_of(sequence, {"neutral": body}, "packaged", CONFIG.data)
    batch = clip_of(sequence, body)
    root = rotation_6d_to_matrix(batch.root)
    way = roll_out(root[:, :-1], batch.velocity, torch.zeros(1, 3))[0].float()
    starts = [s for s in range(FRAMES - 10) if torch.allclose(track.pose[s + 1, 0], _root(batch))]
    (start,) = starts
    moved = track.hips[start + 1 : start + 11] - track.hips[start]
    assert torch.allclose(way, moved, atol=1e-4)
    # The hips go to the right and keep their height; y is down.
    assert float(moved[-1, 0]) > 0.1
    assert float(moved[..., 1].abs().amax()) < 0.1


def _root(batch) -> torch.Tensor:
    return rotation_6d_to_matrix(batch.pose[0, 0, 0])


def test_keypoints_reach_the_network_through_its_own_camera(body: BodyModel) -> None:
    batch = clip_of(whole_sequence(body), body)
    assert float(batch.intrinsics[0, 0, 0, 0]) == pytest.approx(NETWORK_FOCAL)
    pixels = batch.keypoints2d_full[..., :17, :2]
    side = batch.bbox[..., None, 2:] * 100
    seen = batch.x[..., :34].unflatten(-1, (17, 2)) * side + batch.bbox[..., None, :2]
    assert torch.allclose(pixels, seen, atol=1e-2)
    # In that camera the true points project onto the pixels from one place a frame.
    rays = (pixels - torch.tensor([320.0, 240.0])) / NETWORK_FOCAL
    points = batch.keypoints3d[..., :17, :3]
    difference = (rays[..., 0] - rays[..., :1, 0]).abs()
    assert float(difference.amax()) > 0.01
    place = 4.0
    for axis in (0, 1):
        one = torch.ones_like(points[..., 0])
        a = torch.stack([one, -rays[..., axis]], -1)
        b = rays[..., axis] * points[..., 2] - points[..., axis]
        solved = torch.linalg.lstsq(a.double(), b[..., None].double()).solution
        assert float((a.double() @ solved - b[..., None].double()).abs().amax()) < 1e-3
        assert float(solved[..., 1, 0].mean()) == pytest.approx(place, abs=0.5)


def test_only_what_is_known_is_supervised(body: BodyModel) -> None:
    known = clip_of(whole_sequence(body), body)
    assert bool(known.has_smpl & known.has_vertices & known.has_root & known.has_camera)
    assert bool(known.has_velocity)
    assert bool((known.contact >= 0).any())
    nothing = {"pose": None, "betas": None, "root_position": None, "has_trajectory": None}
    video = clip_of(whole_sequence(body, **nothing), body)
    for name in ("has_smpl", "has_vertices", "has_root", "has_camera", "has_velocity"):
        assert not bool(getattr(video, name)), name
    assert bool((video.contact == -1).all())
    assert not video.keypoints3d.any()
    assert bool((video.keypoints2d_full[..., :17, 2] > 0).all())
    assert not video.keypoints2d_full[..., 17:, 2].any()


def test_a_truth_of_another_body_gives_pose_but_neither_surface_nor_points(
    body: BodyModel,
) -> None:
    batch = clip_of(whole_sequence(body, gender="male"), body)
    assert bool(batch.has_smpl)
    assert not bool(batch.has_vertices)
    assert not batch.keypoints3d.any()
    assert int(batch.body_index) == 2


def test_joints_of_the_file_go_before_those_of_the_body(body: BodyModel) -> None:
    joints = np.ones((FRAMES, 14, 4), dtype=np.float32)
    batch = clip_of(whole_sequence(body, joints3d=joints), body)
    assert not batch.keypoints3d[..., :17, 3].any()
    assert bool((batch.keypoints3d[..., 17:, :] == 1).all())


def test_crops_of_an_unknown_camera_are_compared_weakly(body: BodyModel) -> None:
    sequence = whole_sequence(body, weak_camera=True)
    batch = clip_of(sequence, body)
    assert not batch.keypoints2d_full.any()
    assert batch.image_size.tolist() == [[224.0, 224.0]]
    assert torch.allclose(batch.bbox[0, 0], torch.tensor([112.0, 112.0, 1.12]))
    assert float(batch.intrinsics[0, 0, 0, 0]) == pytest.approx(316.8)
    # In half crops from the centre, the points are the network's own input.
    own = batch.x[..., :34].unflatten(-1, (17, 2))
    assert torch.allclose(batch.keypoints2d_weak[..., :17, :2], own, atol=1e-4)
    assert torch.allclose(batch.x[..., 34:], torch.tensor([0.0, 0.0, 1.0]).expand(1, 10, 3))


def test_a_measured_start_goes_before_a_true_one(body: BodyModel) -> None:
    sequence = whole_sequence(body)
    poses = axis_angle_to_matrix(torch.full((FRAMES, 24, 3), 0.1)).numpy()
    points = np.random.default_rng(0).standard_normal((FRAMES, 17, 3)).astype(np.float32)
    batch = clip_of(replace(sequence, init_pose=poses, init_kp3d=points, has_init=None), body)
    assert torch.allclose(rotation_6d_to_matrix(batch.init_smpl[0, 0]), torch.from_numpy(poses[0]))
    true = clip_of(sequence, body)
    assert not torch.allclose(true.init_smpl, batch.init_smpl)


def test_unsure_keypoints_are_masked(body: BodyModel) -> None:
    sequence = whole_sequence(body)
    keypoints = sequence.keypoints.copy()
    keypoints[:, 4, 2] = 0.5
    batch = clip_of(replace(sequence, keypoints=keypoints), body)
    assert bool(batch.mask[..., 4].all())
    assert not batch.mask[..., 5].any()


def test_no_clip_crosses_a_gap(body: BodyModel) -> None:
    frame = np.arange(FRAMES)
    frame[12:] += 7
    stamps = frame / 30.0
    sequence = whole_sequence(body, frame=frame, stamp_s=stamps)
    track = track_of(sequence, {"neutral": body}, "packaged", CONFIG.data)
    assert track.starts(11).tolist() == [0, 1, *range(12, 20)]


def test_sixty_frames_a_second_are_halved_with_their_turns(body: BodyModel) -> None:
    sequence = whole_sequence(body)
    fast = replace(sequence, fps=60.0, stamp_s=np.arange(FRAMES) / 60.0)
    one = track_of(sequence, {"neutral": body}, "packaged", CONFIG.data)
    two = track_of(fast, {"neutral": body}, "packaged", CONFIG.data)
    assert len(two) == FRAMES // 2
    assert torch.allclose(two.turns[1], one.turns[1] @ one.turns[2], atol=1e-6)
    assert two.starts(11).tolist() == [0, 1, 2, 3, 4]


def test_features_go_along_and_must_fit(body: BodyModel, tmp_path: Path) -> None:
    sequence = whole_sequence(body)
    assert clip_of(sequence, body).img_features.abs().sum() > 0
    folder = tmp_path / "made"
    folder.mkdir()
    sequence.write(folder / "walk.npz")
    bodies = {"neutral": body}
    assert len(load_tracks(folder, "train", bodies, "packaged", CONFIG)) == 1
    with pytest.raises(FileNotFoundError, match="val"):
        load_tracks(folder, "val", bodies, "packaged", CONFIG)
    wide = replace(CONFIG, network=replace(CONFIG.network, d_feat=16))
    with pytest.raises(ValueError, match="length 8"):
        load_tracks(folder, "train", bodies, "packaged", wide)


def test_a_mixture_keeps_its_shares(body: BodyModel) -> None:
    def source(sequence: PersonSequence) -> SequenceSource:
        bodies = {"neutral": body}
        return SequenceSource([track_of(sequence, bodies, "packaged", CONFIG.data)], body, CONFIG)

    strong, weak = source(whole_sequence(body)), source(whole_sequence(body, weak_camera=True))
    mixture = Mixture({"strong": strong, "weak": weak}, {"strong": 0.75, "weak": 0.25})
    batch = mixture.batch(400, seeded())
    share = (batch.image_size[:, 0] == 224).float().mean()
    assert float(share) == pytest.approx(0.25, abs=0.06)
    with pytest.raises(ValueError, match="weak"):
        Mixture({"strong": strong, "weak": weak}, {"strong": 1.0})


def test_network_and_truth_take_a_mixed_batch(body: BodyModel) -> None:
    bodies = {"neutral": body}
    tracks = [
        track_of(whole_sequence(body, **changes), bodies, "packaged", CONFIG.data)
        for changes in ({}, {"weak_camera": True}, {"pose": None, "has_trajectory": None})
    ]
    batch = SequenceSource(tracks, body, CONFIG).batch(3, seeded())
    network = WhamNetwork(CONFIG.network).eval()
    with torch.no_grad():
        answer = predict_clips(network, body, batch, vertices=False)
    truth = true_clips(batch, bodies, vertices=True)
    assert answer.keypoints2d_full.shape == (3, 10, 31, 2)
    assert truth.vertices is not None
    assert truth.vertices.shape == (3, 10, body.num_vertices, 3)
    # The surface is posed only where it is known.
    assert truth.vertices.flatten(1).any(1).tolist() == truth.has_vertices.tolist()
