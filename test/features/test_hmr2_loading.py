"""Weights from files: the published container, safely, once; and everything that files do wrong."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humor_ros.features import CheckpointError, Hmr2Encoder, Release, load_encoder
from humor_ros.features.checkpoint import release_of
from humor_ros.features.container import Container, read_container

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def mapped_files() -> str:
    return Path("/proc/self/maps").read_text()


def test_published_container_is_read_in_full(golden, caplog):
    with caplog.at_level(logging.WARNING):
        encoder, release = load_encoder(golden / "layout_vith_lightning.ckpt")
    assert sum(p.numel() for p in encoder.parameters()) == 670_459_037
    assert release is Release.HMR2_0B
    assert "HMR2.0a" in caplog.text


def test_weights_come_back_and_need_no_gradient(write_checkpoint, encoder, small_config):
    loaded, release = load_encoder(write_checkpoint(), small_config)
    assert release is Release.HMR2_0A
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    for name, tensor in encoder.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, atol=0, rtol=0)


@on_linux
def test_float32_weights_are_mapped_and_not_copied(write_checkpoint, small_config):
    path = write_checkpoint("mapped.ckpt")
    encoder, _ = load_encoder(path, small_config)
    ranges = [
        tuple(int(part, 16) for part in line.split()[0].split("-"))
        for line in mapped_files().splitlines()
        if line.endswith("mapped.ckpt")
    ]
    for name, tensor in encoder.state_dict().items():
        assert any(low <= tensor.data_ptr() < high for low, high in ranges), name


@on_linux
def test_the_file_is_let_go_once_weights_are_converted(write_checkpoint, small_config):
    encoder, _ = load_encoder(write_checkpoint("short.ckpt"), small_config, dtype=torch.bfloat16)
    assert "short.ckpt" not in mapped_files()
    assert encoder.backbone.blocks[0].attn.qkv.weight.dtype is torch.bfloat16


def resident_bytes(name: str) -> int:
    """Of a mapped file."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if not line.split()[0].endswith(":"):
            inside = line.endswith(name)
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


@on_linux
def test_a_dropped_tensor_is_let_go_while_others_stay(tmp_path):
    path = tmp_path / "two.ckpt"
    torch.save({"large": torch.ones(1 << 22), "small": torch.ones(3)}, path)
    tensors = read_container(path).tensors
    assert tensors["large"].sum() == 1 << 22
    assert resident_bytes("two.ckpt") >= 1 << 24
    del tensors["large"]
    assert resident_bytes("two.ckpt") < 1 << 20
    assert tensors["small"].sum() == 3


@on_linux
def test_many_tensors_need_one_open_file(tmp_path):
    path = tmp_path / "many.ckpt"
    torch.save({str(i): torch.ones(2) for i in range(300)}, path)
    before = len(os.listdir("/proc/self/fd"))
    tensors = read_container(path).tensors
    assert len(tensors) == 300
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_changing_a_mapped_tensor_leaves_the_file(write_checkpoint):
    path = write_checkpoint()
    data = path.read_bytes()
    read_container(path).tensors["backbone.pos_embed"].zero_()
    assert path.read_bytes() == data


def test_body_and_critic_are_ignored(write_checkpoint, small_config):
    extra = {
        "smpl.shapedirs": torch.ones(3),
        "discriminator.x": torch.ones(2),
        "initialized": torch.tensor(True),
    }
    load_encoder(write_checkpoint(tensors=extra), small_config)


@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model."])
def test_prefixes_of_wrapped_modules_are_taken_off(write_checkpoint, small_config, prefix):
    load_encoder(write_checkpoint(prefix=prefix), small_config)


def test_a_bare_dictionary_of_tensors_is_read(encoder, small_config, tmp_path, caplog):
    torch.save(encoder.state_dict(), tmp_path / "bare.pt")
    with caplog.at_level(logging.WARNING):
        _, release = load_encoder(tmp_path / "bare.pt", small_config)
    assert release is Release.UNKNOWN
    assert "does not tell its release" in caplog.text


@pytest.mark.parametrize(
    ("name", "step", "release"),
    [
        ("x.ckpt", 1_000_000, Release.HMR2_0B),
        ("x.ckpt", 25_000, Release.HMR2_0A),
        ("hmr2a.ckpt", 1_000_000, Release.HMR2_0B),
        ("hmr2a.ckpt", None, Release.HMR2_0A),
        ("HMR2.0b.ckpt", None, Release.HMR2_0B),
        ("hmr2_a.ckpt", 7, Release.HMR2_0A),
        ("epoch=35-step=1000000.ckpt", None, Release.HMR2_0B),
        ("epoch=10-step=25000.ckpt", None, Release.HMR2_0A),
        ("hmr2_best.ckpt", None, Release.UNKNOWN),
        ("mine.ckpt", 3, Release.UNKNOWN),
    ],
)
def test_releases_are_told_by_step_then_by_name(name, step, release):
    assert release_of(Container(Path(name), {}, step)) is release


