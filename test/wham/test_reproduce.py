"""Every golden array is recomputed, in both precisions, and by the command."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from humor_ros.commands.reproduce import app
from humor_ros.reproduction import largest_differences
from humor_ros.weight_files import CheckpointError
from humor_ros.wham.reproduce import Arrays, reproduce, tolerance

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "golden" / "wham"


@pytest.fixture(scope="module")
def golden(folder: Path) -> Arrays:
    with np.load(folder / "outputs.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def arrays(folder: Path) -> Arrays:
    return reproduce(folder)


def test_exactly_the_golden_arrays_are_written(arrays: Arrays, golden: Arrays) -> None:
    assert arrays.keys() == golden.keys()
    assert all(arrays[name].shape == value.shape for name, value in golden.items())


@pytest.mark.parametrize("case", ["feat", "nofeat", "featgap", "feat_yup", "norefine", "flip"])
def test_case_agrees(case: str, arrays: Arrays, golden: Arrays) -> None:
    chosen = {name: value for name, value in golden.items() if name.startswith(f"{case}/")}
    differences = largest_differences(arrays, chosen)
    assert {n: d for n, d in differences.items() if d > tolerance(n)} == {}


def test_float64_agrees_with_float64(folder: Path) -> None:
    arrays = reproduce(folder, torch.float64)
    with np.load(folder / "outputs_f64.npz") as file:
        differences = largest_differences(arrays, {name: file[name] for name in file.files})
    assert max(differences.values()) < 1e-6


def test_command_writes_the_file_and_a_table(folder: Path, golden: Arrays, tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    result = CliRunner().invoke(app, ["wham", str(folder), "--output", str(output)])
    assert result.exit_code == 0, result.output
    assert "featgap" in result.output
    with np.load(output) as file:
        assert set(file.files) == set(golden)


def test_command_without_reference_only_writes(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.name != "outputs.npz":
            shutil.copy(path, tmp_path / path.name)
    output = tmp_path / "out.npz"
    result = CliRunner().invoke(
        app, ["wham", str(tmp_path), "--output", str(output), "--dtype", "float64"]
    )
    assert result.exit_code == 0, result.output
    assert "99 arrays" in result.output


def test_the_embedded_body_stands_in_for_a_missing_file(
    folder: Path, arrays: Arrays, tmp_path: Path
) -> None:
    for name in ("checkpoint.pth.tar", "inputs.npz"):
        shutil.copy(folder / name, tmp_path / name)
    differences = largest_differences(reproduce(tmp_path), arrays)
    assert max(differences.values()) < 1e-4


def test_a_missing_input_array_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "checkpoint.pth.tar", tmp_path / "checkpoint.pth.tar")
    with np.load(folder / "inputs.npz") as file:
        kept = {name: file[name] for name in file.files if name != "init_root"}
    np.savez(tmp_path / "inputs.npz", **kept)
    with pytest.raises(CheckpointError, match="lacks the arrays init_root"):
        reproduce(tmp_path)


def test_missing_inputs_are_named(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "checkpoint.pth.tar", tmp_path / "checkpoint.pth.tar")
    with pytest.raises(FileNotFoundError, match=r"inputs\.npz"):
        reproduce(tmp_path)
