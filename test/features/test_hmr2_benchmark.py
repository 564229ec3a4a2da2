"""The benchmark's plain implementation is the same function, and its table is complete."""

from __future__ import annotations

import importlib.util
import mmap
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "hmr2_encoder.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("hmr2_encoder", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["hmr2_encoder"] = module  # its processes and dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["hmr2_encoder"]


def test_the_plain_implementation_is_the_same_function(benchmark, encoder):
    encoder = encoder.double()
    crops = torch.randn(2, 3, 64, 48, dtype=torch.float64)
    plain = benchmark.PlainEncoder(encoder.state_dict(), encoder.config)
    torch.testing.assert_close(plain(crops), encoder.encode(crops), atol=1e-10, rtol=0)


def test_the_table_has_a_line_for_each_case(benchmark, small_config, capsys, monkeypatch):
    monkeypatch.setattr(
        benchmark, "measure_memory", lambda *_: benchmark.Memory(own=10**9, peak=2 * 10**9)
    )
    monkeypatch.setattr(benchmark, "FULL_SIZE", small_config)
    threads = torch.get_num_threads()
    benchmark.main(threads=threads, rounds=1, depth=1, device="cpu")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 * 2 * 2
    assert all("1.00     2.00" in line for line in lines[2:])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_a_process_takes_is_seen(benchmark):
    own, peak = benchmark.resident()
    size = 64 << 20
    # A mapping of its own: memory that an earlier test has freed cannot serve it.
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        block.write(b"1" * size)
        assert benchmark.resident()[0] - own > 0.9 * size
    assert benchmark.resident()[1] >= peak


def test_written_weights_are_those_of_a_known_release(benchmark, small_config, tmp_path):
    path = tmp_path / "weights.ckpt"
    benchmark.write_checkpoint(path, small_config)
    plain = benchmark.load_plain(path, small_config, torch.float32)
    ours = benchmark.load_ours(path, small_config, torch.float32)
    crops = torch.randn(1, 3, 64, 48)
    with torch.inference_mode():
        torch.testing.assert_close(plain(crops), ours.encode(crops), atol=1e-5, rtol=1e-5)
    assert replace(small_config) == ours.config
