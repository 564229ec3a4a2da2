"""A small synthetic motion library, so that these tests need no data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from humor_training_cases import make_library, write_folder

from humor_ros.body.model import BodyModel
from humor_ros.training.config import OptimConfig, TrainConfig
from humor_ros.training.humor_transitions import TransitionLibrary
from humor_ros.training.mocap import MocapLibrary
from humor_ros.training.synthesis_config import DataConfig
from humor_ros.wham.config import WhamConfig


def write_shard(path: Path, seed: int) -> None:
    """Two clips of a person who walks on the spot or along a line, z-up."""
    rng = np.random.default_rng(seed)
    lengths = (60, 44)
    poses, roots = [], []
    for length in lengths:
        time = np.arange(length) / 30.0
        pose = 0.05 * rng.standard_normal((1, 72)) * np.ones((length, 1))
        pose[:, 0:3] = (np.pi / 2, 0.0, 0.0)
        pose[:, 3] = 0.4 * np.sin(6 * time)
        pose[:, 6] = -0.4 * np.sin(6 * time)
        poses.append(pose)
        roots.append(np.stack([0 * time, -time * rng.random(), 0.9 + 0 * time], 1))
    np.savez(
        path,
        poses=np.concatenate(poses).astype(np.float32),
        root_pos=np.concatenate(roots).astype(np.float32),
        clip_ptr=np.array([0, lengths[0], sum(lengths)]),
        clip_name=np.array([f"walk_{seed}", f"idle_{seed}"]),
        fps=np.array(30),
    )


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with one training and one validation shard and an index."""
    folder = tmp_path_factory.mktemp("shards")
    write_shard(folder / "train_00.npz", 0)
    write_shard(folder / "val_00.npz", 1)
    rows = [f"{kind}_{seed},{kind}" for kind in ("walk", "idle") for seed in (0, 1)]
    (folder / "index.csv").write_text("name,category\n" + "\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def body() -> BodyModel:
    """The packaged body."""
    return BodyModel.load()


@pytest.fixture(scope="session")
def library(shards: Path) -> MocapLibrary:
    """The training clips."""
    return MocapLibrary.load(shards, "train")


@pytest.fixture(scope="session")
def humor_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of people who stride along curves."""
    torch.set_num_threads(1)
    return write_folder(tmp_path_factory.mktemp("humor_shards"))


@pytest.fixture(scope="module")
def humor_library(humor_folder: Path) -> TransitionLibrary:
    """The transitions of its training clips."""
    return make_library(humor_folder)


@pytest.fixture
def tiny() -> TrainConfig:
    """A run small enough for a test."""
    torch.set_num_threads(1)
    return TrainConfig(
        network=WhamConfig(
            d_embed=24,
            n_layers=1,
            n_refiner_layers=1,
            d_feat=4,
            d_integrator=4,
            embed_dropout=0.1,
            rnn_dropout=0.0,
            kp_feedback=False,
            pose_feedback=False,
        ),
        data=DataConfig(window_frames=12),
        optim=OptimConfig(batch_size=4, warmup_steps=2, bfloat16=False, learning_rate=3e-3),
        steps=6,
        validate_every=3,
        snapshot_every=100,
        log_every=1,
        validation_windows=4,
        validation_frames=12,
    )
