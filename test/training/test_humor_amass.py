"""AMASS's files: floors, contacts, rates, shapes, and what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from humor_training_cases import NO_SHAPES, plain_body

from humor_ros.training.humor_amass import AmassMotions, find_floor, read_recording
from humor_ros.training.humor_transitions import TransitionLibrary
from humor_ros.weight_files import CheckpointError

RATE = 120.0
UPRIGHT = (np.pi / 2, 0.0, 0.0)


def write(path: Path, *, height: float = 0.9, seconds: float = 4.0, **changes: object) -> Path:
    """Somebody who stands for a second, walks at 1 m/s without moving a limb, and stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * RATE)) / RATE
    poses = np.zeros((len(time), 156))
    poses[:, :3] = UPRIGHT
    walked = np.clip(time - 1.0, 0.0, max(seconds - 2.0, 0.0))
    trans = np.column_stack((walked, 0 * time, np.full(len(time), height)))
    arrays = {
        "poses": poses,
        "trans": trans,
        "betas": np.linspace(0.2, 0.5, 16),
        "mocap_framerate": np.array(RATE),
    } | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_rows_are_taken_at_thirty_a_second(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path / "a_poses.npz"), plain_body())
    assert recording is not None
    states = recording.states
    assert len(states.trans) == round((0.8 * 4 * RATE - 2) / RATE * 30)
    middle = len(states.trans) // 2
    torch.testing.assert_close(
        states.trans_vel[middle], torch.tensor([1.0, 0.0, 0.0]), rtol=0, atol=1e-3
    )


def test_the_shape_is_the_recordings_own(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path / "a_poses.npz"), plain_body())
    assert recording is not None
    torch.testing.assert_close(recording.betas, torch.linspace(0.2, 0.5, 16)[:10])


@pytest.mark.parametrize("height", [0.9, 1.7])
def test_the_floor_is_a_centimetre_under_resting_toes(tmp_path: Path, height: float) -> None:
    recording = read_recording(write(tmp_path / "a_poses.npz", height=height), plain_body())
    assert recording is not None
    toes = recording.states.joints[:, [10, 11], 2].median()
    assert float(toes) == pytest.approx(0.01, abs=5e-3)


def test_feet_rest_while_standing_and_not_while_gliding(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path / "a_poses.npz"), plain_body())
    assert recording is not None
    contacts = recording.states.parts()["contacts"]
    assert contacts[2].tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 0]
    assert float(contacts[len(contacts) // 2].sum()) == 0.0


def test_standing_on_a_step_is_told() -> None:
    joints = torch.zeros(400, 22, 3)
    joints[:, 0, 2] = 1.0
    joints[200:, :, 2] += 0.3
    assert not find_floor(joints, RATE).flat
    assert find_floor(joints[:200], RATE).flat
    assert find_floor(joints[:200] + torch.tensor([0.0, 0.0, 0.7]), RATE).height_m == pytest.approx(
        0.7, abs=1e-6
    )


def test_short_recordings_are_left_out(tmp_path: Path) -> None:
    assert read_recording(write(tmp_path / "a_poses.npz", seconds=1.2), plain_body()) is None


def test_known_wrong_rates_are_put_right(tmp_path: Path) -> None:
    path = write(tmp_path / "BMLhandball" / "a_poses.npz", seconds=6.0)
    recording = read_recording(path, plain_body())
    assert recording is not None
    assert len(recording.states.trans) == round((0.8 * 6 * RATE - 2) / 240 * 30)


def test_an_array_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a_poses.npz", betas=None)
    with pytest.raises(CheckpointError, match=r"a_poses\.npz lacks betas"):
        read_recording(path, plain_body())


def test_a_split_is_its_data_sets(tmp_path: Path) -> None:
    write(tmp_path / "CMU" / "01" / "walk_poses.npz")
    write(tmp_path / "CMU" / "01" / "treadmill_poses.npz")
    write(tmp_path / "SFU" / "01" / "walk_poses.npz")
    motions = AmassMotions.load(tmp_path, "train", plain_body(), NO_SHAPES)
    assert motions.clips.names == ("CMU/01/walk_poses.npz",)
    library = TransitionLibrary(motions)
    assert library.draw(4, 10, torch.Generator(), 0.5).past.shape == (4, 10, 339)


def test_a_folder_without_the_split_is_named(tmp_path: Path) -> None:
    write(tmp_path / "CMU" / "walk_poses.npz")
    with pytest.raises(FileNotFoundError, match="SFU"):
        AmassMotions.load(tmp_path, "val", plain_body(), NO_SHAPES)
