"""Fixtures of the image encoder's tests: a small network, its checkpoint, and the golden run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from online_cases import Studio

from humor_ros.features import EncoderConfig, Hmr2Encoder
from humor_ros.features.config import DecoderConfig, VitConfig

SMALL = EncoderConfig(
    VitConfig(img_size=(64, 48), embed_dim=32, depth=2, num_heads=2),
    DecoderConfig(depth=2, heads=2, dim_head=8, mlp_dim=16, dim=24),
)


@pytest.fixture(scope="session")
def golden(shared_golden: Path) -> Path:
    """The folder of the published network's run."""
    folder = shared_golden / "hmr2"
    if not folder.is_dir():
        pytest.skip(f"golden arrays not found: {folder}")
    return folder


@pytest.fixture(scope="session")
def small_config() -> EncoderConfig:
    return SMALL


@pytest.fixture
def encoder() -> Hmr2Encoder:
    """A small network whose read-outs do not vanish."""
    torch.manual_seed(0)
    network = Hmr2Encoder(SMALL).requires_grad_(False).eval()
    network.smpl_head.init_body_pose.normal_()
    network.smpl_head.init_betas.normal_()
    network.smpl_head.init_cam.normal_()
    return network


@pytest.fixture
def write_checkpoint(tmp_path: Path, encoder: Hmr2Encoder) -> Callable[..., Path]:
    """Write the small network's tensors, changed by ``tensors``, in the published container."""

    def write(
        name: str = "weights.ckpt",
        tensors: dict[str, Any] | None = None,
        drop: str | None = None,
        prefix: str = "",
        **entries: Any,
    ) -> Path:
        held = {k: v for k, v in encoder.state_dict().items() if k != drop} | (tensors or {})
        state = {prefix + key: value for key, value in held.items()}
        path = tmp_path / name
        torch.save({"epoch": 10, "global_step": 25_000, "state_dict": state} | entries, path)
        return path

    return write


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


@pytest.fixture
def studio(tmp_path: Path, encoder: Hmr2Encoder) -> Studio:
    """A small encoder and WHAM in files, and trackers made of them."""
    return Studio(tmp_path, encoder, SMALL)
