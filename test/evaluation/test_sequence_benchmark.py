"""Benchmarks run the network causally and score it as published."""

from __future__ import annotations

import json
from dataclasses import replace

import dataset_layouts
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from humor_ros.cli import app
from humor_ros.evaluation import metrics, sequence_published
from humor_ros.evaluation.benchmark import benchmark_table, evaluate_benchmark, scored_frames
from humor_ros.evaluation.sequence_runner import RunSettings, at_network_rate, run_sequence
from humor_ros.evaluation.sequence_scores import BENCHMARKS, score_sequence, true_motion
from humor_ros.evaluation.sequences import KeypointChoice, open_sequences
from humor_ros.evaluation.truth_bodies import TruthBodies, read_h36m_regressor
from humor_ros.geometry import axis_angle_to_matrix, rotation_6d_to_matrix
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.wham.config import WhamConfig
from humor_ros.wham.network import WhamNetwork

FEATURES = 8


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    return TruthBodies(
        dataset_layouts.write_bodies(tmp_path_factory.mktemp("benchmark_bodies") / "smpl")
    )


@pytest.fixture(scope="module")
def emdb(tmp_path_factory, bodies):
    folder = tmp_path_factory.mktemp("benchmark_emdb")
    dataset_layouts.write_emdb(folder, bodies.folder)
    return folder


@pytest.fixture(scope="module")
def sequence(emdb, bodies) -> PersonSequence:
    choice = KeypointChoice("projected")
    found = open_sequences(emdb, benchmark="emdb1", bodies=bodies, keypoints=choice)
    whole = scored_frames(next(iter(found)))
    random = np.random.default_rng(0)
    count = len(whole)
    return whole.with_features(
        random.normal(size=(count, FEATURES)),
        np.arange(count) % 5 != 3,
        whole.pose,
        whole.joints3d[:, :17, :3],
        img_features_mirrored=random.normal(size=(count, FEATURES)),
        init_pose_mirrored=whole.pose,
        init_kp3d_mirrored=whole.joints3d[:, :17, :3],
    )


@pytest.fixture(scope="module")
def body(bodies):
    return bodies.load("female")


@pytest.fixture(scope="module")
def network() -> WhamNetwork:
    torch.manual_seed(0)
    config = WhamConfig(d_embed=16, n_layers=1, n_refiner_layers=1, d_feat=FEATURES)
    return WhamNetwork(config).eval()


SETTINGS = {
    "published": RunSettings(),
    "flip": RunSettings(flip=True),
    "no features": RunSettings(features=False, intrinsics=True),
    "stream": RunSettings("stream"),
    "stream flip": RunSettings("stream", flip=True),
    "stream without": RunSettings("stream", features=False),
    "stream wham": RunSettings("stream", world_mode="wham"),
}
VALUES = ("rotations", "betas", "root_world", "pelvis_world", "contacts")


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_said_of_a_frame_does_not_depend_on_later_ones(network, body, sequence, name):
    whole = run_sequence(network, body, sequence, SETTINGS[name])
    start = run_sequence(network, body, sequence.window(0, 20), SETTINGS[name])
    for value in VALUES:
        early, late = getattr(start, value), getattr(whole, value)[:20]
        assert torch.isfinite(early).all()
        assert torch.allclose(early.double(), late.double(), atol=1e-4)


@pytest.mark.parametrize("name", ["published", "flip"])
def test_the_pieces_that_are_run_at_a_time_change_nothing(
    network, body, sequence, name, monkeypatch
):
    whole = run_sequence(network, body, sequence, SETTINGS[name])
    monkeypatch.setattr(sequence_published, "_CHUNK_FRAMES", 7)
    pieces = run_sequence(network, body, sequence, SETTINGS[name])
    for value in VALUES:
        a, b = getattr(whole, value).double(), getattr(pieces, value).double()
        assert torch.allclose(a, b, atol=1e-4)


def test_features_and_flip_are_used_when_asked_for(network, body, sequence):
    said = {name: run_sequence(network, body, sequence, SETTINGS[name]) for name in SETTINGS}
    assert said["published"].used_features == int(sequence.has_features.sum())
    assert said["no features"].used_features == 0
    assert not torch.allclose(said["published"].rotations, said["flip"].rotations, atol=1e-4)
    without = run_sequence(network, body, sequence, RunSettings(features=False))
    assert not torch.allclose(said["published"].rotations, without.rotations, atol=1e-4)
    assert said["stream"].used_features == said["published"].used_features
    for other in ("stream flip", "stream without"):
        assert not torch.allclose(said["stream"].rotations, said[other].rotations, atol=1e-4)


