"""The motion library: frames, windows, shares of categories, bad shards."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from humor_ros.geometry.rotation import rotation_6d_to_matrix
from humor_ros.training.mocap import MocapLibrary
from humor_ros.training.synthesis_config import DataConfig


def test_an_upright_person_stands_against_gravity_of_the_y_down_world(library):
    root = rotation_6d_to_matrix(library.rotations_6d[:, 0])
    assert torch.allclose(root[:, :, 1], torch.tensor([0.0, -1.0, 0.0]), atol=1e-5)


def test_height_becomes_minus_y(library):
    assert torch.allclose(library.root_position[:, 1], torch.tensor(-0.9))


def test_a_window_at_unit_speed_is_the_recording(library):
    window = library.windows(torch.tensor([0]), torch.tensor([0.0]), 20, torch.ones(1))
    assert torch.allclose(window.rotations_6d[0], library.rotations_6d[:20])


def test_double_speed_takes_every_second_frame(library):
    window = library.windows(torch.tensor([0]), torch.tensor([0.0]), 10, torch.tensor([2.0]))
    assert torch.allclose(window.root_position[0], library.root_position[0:20:2], atol=1e-6)


def test_a_clip_that_is_too_short_swings_back(library):
    window = library.windows(torch.tensor([1]), torch.tensor([0.3]), 80, torch.ones(1))
    clip = library.root_position[60:104]
    expected = torch.cat([clip, clip.flip(0)[1:37]])
    assert torch.allclose(window.root_position[0], expected, atol=1e-5)


def test_idle_has_its_share(library):
    weights = library.clip_weights(DataConfig(idle_share=0.12))
    idle = [c == "idle" for c in library.categories]
    assert float(weights[torch.tensor(idle)].sum()) == pytest.approx(0.12)
    assert float(weights.sum()) == pytest.approx(1.0)


def test_a_folder_without_shards_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="--data"):
        MocapLibrary.load(tmp_path, "train")


def test_a_shard_without_an_array_is_named(tmp_path):
    np.savez(tmp_path / "train_00.npz", poses=np.zeros((3, 72)))
    with pytest.raises(ValueError, match="root_pos"):
        MocapLibrary.load(tmp_path, "train")