def with_pickle(source: Path, path: Path, program: bytes) -> Path:
    """A copy of an archive with another pickle."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            spoil = entry.filename.endswith("data.pkl")
            new.writestr(entry.filename, program if spoil else old.read(entry))
    return path


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class Settings(dict):
    """A foreign class, with items and attributes."""

    def __init__(self, **items):
        super().__init__(**items)
        self.frozen = True


def test_nothing_that_a_file_names_is_run(write_checkpoint, small_config, tmp_path):
    mark = tmp_path / "ran"
    path = write_checkpoint(hyper_parameters={"cfg": Hostile(mark)}, callbacks=[Hostile(mark)])
    load_encoder(path, small_config)
    assert not mark.exists()


def test_a_hostile_tensor_is_a_missing_one(write_checkpoint, small_config, tmp_path):
    mark = tmp_path / "ran"
    path = write_checkpoint(tensors={"backbone.pos_embed": Hostile(mark)})
    with pytest.raises(CheckpointError, match=r"lacks tensors: backbone\.pos_embed"):
        load_encoder(path, small_config)
    assert not mark.exists()


def test_foreign_classes_of_the_training_are_passed_over(write_checkpoint, small_config):
    path = write_checkpoint(
        hyper_parameters={"cfg": Settings(lr=1e-5, nested=Settings(a=[1, 2]))},
        callbacks={"best": np.float64(3.0), "kinds": {1, 2}, "path": Path("x")},
    )
    load_encoder(path, small_config)


def test_a_file_cannot_alter_what_rebuilds_tensors(write_checkpoint, tmp_path):
    """BUILD with slot state sets attributes on whatever lies on the stack."""
    program = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(N}X\x0c\x00\x00\x00__defaults__q\x00Nstb."
    )
    path = with_pickle(write_checkpoint(), tmp_path / "altered.ckpt", program)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_container(path)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "remembers 2147483647 things"),
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x00.", "cannot be read"),
        (b"\x80\x05N\x97.", "holds PROTO|holds NEXT_BUFFER"),
    ],
)
def test_a_pickle_that_asks_for_much_memory_is_refused(write_checkpoint, tmp_path, program, reason):
    path = with_pickle(write_checkpoint(), tmp_path / "greedy.ckpt", program)
    with pytest.raises(CheckpointError, match=reason):
        read_container(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_spoilt_byte_is_an_error_or_harmless(write_checkpoint, tmp_path, data):
    path = write_checkpoint()
    with zipfile.ZipFile(path) as archive:
        program = bytearray(archive.read("weights/data.pkl"))
    place = data.draw(st.integers(0, len(program) - 1))
    program[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(CheckpointError):
        read_container(with_pickle(path, tmp_path / "spoilt.ckpt", bytes(program)))


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.ckpt; give the path"):
        load_encoder("nowhere.ckpt")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no image-encoder weights"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.98])
def test_a_truncated_file_is_an_error(write_checkpoint, small_config, share):
    path = write_checkpoint()
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match="truncated"):
        load_encoder(path, small_config)


@pytest.mark.parametrize(
    "content", [b"", b"hello", pickle.dumps({"a": 1}), b"PK\x05\x06" + bytes(18)]
)
def test_a_file_of_another_kind_is_an_error(tmp_path, content):
    path = tmp_path / "other.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"other\.ckpt cannot be read"):
        load_encoder(path)


def test_a_spoilt_byte_is_found_by_the_check_sums(write_checkpoint, small_config):
    path = write_checkpoint()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="check sum"):
        load_encoder(path, small_config, check_sums=True)


def test_a_compressed_archive_is_an_error(write_checkpoint, tmp_path):
    packed = tmp_path / "zipped.ckpt"
    kind = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(write_checkpoint()) as old, zipfile.ZipFile(packed, "w", kind) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    with pytest.raises(CheckpointError, match="is compressed"):
        read_container(packed)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": 3}, {"state_dict": {}}, {"a": 1}])
def test_a_file_without_tensors_is_an_error(tmp_path, content):
    path = tmp_path / "empty.ckpt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="holds no tensors under 'state_dict'"):
        read_container(path)


def test_another_size_is_an_error_that_names_tensors(write_checkpoint):
    with pytest.raises(CheckpointError, match=r"has wrong tensors: .*\(1, 13, 32\) instead of"):
        load_encoder(write_checkpoint())


def test_a_missing_tensor_is_named(write_checkpoint, small_config):
    path = write_checkpoint(drop="smpl_head.deccam.bias")
    with pytest.raises(CheckpointError, match=r"lacks tensors: smpl_head\.deccam\.bias"):
        load_encoder(path, small_config)


@pytest.mark.parametrize("name", ["backbone.blocks.2.norm1.bias", "smpl_head.extra", "motion.x"])
def test_an_unknown_tensor_is_named(write_checkpoint, small_config, name):
    path = write_checkpoint(tensors={name: torch.ones(1)})
    with pytest.raises(CheckpointError, match=f"has unknown tensors: {name}"):
        load_encoder(path, small_config)


def test_weights_that_are_not_finite_are_an_error(write_checkpoint, encoder, small_config):
    bias = torch.full_like(encoder.smpl_head.deccam.bias, float("nan"))
    path = write_checkpoint(tensors={"smpl_head.deccam.bias": bias})
    with pytest.raises(CheckpointError, match=r"NaN or Inf in smpl_head\.deccam\.bias"):
        load_encoder(path, small_config)


def test_weights_of_whole_numbers_are_an_error(write_checkpoint, small_config):
    path = write_checkpoint(tensors={"smpl_head.deccam.bias": torch.zeros(3, dtype=torch.int64)})
    with pytest.raises(CheckpointError, match="numbers must be real"):
        load_encoder(path, small_config)


def test_an_encoder_can_be_of_any_size(small_config):
    assert sum(p.numel() for p in Hmr2Encoder(small_config).parameters()) < 100_000
