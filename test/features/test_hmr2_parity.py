"""The published network's arrays, recomputed from the raw image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from humor_ros.commands.reproduce_hmr2 import reproduce_hmr2
from humor_ros.features.reproduce import reproduce
from humor_ros.reproduction import largest_differences

#: Arrays that need SMPL's own mesh.
NEED_SMPL = {f"{prefix}wham_init_{name}" for prefix in ("", "flipped_") for name in ("kp", "kp3d")}


@pytest.fixture(scope="module")
def expected(golden):
    with np.load(golden / "outputs_f64.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def made(golden):
    return {dtype: reproduce(golden, dtype) for dtype in (torch.float32, torch.float64)}


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-10), (torch.float32, 5e-5)])
def test_every_array_that_the_folder_allows_is_the_same(made, expected, dtype, limit):
    differences = largest_differences(made[dtype], expected)
    beyond = {n: v for n, v in differences.items() if n not in NEED_SMPL and not v <= limit}
    assert beyond == {}


def test_arrays_have_the_type_asked_for(made, expected):
    for dtype, arrays in made.items():
        kinds = {arrays[n].dtype for n in expected if n not in NEED_SMPL}
        assert kinds == {np.dtype(str(dtype).removeprefix("torch."))}


def test_crops_and_their_corners_are_given_too(made, golden):
    arrays = made[torch.float64]
    with np.load(golden / "inputs.npz") as file:
        np.testing.assert_array_equal(arrays["norm_crop"], file["norm_crop"])
        np.testing.assert_array_equal(arrays["crop_ul_br_xyxy"], file["crop_ul_br_xyxy"])
    assert arrays["ul_br"].shape == (4000, 4)


@pytest.fixture
def command():
    app = typer.Typer()
    app.command()(reproduce_hmr2)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_command_writes_and_compares(command, golden, tmp_path, expected):
    output = tmp_path / "out.npz"
    result = command(golden, "--output", output, "--dtype", "float64")
    assert result.exit_code == 0, result.output
    assert "42 arrays, largest difference" in result.output
    with np.load(output) as file:
        assert set(expected) - set(file.files) == NEED_SMPL


def test_the_command_fails_where_an_array_differs(command, golden, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for file in golden.iterdir():
        if file.name != "outputs_f64.npz" and not file.name.startswith("layout"):
            (folder / file.name).symlink_to(file)
    with np.load(golden / "outputs_f64.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["pred_cam"] = arrays["pred_cam"] + 1e-3
    np.savez(folder / "outputs_f64.npz", **arrays)
    result = command(folder, "--output", tmp_path / "out.npz")
    assert result.exit_code == 1
    assert "out of tolerance 5e-05: pred_cam" in result.output


def test_a_missing_folder_is_named(command, tmp_path):
    result = command(tmp_path / "nowhere", "--output", tmp_path / "out.npz")
    assert result.exit_code == 2
    assert "nowhere" in result.output


@pytest.mark.parametrize("gone", ["config.json", "inputs.npz", "hmr2_reduced.ckpt"])
def test_a_missing_file_is_named(golden, tmp_path, gone):
    for file in golden.iterdir():
        if file.name != gone:
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(FileNotFoundError, match=r"config\.json|inputs\.npz|hmr2\*\.ckpt"):
        reproduce(tmp_path)


def test_inputs_that_lack_an_array_are_named(golden, tmp_path):
    for file in golden.iterdir():
        if file.name != "inputs.npz":
            (tmp_path / file.name).symlink_to(file)
    np.savez(tmp_path / "inputs.npz", keypoints=np.zeros((1, 17, 3)))
    with pytest.raises(ValueError, match="lacks the arrays bbox_cx_cy_s"):
        reproduce(tmp_path)


def test_inputs_that_are_no_arrays_are_named(golden, tmp_path):
    for file in golden.iterdir():
        if file.name != "inputs.npz":
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "inputs.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ValueError, match=r"inputs\.npz cannot be read as inputs"):
        reproduce(tmp_path)
