"""The command runs from shards to a weight file, and says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from humor_ros.commands.train import app
from humor_ros.wham.checkpoint import load_network, read_metadata

SMALL = """
steps: 3
validate_every: 2
validation_windows: 2
validation_frames: 8
network: {d_embed: 16, n_layers: 1, n_refiner_layers: 1, d_feat: 4, d_integrator: 4,
          kp_feedback: false, pose_feedback: false}
data: {window_frames: 8}
optim: {batch_size: 2}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def run(*arguments: object):
    return CliRunner().invoke(app, ["wham", *map(str, arguments)])


def test_it_trains_resumes_and_fine_tunes(shards, config, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    result = run("--data", shards, "--config", config, "--output", first)
    assert result.exit_code == 0, result.output
    assert load_network(first / "weights.safetensors").config.d_embed == 16
    config.write_text(SMALL.replace("steps: 3", "steps: 5"))
    result = run("--data", shards, "--config", config, "--output", first, "--resume")
    assert result.exit_code == 0, result.output
    assert read_metadata(first / "weights.safetensors")["steps"] == "5"
    result = run("--data", shards, "--config", config, "--output", second, "--start-from", first)
    assert result.exit_code == 0, result.output


def test_a_folder_without_shards_is_an_error_that_names_it(config, tmp_path):
    result = run("--data", tmp_path, "--config", config, "--output", tmp_path / "run")
    assert isinstance(result.exception, FileNotFoundError)
    assert str(tmp_path) in str(result.exception)
