"""A track file is drawn over its own images, as film and as picture, and over no others."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from humor_ros.io.track_file import TrackFile, TrackWriter
from humor_ros.types import CameraMotion, CameraMotionMode, FrameResult
from humor_ros.viewer.film_file import FilmFile
from humor_ros.viewer.playback import draw_film, draw_summary

FRAMES = 6


def moved(stamp_s: float, *humans) -> FrameResult:
    rotation = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    motion = CameraMotion(
        stamp_s, 0.1, np.eye(3), rotation, np.zeros(3), False, False, CameraMotionMode.STATIC,
        np.eye(3),
    )  # fmt: skip
    return FrameResult(stamp_s, humans, motion)


@pytest.fixture
def track_path(tmp_path, camera, make_person):
    with TrackWriter(tmp_path / "tracks.npz", camera) as writer:
        for frame in range(0, FRAMES, 2):
            person = make_person(position_world=(5.0, 0.2 * frame, 0.0))
            people = () if frame == 2 else (person,)
            writer.append(frame, moved(frame / 20.0, *people))
    return tmp_path / "tracks.npz"


@pytest.fixture
def video_path(tmp_path):
    writer = cv2.VideoWriter(
        str(tmp_path / "video.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (320, 240)
    )
    for frame in range(FRAMES):
        writer.write(np.full((240, 320, 3), 40 + 20 * frame, np.uint8))
    writer.release()
    return tmp_path / "video.mp4"


def images(count: int = FRAMES, size: tuple[int, int] = (240, 320)):
    for frame in range(count):
        yield frame, np.full((*size, 3), 100, np.uint8)


def pictures_of(path) -> list[np.ndarray]:
    reader, pictures = cv2.VideoCapture(str(path)), []
    while True:
        good, picture = reader.read()
        if not good:
            return pictures
        pictures.append(picture)


def test_film_has_one_picture_for_each_processed_frame(track_path, tmp_path) -> None:
    track = TrackFile.read(track_path)
    assert draw_film(track, images(), tmp_path / "film.mp4", height=240) == 3
    assert len(pictures_of(tmp_path / "film.mp4")) == 3


def test_film_shows_the_image_on_the_left_and_the_world_on_the_right(track_path, tmp_path) -> None:
    draw_film(TrackFile.read(track_path), images(), tmp_path / "film.mp4", height=240)
    picture = pictures_of(tmp_path / "film.mp4")[1]
    assert picture.shape == (240, 320 + 192, 3)
    assert abs(int(picture[200, 20].mean()) - 100) < 8
    assert picture[60, 500].mean() > 200


def test_summary_of_a_track_has_the_width_asked_for(track_path) -> None:
    picture = draw_summary(TrackFile.read(track_path), images(), moments=2, width=640)
    assert picture.shape[1] == 640


def test_images_of_another_size_are_named(track_path) -> None:
    with pytest.raises(ValueError, match=r"shows 200x100 pixels at frame 0, .* from 320x240"):
        draw_summary(TrackFile.read(track_path), images(size=(100, 200)))


def test_no_matching_frame_is_an_error(track_path, tmp_path) -> None:
    with pytest.raises(ValueError, match="none of the 3 processed frames"):
        draw_film(TrackFile.read(track_path), images(0), tmp_path / "film.mp4")
    assert not (tmp_path / "film.mp4").exists()


def test_short_video_gives_a_short_film_and_a_warning(track_path, tmp_path, caplog) -> None:
    assert draw_film(TrackFile.read(track_path), images(3), tmp_path / "f.mp4", height=240) == 2
    assert "ended after 2 of 3 frames" in caplog.text


def test_nobody_at_all_still_gives_a_film(tmp_path, camera) -> None:
    with TrackWriter(tmp_path / "empty.npz", camera) as writer:
        for frame in range(2):
            writer.append(frame, moved(float(frame)))
    track = TrackFile.read(tmp_path / "empty.npz")
    assert draw_film(track, images(), tmp_path / "film.mp4", height=240) == 2


def test_unfinished_film_leaves_no_file(tmp_path) -> None:
    def interrupted() -> None:
        with FilmFile(tmp_path / "film.mp4", 10.0, (64, 64)) as film:
            film.write(np.zeros((64, 64, 3), np.uint8))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_film_refuses_a_picture_of_another_size(tmp_path) -> None:
    with (
        FilmFile(tmp_path / "film.mp4", 10.0, (64, 64)) as film,
        pytest.raises(ValueError, match="picture is 32x64"),
    ):
        film.write(np.zeros((64, 32, 3), np.uint8))


def test_film_needs_a_folder(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        FilmFile(tmp_path / "nowhere" / "film.mp4", 10.0, (64, 64))


@pytest.fixture
def run():
    import typer

    from humor_ros.commands.render import render

    app = typer.Typer()
    app.command()(render)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", ["out.png", "out.mp4"])
def test_render_writes_picture_and_film(run, track_path, video_path, tmp_path, name) -> None:
    result = run(track_path, "--video", video_path, "--output", tmp_path / name, "--height", 240)
    assert result.exit_code == 0, result.output
    if name.endswith("png"):
        assert cv2.imread(str(tmp_path / name)).shape[1] == 1600
    else:
        assert len(pictures_of(tmp_path / name)) == 3


def test_render_draws_surfaces(run, track_path, video_path, tmp_path) -> None:
    output = tmp_path / "out.png"
    result = run(track_path, "--video", video_path, "--output", output, "--mesh", "--moments", 1)
    assert result.exit_code == 0, result.output
    assert output.is_file()


@pytest.mark.parametrize(
    ("output", "words"),
    [("out.gif", "must end in .mp4 or .png"), ("nowhere/out.png", "folder not found")],
)
def test_render_names_a_wrong_output(run, track_path, video_path, tmp_path, output, words) -> None:
    result = run(track_path, "--video", video_path, "--output", tmp_path / output)
    assert result.exit_code == 2
    # The message is wrapped in a box whose width is the terminal's.
    assert words.split()[0] in result.output


def test_render_names_a_missing_track_file(run, video_path, tmp_path) -> None:
    result = run(tmp_path / "absent.npz", "--video", video_path, "--output", tmp_path / "o.png")
    assert isinstance(result.exception, FileNotFoundError)
    assert "absent.npz" in str(result.exception)


def test_render_names_a_missing_video(run, track_path, tmp_path) -> None:
    result = run(track_path, "--video", tmp_path / "no.mp4", "--output", tmp_path / "o.png")
    assert isinstance(result.exception, FileNotFoundError)
    assert "no.mp4" in str(result.exception)
