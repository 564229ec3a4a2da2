"""Files of weights and arrays: what is wrong with one is told by file and name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from humor_ros.weight_files import (
    CheckpointError,
    check_numbers,
    check_shapes,
    existing_file,
    read_arrays,
    read_model,
    some,
)

PATH = Path("weights.pt")


def tensors(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


def test_a_missing_file_and_what_it_should_hold_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no toy weights at .*none\.pt; give the path"):
        existing_file(tmp_path / "none.pt", "toy weights")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (tensors(a=(2,), b=(4,)), r"has wrong tensors: b \(4,\) instead of \(3,\); no toy"),
        (tensors(a=(2,)), "lacks tensors: b; no toy"),
        (tensors(a=(2,), b=(3,), c=(1,)), "has unknown tensors: c; no toy"),
    ],
)
def test_tensors_that_do_not_fit_are_named(found: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(CheckpointError, match=rf"weights\.pt {message}"):
        check_shapes(PATH, found, tensors(a=(2,), b=(3,)), "no toy")


def test_tensors_that_fit_pass() -> None:
    check_shapes(PATH, tensors(a=(2,)), tensors(a=(2,)), "no toy")


def test_of_many_names_some_are_told() -> None:
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.tensor([1.0, torch.nan]), "NaN or Inf in x"),
        (torch.tensor([-torch.inf, 1.0], dtype=torch.float16), "NaN or Inf in x"),
        (torch.tensor([1, 2]), r"holds torch\.int64 in x"),
    ],
)
def test_numbers_that_are_none_are_named(tensor: torch.Tensor, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        check_numbers(PATH, "x", tensor)


def test_arrays_come_back_and_missing_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "toy.npz"
    np.savez(path, a=np.arange(3))
    np.testing.assert_array_equal(read_arrays(path, "a toy", ("a",))["a"], [0, 1, 2])
    with pytest.raises(CheckpointError, match=r"toy\.npz lacks the arrays b, c; give a toy"):
        read_arrays(path, "a toy", ("c", "a", "b"))


def test_a_lone_array_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "toy.npy", np.arange(3))
    with pytest.raises(CheckpointError, match=r"toy\.npy cannot be read as a toy"):
        read_arrays(tmp_path / "toy.npy", "a toy")


def test_a_model_is_a_dictionary_of_tensors(tmp_path: Path) -> None:
    path = tmp_path / "toy.pt"
    torch.save({"model": tensors(a=(2,)), "epoch": 3}, path)
    assert list(read_model(path, "toy")) == ["a"]
    torch.save({"model": {"a": 1.0}}, path)
    with pytest.raises(CheckpointError, match="no dictionary of tensors under 'model'"):
        read_model(path, "toy")
