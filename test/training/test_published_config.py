"""The configurations of the published training state its numbers and are read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from humor_ros.training.config import TrainConfig
from humor_ros.training.published_config import (
    PublishedConfig,
    PublishedDataConfig,
    PublishedOptimConfig,
)
from humor_ros.training.published_loss_weights import PublishedLossWeights
from humor_ros.wham.config import FULL_SIZE

FOLDER = Path(__file__).parents[2] / "config" / "train"
STAGE2 = PublishedLossWeights(
    total=60.0,
    pose=1.0,
    betas=0.0,
    keypoints2d=3.0,
    keypoints3d=6.0,
    keypoints3d_network=6.0,
    cascade=0.05,
    camera=0.01,
    camera_from_epoch=0,
)
STAGE2_BEDLAM = PublishedLossWeights(
    total=60.0,
    pose=3.0,
    betas=0.0,
    keypoints2d=5.0,
    keypoints3d=5.0,
    keypoints3d_network=5.0,
    cascade=0.05,
    camera=0.01,
    camera_from_epoch=0,
)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("wham_published_*.yaml")), ids=lambda p: p.name)
def test_every_configuration_loads(path: Path) -> None:
    assert PublishedConfig.load(path).optim.epochs > 0


def load(name: str) -> PublishedConfig:
    return PublishedConfig.load(FOLDER / f"wham_published_{name}.yaml")


def test_stage_1_is_published_and_the_default() -> None:
    config = load("stage1")
    assert config == PublishedConfig()
    assert config.network == FULL_SIZE
    assert config.loss == PublishedLossWeights()
    factors = [config.optim.rate_factor(epoch) for epoch in (0, 59, 60, 79, 80, 99)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize(
    ("name", "weights", "epochs", "milestones"),
    [
        ("stage2", STAGE2, 40, (20, 30)),
        ("stage2_bedlam", STAGE2_BEDLAM, 80, (40, 50, 70)),
    ],
)
def test_stage_2_is_published(name, weights, epochs, milestones) -> None:
    config = load(name)
    assert config.loss == weights
    assert (config.optim.epochs, config.optim.milestones) == (epochs, milestones)
    assert (config.optim.learning_rate, config.optim.integrator_learning_rate) == (1e-5, 1e-4)
    assert config.optim.decay == 0.2
    assert config.optim.restart_integrator
    assert config.features
    assert sum(config.data.sources.values()) == pytest.approx(1.0)
    assert ("bedlam" in config.data.sources) == (name == "stage2_bedlam")


def test_the_recipes_are_not_mixed_up() -> None:
    with pytest.raises(ValueError, match="published"):
        TrainConfig.load(FOLDER / "wham_published_stage1.yaml")
    with pytest.raises(ValueError, match="own"):
        PublishedConfig.load(FOLDER / "wham_default_frames.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: published\nlearning_rate: 1", "learning_rate"),
        ("recipe: published\noptim: {epochs: 1.5}", "epochs"),
        ("recipe: published\nprecision: float8", "precision"),
        ("recipe: published\nloss: {pose: -1}", r"Weights\.pose must be at least 0"),
        ("recipe: published\ndata: {sources: {mocap: 0}}", "sources"),
        ("recipe: other", "recipe"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        PublishedConfig.load(path)
    assert "wrong.yaml" in str(caught.value)


def test_sizes_are_checked_on_construction() -> None:
    with pytest.raises(ValueError, match="clip_frames"):
        PublishedDataConfig(clip_frames=1)
    with pytest.raises(ValueError, match="bodies"):
        PublishedDataConfig(bodies={"child": "x.npz"})
    with pytest.raises(ValueError, match="batch_size"):
        PublishedOptimConfig(batch_size=0)
