"""AMASS files are read as their owners hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from humor_ros.geometry.rotation import axis_angle_to_matrix, rotation_6d_to_matrix
from humor_ros.training.amass import load_amass, load_motions, read_amass_clip


def write_motion(path: Path, frames: int = 40, rate: float = 120.0, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    arrays: dict[str, object] = {
        "poses": 0.1 * rng.standard_normal((frames, 156)),
        "trans": np.arange(frames)[:, None] * np.array([0.01, 0.0, 0.001]),
        "betas": np.arange(16) / 10.0,
        "dmpls": np.zeros((frames, 8)),
        "gender": np.array("female"),
        "mocap_framerate": np.array(rate),
    }
    arrays |= changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def test_a_clip_is_thinned_out_to_thirty_frames_a_second(tmp_path: Path) -> None:
    path = write_motion(tmp_path / "walk_poses.npz", frames=41)
    clip = read_amass_clip(path)
    with np.load(path) as file:
        poses, trans = file["poses"], file["trans"]
    assert clip is not None
    assert clip.gender == "female"
    np.testing.assert_allclose(clip.poses[:, :66], poses[::4, :66], rtol=1e-6)
    assert not clip.poses[:, 66:].any()
    np.testing.assert_allclose(clip.translation, trans[::4], rtol=1e-6)
    np.testing.assert_allclose(clip.betas, np.arange(10) / 10, rtol=1e-6)


@pytest.mark.parametrize(("rate", "frames"), [(30.0, 40), (60.0, 20), (100.0, 14), (25.0, 40)])
def test_the_stride_is_whole(tmp_path: Path, rate: float, frames: int) -> None:
    clip = read_amass_clip(write_motion(tmp_path / "a.npz", rate=rate))
    assert clip is not None
    assert len(clip.poses) == frames


def test_smpl_poses_of_72_numbers_and_gender_as_bytes_are_read(tmp_path: Path) -> None:
    poses = np.ones((8, 72))
    path = write_motion(
        tmp_path / "a.npz", frames=8, rate=30, poses=poses, gender=np.array(b"male")
    )
    clip = read_amass_clip(path)
    assert clip is not None
    assert clip.gender == "male"
    assert clip.poses.all()


def test_the_world_is_y_down(tmp_path: Path) -> None:
    write_motion(tmp_path / "CMU" / "01" / "01_01_poses.npz", frames=8, rate=30)
    motions = load_amass(tmp_path)
    with np.load(tmp_path / "CMU" / "01" / "01_01_poses.npz") as file:
        root = axis_angle_to_matrix(torch.from_numpy(file["poses"][:, :3]).float())
        trans = torch.from_numpy(file["trans"]).float()
    turned = rotation_6d_to_matrix(motions.library.rotations_6d[:, 0])
    # z up becomes -y: rows (x, -z, y).
    assert torch.allclose(turned, torch.stack([root[:, 0], -root[:, 2], root[:, 1]], 1), atol=1e-6)
    moved = motions.library.root_position
    expected = torch.stack([trans[:, 0], -trans[:, 2], trans[:, 1]], 1)
    assert torch.allclose(moved, expected, atol=1e-6)


def test_a_tree_is_read_in_the_order_of_paths_without_its_shape_files(tmp_path: Path) -> None:
    write_motion(tmp_path / "KIT" / "3" / "b_poses.npz", frames=12, rate=30)
    write_motion(tmp_path / "CMU" / "01" / "a_poses.npz", frames=8, rate=30)
    np.savez(tmp_path / "CMU" / "01" / "shape.npz", betas=np.zeros(16), gender="male")
    motions = load_amass(tmp_path)
    assert motions.library.names == ("CMU/01/a_poses", "KIT/3/b_poses")
    assert motions.library.categories == ("CMU", "KIT")
    assert motions.library.length.tolist() == [8, 12]
    assert motions.betas.shape == (2, 10)


def test_splits_are_folders_or_all_is_for_training(tmp_path: Path) -> None:
    write_motion(tmp_path / "CMU" / "a.npz", frames=8)
    assert load_motions(tmp_path, "train").library.n_clips == 1
    with pytest.raises(FileNotFoundError, match="val"):
        load_motions(tmp_path, "val")
    write_motion(tmp_path / "val" / "HumanEva" / "b.npz", frames=8)
    assert load_motions(tmp_path, "val").library.names == ("HumanEva/b",)


def test_shards_are_motions_of_the_mean_shape(shards: Path) -> None:
    motions = load_motions(shards, "train")
    assert motions.library.n_clips == 2
    assert not motions.betas.any()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"mocap_framerate": None}, "mocap_framerate"),
        ({"trans": np.zeros((3, 3))}, "trans"),
        ({"poses": np.zeros((40, 60))}, "poses"),
        ({"betas": np.zeros(8)}, "betas"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_it(
    tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    path = write_motion(tmp_path / "wrong.npz", **changes)
    with pytest.raises(ValueError, match=named) as caught:
        read_amass_clip(path)
    assert "wrong.npz" in str(caught.value)


def test_a_folder_without_motions_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=tmp_path.name):
        load_amass(tmp_path)
    (tmp_path / "broken.npz").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="broken"):
        load_amass(tmp_path)
