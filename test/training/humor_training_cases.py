"""A little recorded motion, and a run of HuMoR's training small enough for a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from humor_ros.body.model import packaged_body_path
from humor_ros.humor.body import HumorBody
from humor_ros.humor.config import HumorConfig
from humor_ros.training.humor_config import (
    HumorDataConfig,
    HumorLossConfig,
    HumorOptimConfig,
    HumorTrainConfig,
)
from humor_ros.training.humor_motions import MocapMotions
from humor_ros.training.humor_transitions import TransitionLibrary

NETWORK = HumorConfig(
    latent_size=6, encoder_widths=(32,), prior_widths=(32,), decoder_widths=(32, 32), groups=4
)
NO_SHAPES = HumorDataConfig(betas_std=0.0, window_steps=4)


def write_walks(path: Path, seed: int, lengths: tuple[int, ...] = (90, 70)) -> None:
    """People who stride along curves, z-up, with contacts by turns of the feet."""
    rng = np.random.default_rng(seed)
    poses, roots, contacts = [], [], []
    for length in lengths:
        time = np.arange(length) / 30.0
        swing = 0.5 * np.sin(6 * time)
        heading = 0.3 * time + rng.uniform(0, 6)
        pose = 0.05 * rng.standard_normal((1, 72)) * np.ones((length, 1))
        pose[:, 0:3] = _upright_turned(heading)
        pose[:, 3], pose[:, 6] = swing, -swing
        poses.append(pose)
        way = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * 0.03, axis=0)
        roots.append(np.column_stack((way, np.full(length, 0.9))))
        label = np.zeros((length, 9))
        label[:, 3] = label[:, 5] = swing > 0
        label[:, 4] = label[:, 6] = swing <= 0
        contacts.append(label)
    np.savez(
        path,
        poses=np.concatenate(poses).astype(np.float32),
        root_pos=np.concatenate(roots).astype(np.float32),
        contacts=np.concatenate(contacts).astype(np.uint8),
        clip_ptr=np.cumsum([0, *lengths]),
        clip_name=np.array([f"walk_{seed}_{k}" for k in range(len(lengths))]),
        fps=np.array(30),
    )


def _upright_turned(heading: np.ndarray) -> np.ndarray:
    """Axis-angle of an upright body (SMPL's y along z) turned about z."""
    from scipy.spatial.transform import Rotation

    upright = Rotation.from_euler("x", 90, degrees=True)
    return (Rotation.from_euler("z", heading[:, None]) * upright).as_rotvec()


def write_folder(folder: Path) -> Path:
    """Shards of both splits and their index."""
    write_walks(folder / "train_00.npz", 0)
    write_walks(folder / "val_00.npz", 1, (150, 60))
    rows = [f"walk_{seed}_{k},walk,{int(k == 0)}" for seed in (0, 1) for k in (0, 1)]
    (folder / "index.csv").write_text("name,category,flat_floor\n" + "\n".join(rows) + "\n")
    return folder


def plain_body() -> HumorBody:
    """The packaged body's joints."""
    return HumorBody.load(packaged_body_path()).with_vertices(())


def make_library(
    folder: Path, split: str = "train", shapes: int | None = None
) -> TransitionLibrary:
    """Transitions with default shapes, or with those of a seed."""
    config = NO_SHAPES if shapes is None else HumorDataConfig(default_shape_share=0.0)
    source = MocapMotions.load(folder, split, plain_body(), config)
    generator = None if shapes is None else torch.Generator().manual_seed(shapes)
    return TransitionLibrary(source, generator)


def tiny_run(**optim: object) -> HumorTrainConfig:
    """A run of six steps, half of them on its own output."""
    settings = {
        "optimiser": "adamw",
        "batch_size": 6,
        "learning_rate": 3e-3,
        "schedule": "cosine",
        "clip_norm": 1.0,
        "ema_decay": 0.5,
        "supervised_until": 0.3,
        "own_output_from": 0.6,
        "single_steps": 16,
        "forecast_steps": 3,
        "forecast_batch": 4,
    } | optim
    return HumorTrainConfig(
        network=NETWORK,
        data=HumorDataConfig(window_steps=4, new_shapes_every=4),
        loss=HumorLossConfig(body_vertices=0.0, forecast=1.0),
        optim=HumorOptimConfig(**settings),  # type: ignore[arg-type]
        steps=6,
        validate_every=3,
        snapshot_every=100,
        log_every=1,
        mixture_components=2,
        mixture_frames=400,
    )