def test_features_of_another_encoder_are_refused(body, sequence):
    other = WhamNetwork(WhamConfig(d_embed=16, n_layers=1, d_feat=FEATURES + 1)).eval()
    with pytest.raises(ValueError, match="8 numbers, the network takes 9"):
        run_sequence(other, body, sequence, RunSettings())


def test_flip_without_mirrored_features_is_refused(network, body, sequence):
    with pytest.raises(ValueError, match="no features of mirrored crops"):
        run_sequence(
            network, body, replace(sequence, img_features_mirrored=None), RunSettings(flip=True)
        )


def test_a_first_frame_without_the_encoders_pose_is_begun_without_its_feature(
    network, body, sequence
):
    blind = replace(sequence, init_pose=None, init_kp3d=None, has_init=None)
    said = run_sequence(network, body, blind, RunSettings("stream"))
    assert said.used_features == int(sequence.has_features[1:].sum())


@pytest.mark.parametrize("case", ["feat", "nofeat"])
@pytest.mark.parametrize("person", [0, 1])
def test_a_published_checkpoint_gives_the_golden_motion(shared_golden, case, person, monkeypatch):
    from humor_ros.wham.models import load_models

    folder = shared_golden / "wham"
    network, body = load_models(folder / "checkpoint.pth.tar", None)
    with np.load(folder / "inputs.npz") as file:
        golden = {key: file[key][person] for key in file.files}
    with np.load(folder / "outputs.npz") as file:
        expected = {key: file[f"{case}/{key}"][person] for key in _GOLDEN}
    # The golden camera turned before the first frame too, which a sequence cannot tell.
    turns = golden["R_world2cam"].astype(np.float64)
    turns = turns[:-1] @ turns[1:].transpose(0, 2, 1)
    monkeypatch.setattr(PersonSequence, "camera_turns", lambda _: turns)
    sequence = _golden_sequence(golden)
    if case == "nofeat":
        sequence = replace(sequence, img_features=None, has_features=None)
    said = run_sequence(network.eval(), body, sequence, RunSettings())
    pelvis = said.pelvis_world - body.rest_joints(said.betas)[:, 0]
    assert np.abs(pelvis.numpy() - expected["trans_world"]).max() < 2e-5
    assert np.abs(said.root_world.numpy() - expected["poses_root_world"]).max() < 2e-5
    assert np.abs(said.betas.numpy() - expected["shape"]).max() < 2e-5
    pose = rotation_6d_to_matrix(torch.from_numpy(expected["pose6d"]).reshape(-1, 24, 6))
    assert float((said.rotations - pose).abs().max()) < 2e-5


_GOLDEN = ("trans_world", "poses_root_world", "shape", "pose6d")


def _golden_sequence(golden: dict[str, np.ndarray]) -> PersonSequence:
    """The sequence whose inputs are the golden ones."""
    frames = len(golden["x"])
    points = golden["x"][:, :34].reshape(frames, 17, 2).astype(np.float64)
    box = golden["bbox"].astype(np.float64)
    pixels = box[:, None, :2] + points * 100.0 * box[:, None, 2:]
    seen = ~golden["mask"]
    pose = rotation_6d_to_matrix(torch.from_numpy(golden["init_smpl"])).numpy()
    root = rotation_6d_to_matrix(torch.from_numpy(golden["init_root"])).numpy()[0]
    axes = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # y-down to z-up
    attitude = axes @ root @ pose[0, 0].T
    return PersonSequence(
        dataset="golden",
        split="",
        sequence="golden",
        person="",
        fps=30.0,
        frame=np.arange(frames),
        stamp_s=np.arange(frames) / 30.0,
        image_size=golden["res"],
        camera_matrix=golden["cam_intrinsics"][0],
        keypoints=np.concatenate((pixels, seen[..., None]), axis=-1),
        keypoint_source="golden",
        boxes=box,
        rotation_world_camera=np.tile(attitude, (frames, 1, 1)),
        img_features=golden["img_features"],
        init_pose=np.tile(pose, (frames, 1, 1, 1)),
        init_kp3d=np.tile(golden["init_kp"][0, :51].reshape(17, 3), (frames, 1, 1)),
    )


