"""The streaming state: indexing, joining and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from wham_cases import largest_difference, make_network, make_start

from humor_ros.wham import WhamState

NETWORK = make_network()
STATE = make_start(NETWORK, 5)


@given(order=st.permutations(range(5)))
def test_selecting_and_joining_people_loses_nothing(order: list[int]) -> None:
    shuffled = WhamState.cat([STATE.select(i) for i in order])
    back = shuffled.select([order.index(i) for i in range(5)])
    assert largest_difference(back, STATE) == 0.0


def test_split_gives_one_state_a_person() -> None:
    parts = STATE.split()
    assert [part.n_people for part in parts] == [1] * 5
    assert largest_difference(WhamState.cat(parts), STATE) == 0.0


def test_nobody_is_a_state_too() -> None:
    assert STATE.select([]).n_people == 0


def test_joining_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="states is empty"):
        WhamState.cat([])


def test_a_file_keeps_every_bit(tmp_path: Path) -> None:
    STATE.save(tmp_path / "state.npz")
    loaded = WhamState.load(tmp_path / "state.npz")
    assert largest_difference(loaded, STATE) == 0.0
    assert loaded.translation.dtype == torch.float64


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.npz"):
        WhamState.load(tmp_path / "gone.npz")


def test_a_truncated_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    STATE.save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"state\.npz cannot be read as a WHAM state"):
        WhamState.load(path)


def test_an_incomplete_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    STATE.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "feet"}
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="feet"):
        WhamState.load(path)


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz is not a WHAM state of format"):
        WhamState.load(path)
