"""``humor-ros cache-features``: folders, videos, what is told, and what a user may get wrong."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from humor_ros.commands.cache_features import cache_features
from humor_ros.io.track_schema import FORMAT_VERSION, ROW_KEYS
from humor_ros.training.sequence_file import PersonSequence, read_sequence

FRAMES = 6


@pytest.fixture
def command(write_checkpoint, small_config, tmp_path):
    """Runs the command with the small encoder."""
    app = typer.Typer()
    app.command()(cache_features)
    weights = write_checkpoint()
    sizes = tmp_path / "config.json"
    sizes.write_text(json.dumps(small_config.to_dict()), encoding="utf-8")
    given = {"--encoder": weights, "--encoder-sizes": sizes, "--threads": 1}

    def run(*arguments, **changes):
        options = given | {f"--{name.replace('_', '-')}": v for name, v in changes.items()}
        words = [str(word) for pair in options.items() if pair[1] is not None for word in pair]
        return CliRunner().invoke(app, [*map(str, arguments), *words])

    return run


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "street.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, (120, 90))
    for index in range(FRAMES):
        writer.write(np.full((90, 120, 3), 30 * index, np.uint8))
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path):
    """Two people of one video."""
    place = tmp_path / "sequences"
    place.mkdir()
    for person in ("0", "1"):
        PersonSequence(
            dataset="made",
            split="train",
            sequence="street",
            person=person,
            fps=30.0,
            frame=np.arange(FRAMES),
            stamp_s=np.arange(FRAMES) / 30.0,
            image_size=(120, 90),
            camera_matrix=np.array([[100.0, 0, 60], [0, 100.0, 45], [0, 0, 1]]),
            keypoints=np.full((FRAMES, 17, 3), 0.5),
            boxes=np.tile((60.0, 45.0, 0.4), (FRAMES, 1)),
            keypoint_source="made",
        ).write(place / f"street_{person}.npz")
    return place


def tracks_of(path, people):
    """A track file of these people in all frames."""
    rows = sorted((frame, name) for name in people for frame in range(FRAMES))
    kinds = {"str": "U5"}
    arrays = {
        key: np.zeros((len(rows), *shape), kinds.get(kind, kind))
        for key, (shape, kind) in ROW_KEYS.items()
    }
    arrays["frame"] = np.array([frame for frame, _ in rows], np.int64)
    arrays["stamp_s"] = arrays["frame"] / 30.0
    arrays["person_id"] = np.array([name for _, name in rows], "U5")
    arrays["keypoints_image"][:] = np.random.default_rng(0).uniform(0.5, 80, (len(rows), 17, 3))
    arrays["rotation_world_camera"][:] = np.eye(3)
    np.savez(
        path,
        **arrays,
        version=FORMAT_VERSION,
        processed_frame=np.arange(FRAMES),
        processed_stamp_s=np.arange(FRAMES) / 30.0,
        image_size=(120, 90),
        camera_matrix=np.array([[100.0, 0, 60], [0, 100.0, 45], [0, 0, 1]]),
        camera_distortion=np.zeros(0),
        camera_model="plumb_bob",
        camera_assumed=True,
        fps=30.0,
    )
    return path


def test_a_folder_of_sequences_gets_features_of_a_video(command, folder, film):
    result = command(folder, video=film)
    assert result.exit_code == 0, result.output
    assert "street_0.npz: 6 features in 6 frames, 6 made now" in result.output
    assert "2 sequences have no first frames: give --body" in result.output
    for person in ("0", "1"):
        assert read_sequence(folder / f"street_{person}.npz").has_features.all()


def test_bodies_come_with_the_next_run_without_looking_at_images(command, folder, film, golden):
    command(folder, video=film)
    result = command(folder, video=film, body=golden.parent / "wham" / "checkpoint.pth.tar")
    assert result.exit_code == 0, result.output
    assert "none made now, 6 first frames" in result.output
    assert "give --body" not in command(folder, video=film).output
    assert read_sequence(folder / "street_1.npz").has_init.all()


def test_images_are_an_alternative(command, folder, tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    cv2.imwrite(str(root / "a.png"), np.full((90, 120, 3), 99, np.uint8))
    path = folder / "street_0.npz"
    arrays = dict(np.load(path)) | {"image_path": np.array(["a.png"] * FRAMES)}
    np.savez(path, **arrays)
    result = command(path, images=root)
    assert result.exit_code == 0, result.output
    features = read_sequence(path).img_features
    np.testing.assert_allclose(features, np.tile(features[0], (FRAMES, 1)), atol=1e-5)


def test_one_bad_sequence_does_not_stop_the_others(command, folder, film):
    (folder / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    result = command(folder, video=film)
    assert result.exit_code == 1
    assert "broken.npz: not done:" in result.output
    assert read_sequence(folder / "street_1.npz").has_features.all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_shorter_types_can_be_asked_for(command, folder, film, dtype):
    assert command(folder / "street_0.npz", video=film, dtype=dtype).exit_code == 0
    assert read_sequence(folder / "street_0.npz").has_features.all()


def test_the_people_of_a_video_become_sequences_with_features(command, film, tmp_path):
    tracks = tracks_of(tmp_path / "people.npz", ["aaaaa", "bbbbb"])
    output = tmp_path / "made"
    result = command(film, output=output, tracks=tracks, min_frames=5)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in output.iterdir()) == [
        "street_aaaaa.npz",
        "street_bbbbb.npz",
    ]
    one = read_sequence(output / "street_aaaaa.npz")
    assert one.has_features.all()
    assert not one.has_smpl.any()
    assert "none made now" in command(film, output=output, tracks=tracks, min_frames=5).output


def test_twenty_people_of_a_video(command, film, tmp_path):
    people = [f"p{chr(97 + i)}aaa" for i in range(20)]
    tracks = tracks_of(tmp_path / "people.npz", people)
    result = command(film, output=tmp_path / "made", tracks=tracks, min_frames=5, batch=8)
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "made").glob("*.npz"))) == 20


def test_a_video_without_people_is_tracked_once(command, film, tmp_path):
    output = tmp_path / "made"
    result = command(film, output=output)
    assert result.exit_code == 0, result.output
    assert "0 people seen" in result.output
    assert [path.name for path in output.iterdir()] == ["street.tracks"]
    assert "frames/s" not in command(film, output=output).output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "give one of --images and --video"),
        ({"video": "street.avi", "images": "."}, "give one of --images and --video"),
        ({"output": "made", "video": "street.avi"}, "--output is for a video"),
        ({"video": "street.avi", "tracks": "x.npz"}, "give it with --output"),
        ({"video": "street.avi", "device": "cuda:9"}, "finds no CUDA device"),
    ],
)
def test_options_that_do_not_go_together_are_named(
    command, folder, film, monkeypatch, changes, message
):
    monkeypatch.chdir(film.parent)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = command(folder, **changes)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("name", ["nowhere", "empty", "street.avi"])
def test_a_source_without_sequences_is_an_error(command, film, tmp_path, name):
    (tmp_path / "empty").mkdir()
    result = command(tmp_path / name, video=film)
    assert result.exit_code == 2
    assert name in result.output.replace("\n", "")


def test_missing_weights_are_named(command, folder, film):
    result = command(folder, video=film, encoder="nowhere.ckpt")
    assert isinstance(result.exception, FileNotFoundError)
    assert "nowhere.ckpt" in str(result.exception)


def test_a_missing_video_is_named(command, folder):
    result = command(folder, video="nowhere.mp4")
    assert isinstance(result.exception, FileNotFoundError)
    assert "nowhere.mp4" in str(result.exception)
