"""The command line: every command is there, and a user's error is one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from humor_ros.cli import app
from humor_ros.io.track_file import TrackFile

RUNNER = CliRunner()


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from humor_ros.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ["track"],
        ["render"],
        ["demo"],
        ["reproduce", "wham"],
        ["reproduce", "humor"],
        ["reproduce", "hmr2"],
        ["train", "wham"],
        ["evaluate", "keypoints"],
        ["evaluate", "mocap"],
        ["evaluate", "video"],
    ],
)
def test_every_command_explains_itself(command: list[str]) -> None:
    assert RUNNER.invoke(app, [*command, "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.mp4", "--output", "o.npz"], "nowhere.mp4"),
        (["EMPTY", "--output", "o.npz"], "empty.mp4"),
        (["VIDEO", "--output", "o.npz", "--weights", "none.pth.tar"], "none.pth.tar"),
        (["VIDEO", "--output", "o.npz", "--body", "none.npz"], "none.npz"),
        (["VIDEO", "--output", "o.npz", "--image-encoder", "none.ckpt"], "none.ckpt"),
        (["VIDEO", "--output", "o.npz", "--camera-info", "none.yaml"], "none.yaml"),
        (["VIDEO", "--output", "o.npz", "--imu", "none.csv"], "none.csv"),
        (["VIDEO", "--output", "o.txt"], "--output"),
        (["VIDEO", "--output", "o.npz", "--imu-rotation", "1,2"], "--imu-rotation"),
    ],
)
def test_an_error_names_the_argument_or_file(
    arguments: list[str], words: str, video: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    places = {"VIDEO": str(video), "EMPTY": str(empty)}
    result = start("track", *(places.get(word, word) for word in arguments))
    assert result.returncode != 0
    assert words in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "grey.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (160, 120))
    for _ in range(5):
        writer.write(np.full((120, 160, 3), 90, np.uint8))
    writer.release()
    return path


def test_a_video_without_people_gives_a_file_without_rows(video: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    result = start("track", str(video), "--output", str(output))
    assert result.returncode == 0, result.stderr
    tracks = TrackFile.read(output)
    assert len(tracks) == 0
    assert len(tracks.processed_frame) == 5
