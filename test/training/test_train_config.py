"""Training configurations are read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from humor_ros.training.config import TrainConfig

PACKAGED = Path(__file__).parents[2] / "config" / "train"


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("wham_default*.yaml")), ids=lambda p: p.name)
def test_packaged_configurations_load(path):
    assert TrainConfig.load(path).steps > 0


def test_a_configuration_survives_its_dictionary():
    config = TrainConfig(steps=12)
    assert TrainConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optim: {learning_rat: 1}", r"optim: unknown keys \['learning_rat'\]"),
        ("optim: {root_feedback: maybe}", "teacher"),
        ("data: {idle_share: 2}", "idle_share must be in"),
        ("network: {d_embed: 0}", "d_embed"),
        ("steps: many", "steps: expected a number"),
        ("steps: 0.5", "whole number"),
        ("optim: {bfloat16: 3}", "true or false"),
        ("data: 3", "expected a mapping"),
        ("steps: [", "not readable YAML"),
        ("camera: {near_share: 0.7, far_share: 0.7}", "must not exceed 1"),
        ("noise: {strength_range: [2, 1]}", "strength_range"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        TrainConfig.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        TrainConfig.load(tmp_path / "nowhere.yaml")
