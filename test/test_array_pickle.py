"""Pickles of arrays are read, and nothing that they name is called."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from humor_ros.array_pickle import read_array_pickle

CONTENT = {
    "floats": np.arange(6.0).reshape(2, 3),
    "mask": np.array([True, False]),
    "objects": np.array([np.zeros(2), None], dtype=object),
    "scalar": np.float32(1.5),
    "nested": {"list": [np.ones(3), "text", 2], "tuple": (1, None)},
}


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_and_containers_come_back(protocol, tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(CONTENT, protocol=protocol))
    content = read_array_pickle(path)
    assert np.array_equal(content["floats"], CONTENT["floats"])
    assert content["mask"].tolist() == [True, False]
    assert content["objects"][1] is None
    assert content["scalar"] == 1.5
    assert content["nested"]["list"][1:] == ["text", 2]


def test_arrays_that_python_2_pickled_come_back(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(
        b"(dS'a'\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntRp1\n"
        b"(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
        b"I00\nS'\\x00\\x00\\x00\\x00\\x00\\x00\\xf8?\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\xc0'\n"
        b"tbs."
    )
    assert read_array_pickle(path)["a"].tolist() == [1.5, -2.25]


class Attack:
    def __init__(self, *reduction):
        self.reduction = reduction

    def __reduce__(self):
        return self.reduction


@pytest.mark.parametrize(
    "reduction",
    [
        (os.system, ("true",)),
        (eval, ("1",)),
        (np.load, ("a.npy",)),
        (np.fromfile, ("a",)),
        (getattr, ("a", "upper")),
    ],
)
def test_a_pickle_that_calls_anything_else_is_refused(reduction, tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": Attack(*reduction)}))
    with pytest.raises(ValueError, match=r"a\.pkl is not a readable pickle of arrays: it asks for"):
        read_array_pickle(path)


def test_an_array_that_is_larger_than_its_file_is_refused(tmp_path):
    path = tmp_path / "a.pkl"
    reconstruct = np.zeros(1).__reduce__()[0]
    path.write_bytes(pickle.dumps({"a": Attack(reconstruct, (np.ndarray, (10**12,), b"b"))}))
    with pytest.raises(ValueError, match="unexpected array"):
        read_array_pickle(path)


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps([1]), pickle.dumps(CONTENT)[:40]])
def test_another_file_is_refused(content, tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.pkl"):
        read_array_pickle(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.pkl"):
        read_array_pickle(tmp_path / "a.pkl")
