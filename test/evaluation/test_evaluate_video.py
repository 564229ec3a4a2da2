"""The evaluation on video: nothing for the truth itself, known figures for known errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from humor_ros.cli import app
from humor_ros.evaluation.lag import best_lag
from humor_ros.evaluation.report import write_json
from humor_ros.evaluation.video import FoundPerson, find_person, score_person
from humor_ros.evaluation.video_tables import reference_rows, video_table
from humor_ros.evaluation.video_truth import CameraTruth, read_frames, read_video_truth
from humor_ros.geometry import PinholeCamera
from humor_ros.io.track_file import TrackFile
from humor_ros.io.track_schema import FILE_KEYS, FORMAT_VERSION, ROW_KEYS

FRAMES = 40
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def truth() -> CameraTruth:
    random = np.random.default_rng(0)
    joints = random.normal(size=(1, 1, 17, 3)) * 0.4 + np.array((0.0, 0.0, 4.0))
    way = 0.3 * np.sin(np.arange(FRAMES) / 5.0)[:, None, None] * np.array([1.0, 0.2, 0.1])
    bend = np.linspace(-1, 1, 17)[:, None] * way
    return CameraTruth(
        name="cam01",
        video=Path("cam01.mp4"),
        frames=np.arange(0, 2 * FRAMES, 2),
        joints=joints + bend,
        people=("man",),
        camera=PinholeCamera.assume(640, 480),
        up=np.array([0.0, -1.0, 0.0]),
        video_fps=60.0,
        rate=30.0,
    )


def found(joints: np.ndarray) -> FoundPerson:
    return FoundPerson(joints[:, 5:], joints[:, 15:], ("aaaaa",))


def test_truth_itself_has_no_error(truth: CameraTruth) -> None:
    scores = score_person(found(truth.joints[0]), truth)
    errors = (scores.pa_mpjpe_mm, scores.mpjpe_mm, scores.accel_ms2, scores.hips_mm)
    np.testing.assert_allclose(errors, 0.0, atol=1e-6)
    assert (scores.seen, scores.frames, scores.size) == (FRAMES, FRAMES, pytest.approx(1.0))
    assert scores.lag_frames == pytest.approx(0.0, abs=0.05)


def test_shift_is_seen_by_the_hips_only_and_signed_by_axis(truth: CameraTruth) -> None:
    scores = score_person(found(truth.joints[0] + np.array((0.0, 0.3, 0.4))), truth)
    assert scores.hips_mm == pytest.approx(500.0)
    assert scores.height_bias_mm == pytest.approx(-300.0)  # y is down: it is too low
    assert scores.depth_bias_mm == pytest.approx(400.0)
    assert scores.mpjpe_mm == pytest.approx(0.0, abs=1e-9)


def test_size_is_seen_by_mpjpe_and_not_after_alignment(truth: CameraTruth) -> None:
    scores = score_person(found(truth.joints[0] * 0.9), truth)
    assert scores.size == pytest.approx(0.9)
    assert scores.pa_mpjpe_mm == pytest.approx(0.0, abs=1e-6)
    assert scores.mpjpe_mm > 10.0


def test_frames_without_anybody_are_left_out_and_counted(truth: CameraTruth) -> None:
    joints = truth.joints[0].copy()
    joints[3] = np.nan
    scores = score_person(found(joints), truth)
    assert (scores.seen, scores.frames) == (FRAMES - 1, FRAMES)
    assert scores.accel_ms2 == pytest.approx(0.0)


def test_nobody_at_all_has_no_figures(truth: CameraTruth) -> None:
    scores = score_person(found(np.full_like(truth.joints[0], np.nan)), truth)
    assert scores.seen == 0
    assert np.isnan(scores.mpjpe_mm)


@pytest.mark.parametrize("lag", [0, 2, 5])
def test_a_delay_is_measured(truth: CameraTruth, lag: int) -> None:
    late = np.concatenate([np.repeat(truth.joints[0][:1], lag, axis=0), truth.joints[0]])[:FRAMES]
    assert score_person(found(late), truth).lag_frames == pytest.approx(lag, abs=0.1)


def test_half_a_frame_of_delay_is_measured(truth: CameraTruth) -> None:
    joints = truth.joints[0]
    late = joints.copy()
    late[1:] = (joints[1:] + joints[:-1]) / 2.0
    assert best_lag(late, joints, np.ones(FRAMES, bool)) == pytest.approx(0.5, abs=0.1)


def test_too_short_a_video_has_no_lag(truth: CameraTruth) -> None:
    joints = truth.joints[0][:12]
    assert np.isnan(best_lag(joints, joints, np.ones(12, bool)))


def test_sliding_counts_ankles_that_should_rest(truth: CameraTruth) -> None:
    still = replace(truth, joints=np.repeat(truth.joints[:, :1], FRAMES, axis=1))
    way = np.arange(FRAMES)[:, None, None] * np.array([0.004, 0.0, 0.0])
    assert score_person(found(still.joints[0] + way), still).sliding_mm == pytest.approx(4.0)
    moving = replace(truth, joints=truth.joints + 10 * way)
    assert np.isnan(score_person(found(moving.joints[0]), moving).sliding_mm)


def track_file(truth: CameraTruth, people: dict[str, np.ndarray]) -> TrackFile:
    """Tracks of people with joints (F, 17, 3) at every frame of the truth."""
    rows = {key: [] for key in ROW_KEYS}
    for name, joints in people.items():
        for index, frame in enumerate(truth.frames):
            pixels = truth.camera.project(joints[index])
            for key, (shape, kind) in ROW_KEYS.items():
                rows[key].append(np.zeros(shape, "U5" if kind == "str" else kind))
            rows["frame"][-1] = np.int64(frame)
            rows["person_id"][-1] = np.array(name)
            rows["coco17_camera"][-1] = joints[index].astype(np.float32)
            rows["joints_world"][-1] = np.resize(joints[index], (24, 3)).astype(np.float32)
            rows["box_xyxy"][-1] = np.concatenate([pixels.min(0), pixels.max(0)]).astype("f4")
    whole = {
        key: np.zeros([2 if n == -1 else n for n in shape], "U9" if kind == "str" else kind)
        for key, (shape, kind) in FILE_KEYS.items()
    }
    whole |= {
        "processed_frame": truth.frames,
        "processed_stamp_s": truth.frames / truth.video_fps,
        "image_size": np.array([truth.camera.width, truth.camera.height]),
        "camera_matrix": truth.camera.matrix,
        "camera_distortion": np.zeros(0),
        "camera_model": np.array("plumb_bob"),
        "fps": np.array(truth.rate),
        "version": np.array(FORMAT_VERSION),
    }
    return TrackFile.from_arrays({key: np.array(value) for key, value in rows.items()} | whole)


def test_whoever_stands_nearest_in_the_image_is_taken(truth: CameraTruth) -> None:
    right, wrong = truth.joints[0], truth.joints[0] + np.array([1.5, 0.0, 0.0])
    person = find_person(track_file(truth, {"wrong": wrong, "right": right}), truth)
    assert person.ids == ("right",)
    np.testing.assert_allclose(person.joints, right[:, 5:], atol=1e-6)


def write_folder(folder: Path, *, cameras: int = 2, videos: int = 2) -> np.ndarray:
    """Small grey videos at 60 fps with a truth; returns joints (1, 8, 17, 3)."""
    random = np.random.default_rng(0)
    joints = random.normal(size=(1, 8, 17, 3)).astype(np.float32) * 0.2
    matrix = np.array([[200.0, 0, 80], [0, 200, 60], [0, 0, 1]])
    np.savez(
        folder / "single_gt.npz",
        joints=joints,
        valid=np.ones((1, 8, 17), bool),
        K=np.repeat(matrix[None], cameras, axis=0),
        dist=np.zeros((cameras, 5)),
        # z up to optical axes: looks along +y of the world from 4 m away
        R=np.repeat(np.array([[[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]]), cameras, axis=0),
        t=np.repeat(np.array([[0.0, 0, 4]]), cameras, axis=0),
        fps=60.0,
    )
    for index in range(videos):
        path = str(folder / f"cam{index + 1:02d}.mp4")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 60.0, (160, 120))
        for _ in range(8):
            writer.write(np.full((120, 160, 3), 90, np.uint8))
        writer.release()
    return joints


def test_the_layout_is_read_at_our_rate(tmp_path: Path) -> None:
    joints = write_folder(tmp_path)
    first, second = read_video_truth(tmp_path)
    assert (first.name, second.name) == ("cam01", "cam02")
    assert first.frames.tolist() == [0, 2, 4, 6]
    assert (first.rate, first.video_fps) == (30.0, 60.0)
    np.testing.assert_allclose(first.up, (0, -1, 0), atol=1e-12)
    x, y, z = joints[0, 2].T
    np.testing.assert_allclose(first.joints[0, 1], np.stack([x, -z, y + 4], 1), atol=1e-6)
    assert [index for index, _ in read_frames(first)] == [0, 2, 4, 6]
    assert read_video_truth(tmp_path, phase=1)[0].frames.tolist() == [1, 3, 5, 7]


def test_cameras_without_a_video_are_left_out(tmp_path: Path) -> None:
    write_folder(tmp_path, cameras=3, videos=1)
    assert [truth.name for truth in read_video_truth(tmp_path)] == ["cam01"]


def test_a_joint_that_is_not_valid_has_no_place(tmp_path: Path) -> None:
    write_folder(tmp_path)
    path = tmp_path / "single_gt.npz"
    arrays = dict(np.load(path))
    arrays["valid"][0, 2, 9] = False
    np.savez(path, **arrays)
    truth = read_video_truth(tmp_path)[0]
    assert np.isnan(truth.joints[0, 1, 9]).all()
    assert np.isnan(truth.pixels(0)[1, 9]).all()
    assert np.isfinite(truth.pixels(0)[1, 10]).all()


@pytest.mark.parametrize("name", ["K", "valid", "fps"])
def test_a_missing_array_is_named(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path)
    path = tmp_path / "single_gt.npz"
    np.savez(path, **{key: value for key, value in np.load(path).items() if key != name})
    with pytest.raises(ValueError, match=name):
        read_video_truth(tmp_path)


def test_missing_truth_and_missing_videos_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"single_gt\.npz"):
        read_video_truth(tmp_path)
    write_folder(tmp_path, videos=0)
    with pytest.raises(FileNotFoundError, match="cam01"):
        read_video_truth(tmp_path)


def test_references_stand_below_the_row_of_their_camera_as_given(tmp_path: Path) -> None:
    rows = [{"camera": c, "person": "man", "method": "humor_ros", "mpjpe_mm": 1.0} for c in "ab"]
    write_json(tmp_path / "earlier.json", [video_table(rows[1:])])
    table = video_table(rows, reference_rows(tmp_path / "earlier.json"))
    methods = [(row["camera"], row["method"]) for row in table.rows]
    assert methods == [("a", "humor_ros"), ("b", "humor_ros"), ("b", "humor_ros (given)")]


def test_the_reference_of_mediapipe_can_be_read() -> None:
    rows = reference_rows(REPOSITORY / "docs" / "evaluation" / "mediapipe_pose2sim.json")
    assert {row["camera"] for row in rows} == {"cam01", "cam02"}
    assert all(row["method"].endswith("(given)") and row["mpjpe_mm"] > 0 for row in rows)


def test_another_json_is_no_reference(tmp_path: Path) -> None:
    write_json(tmp_path / "other.json", [])
    with pytest.raises(ValueError, match=r"other\.json"):
        reference_rows(tmp_path / "other.json")


def test_the_command_scores_given_tracks_and_writes_them(tmp_path: Path) -> None:
    write_folder(tmp_path, videos=1)
    truth = read_video_truth(tmp_path)[0]
    file = track_file(truth, {"aaaaa": truth.joints[0] + np.array([0.0, 0.0, 0.1])})
    folder = tmp_path / "tracks"
    folder.mkdir()
    np.savez(
        folder / "cam01.npz",
        **file.columns,
        processed_frame=file.processed_frame,
        processed_stamp_s=file.processed_stamp_s,
        image_size=np.array([160, 120]),
        camera_matrix=file.camera.matrix,
        camera_distortion=np.zeros(0),
        camera_model=np.array("plumb_bob"),
        camera_assumed=np.array(False),
        fps=np.array(30.0),
        version=np.array(FORMAT_VERSION),
    )
    output = tmp_path / "scores.json"
    arguments = [str(tmp_path), "--tracks", str(folder), "--json", str(output)]
    result = CliRunner().invoke(app, ["evaluate", "video", *arguments])
    assert result.exit_code == 0, result.output
    row = json.loads(output.read_text())["tables"]["video"]["rows"][0]
    assert row["hips_mm"] == pytest.approx(100.0, abs=0.1)
    assert row["mpjpe_mm"] == pytest.approx(0.0, abs=1e-2)
    assert row["seen"] == 4


@pytest.mark.shared
def test_ground_truth_projects_into_the_images(shared: Path) -> None:
    for truth in read_video_truth(shared / "data" / "eval"):
        pixels = truth.camera.project(truth.joints[0][:, 5:].reshape(-1, 3))
        assert (pixels > 0).all()
        assert (pixels < (truth.camera.width, truth.camera.height)).all()