def moved_world(motion, turn, shift):
    """The same motion told in another world."""
    return replace(
        motion,
        root_world=turn @ motion.root_world,
        pelvis_world=motion.pelvis_world @ turn.T + shift,
    )


def test_the_truth_has_no_error_in_whichever_world_it_is_told(sequence, body):
    true = true_motion(sequence, world=True)
    turn = axis_angle_to_matrix(torch.tensor([0.3, -2.0, 0.5], dtype=torch.float64))
    said = moved_world(true, turn, torch.tensor([3.0, 1.0, -2.0], dtype=torch.float64))
    scores = score_sequence(BENCHMARKS["emdb2"], said, true, body, body)
    assert set(scores) == set(BENCHMARKS["emdb2"].scores)
    for name in ("mpjpe_mm", "pve_mm", "w_mpjpe100_mm", "wa_mpjpe100_mm", "rte_percent"):
        assert np.abs(scores[name]).max() < 1e-2, name
    assert scores["root_deg"].max() < 0.1
    assert scores["accel_ms2"].max() < 1e-6
    assert len(scores["accel_ms2"]) == len(sequence) - 4


def test_jitter_is_the_predictions_own(sequence, body):
    true = true_motion(sequence, world=True)
    still = replace(
        true,
        rotations=true.rotations[:1].expand_as(true.rotations),
        root_world=true.root_world[:1].expand_as(true.root_world),
        pelvis_world=true.pelvis_world[:1].expand_as(true.pelvis_world),
    )
    scores = score_sequence(BENCHMARKS["emdb2"], still, true, body, body)
    assert scores["jitter_10ms3"].max() < 1e-6
    assert scores["mpjpe_mm"].mean() > 20.0


def test_emdb_scores_are_those_of_smpls_joints_about_the_hips(sequence, body):
    true = true_motion(sequence, world=False)
    bent = axis_angle_to_matrix(torch.tensor([0.3, 0.1, 0.0]))
    said = replace(true, rotations=true.rotations @ bent)
    scores = score_sequence(BENCHMARKS["emdb1"], said, true, body, body)
    pair = [body(m.betas, m.rotations, vertices=True) for m in (said, true)]
    centred = [metrics.align_by_pelvis(points.joints.double(), hips=(1, 2)) for points in pair]
    assert np.allclose(scores["mpjpe_mm"], metrics.mpjpe_mm(*centred), rtol=1e-5)
    assert np.allclose(scores["pa_mpjpe_mm"], metrics.pa_mpjpe_mm(*centred), rtol=1e-5)
    meshes = [metrics.align_by_pelvis(p.joints, p.vertices, (1, 2)).double() for p in pair]
    assert np.allclose(scores["pve_mm"], metrics.mpjpe_mm(*meshes), rtol=1e-4)
    accel = metrics.acceleration_error_ms2(*centred)[1:-1]
    assert np.allclose(scores["accel_ms2"], accel, rtol=1e-5)


def test_3dpw_scores_are_those_of_the_regressed_joints(sequence, body, tmp_path):
    random = np.random.default_rng(0)
    weights = random.random((17, body.num_vertices)) * (random.random((17, 4515)) < 0.01)
    np.save(tmp_path / "h36m.npy", weights / weights.sum(axis=1, keepdims=True))
    h36m = read_h36m_regressor(tmp_path / "h36m.npy")
    true = true_motion(sequence, world=False)
    bent = axis_angle_to_matrix(torch.tensor([0.3, 0.1, 0.0]))
    said = replace(true, rotations=true.rotations @ bent)
    scores = score_sequence(BENCHMARKS["3dpw"], said, true, body, body, h36m)
    joints = [
        torch.from_numpy(h36m) @ body(m.betas, m.rotations, vertices=True).vertices.double()
        for m in (said, true)
    ]
    centred = [metrics.align_by_pelvis(x, hips=(2, 3)) for x in joints]
    assert np.allclose(scores["mpjpe_mm"], metrics.mpjpe_mm(*centred), rtol=1e-5)
    own = score_sequence(BENCHMARKS["3dpw"], said, true, body, body)
    assert not np.allclose(own["mpjpe_mm"], scores["mpjpe_mm"], rtol=1e-2)


def test_bodies_of_other_meshes_have_no_pve(sequence, body, bodies):
    class Half(torch.nn.Module):
        def forward(self, *arguments, **options):
            points = body(*arguments, **options)
            return replace(points, vertices=points.vertices[:, ::2])

    true = true_motion(sequence, world=False)
    scores = score_sequence(BENCHMARKS["emdb1"], true, true, Half(), bodies.of(sequence))
    assert "pve_mm" not in scores
    assert "mpjpe_mm" in scores


def test_a_trajectory_that_is_not_known_is_told(sequence):
    blind = replace(sequence, has_trajectory=np.zeros(len(sequence), bool))
    with pytest.raises(ValueError, match="true trajectory is not known"):
        true_motion(blind, world=True)


def test_frames_that_do_not_count_are_not_seen(emdb, bodies):
    choice = KeypointChoice("projected")
    whole = next(iter(open_sequences(emdb, bodies=bodies, keypoints=choice)))
    assert scored_frames(whole).frame.tolist() == [
        frame for frame in range(dataset_layouts.FRAMES) if frame not in (10, 11, 20)
    ]
    assert scored_frames(replace(whole, scored=np.arange(len(whole)) < 3)) is None


def test_fast_video_is_taken_at_the_networks_rate(sequence):
    fast = replace(sequence, fps=60.0, stamp_s=np.arange(len(sequence)) / 60.0)
    slow = at_network_rate(fast)
    assert slow.fps == 30.0
    assert np.array_equal(slow.frame, sequence.frame[::2])
    assert at_network_rate(sequence) is sequence


def test_the_mean_weighs_frames_alike(network, body, bodies, sequence):
    parts = [sequence.window(0, 10), sequence.window(10, 37)]
    results = evaluate_benchmark(
        BENCHMARKS["emdb1"], parts, network, body, bodies, RunSettings(features=False)
    )
    table = benchmark_table("emdb1", BENCHMARKS["emdb1"], results)
    first, second, total = (row["mpjpe_mm"] for row in table.rows)
    assert total == pytest.approx((10 * first + 27 * second) / 37)
    assert [column.name for column in table.columns][2:] == list(BENCHMARKS["emdb1"].scores)
    assert any("compare with no published" in note for note in table.notes)


def test_truth_of_the_free_body_needs_no_files(network, body, sequence):
    made = replace(sequence, body="packaged")
    results = evaluate_benchmark(
        BENCHMARKS["emdb2"], [made], network, body, TruthBodies(), RunSettings()
    )
    assert results[0].used_features == int(sequence.has_features.sum())
    assert results[0].encoder_start
    assert set(results[0].scores) == set(BENCHMARKS["emdb2"].scores)


def test_nothing_to_score_is_told(network, body, bodies):
    with pytest.raises(ValueError, match="no sequence of EMDB-1"):
        evaluate_benchmark(BENCHMARKS["emdb1"], [], network, body, bodies, RunSettings())


def run(*arguments: object):
    return CliRunner().invoke(app, ["evaluate", "sequences", *map(str, arguments)])


@pytest.mark.parametrize("mode", ["published", "stream"])
def test_the_command_scores_a_copy_of_emdb(emdb, bodies, tmp_path, mode):
    out = tmp_path / "scores.json"
    result = run(
        *(emdb, "--benchmark", "emdb2", "--bodies", bodies.folder, "--mode", mode),
        *("--keypoints", "projected", "--json", out),
    )
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())["tables"]["emdb2"]["rows"]
    assert [row["sequence"] for row in rows] == ["P0_00_park", "P1_00_park", "all"]
    assert all(rows[-1][name] > 0 for name in BENCHMARKS["emdb2"].scores)
    assert rows[-1]["frames"] == 2 * (dataset_layouts.FRAMES - 3)
    # A person who walks upright and is seen well: the packaged weights know such people.
    assert rows[-1]["pa_mpjpe_mm"] < 150


def test_the_command_scores_a_copy_of_3dpw(bodies, tmp_path):
    dataset_layouts.write_threedpw(tmp_path, bodies.folder)
    result = run(tmp_path, "--benchmark", "3dpw", "--bodies", bodies.folder)
    assert result.exit_code == 0, result.output
    assert "bar_00_0" in result.output
    assert "park_01" not in result.output
    assert "--h36m-regressor" in result.output


def test_the_command_tells_what_is_missing(emdb, tmp_path):
    result = run(emdb, "--benchmark", "emdb1", "--keypoints", tmp_path / "no")
    assert result.exit_code == 2
    result = run(tmp_path, "--benchmark", "emdb1")
    assert isinstance(result.exception, FileNotFoundError)
