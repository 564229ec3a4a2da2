"""Weight files: both formats, and every way in which a file can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from wham_cases import SMALL, make_network

from humor_ros.weight_files import CheckpointError
from humor_ros.wham import WhamNetwork
from humor_ros.wham.checkpoint import (
    load_network,
    load_regressors,
    read_metadata,
    save_safetensors,
)


@pytest.fixture
def published(network: WhamNetwork, tmp_path: Path) -> Path:
    """A file in the published container, with a body's buffers beside the network."""
    model = dict(network.state_dict())
    model["smpl.betas"] = torch.zeros(80, 10)
    model["smpl.J_regressor_wham"] = torch.rand(31, 50)
    model["smpl.J_regressor_feet"] = torch.rand(4, 50)
    path = tmp_path / "checkpoint.pth.tar"
    torch.save({"model": model, "epoch": 3, "performance": np.float64(45.0)}, path)
    return path


def same_weights(one: WhamNetwork, other: WhamNetwork) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_published_container_is_read(network: WhamNetwork, published: Path) -> None:
    loaded = load_network(published)
    assert same_weights(loaded, network)
    assert not loaded.training
    sizes = ("d_embed", "n_layers", "n_refiner_layers", "d_feat", "d_integrator")
    assert all(getattr(loaded.config, name) == getattr(SMALL, name) for name in sizes)


def test_golden_checkpoint_is_read(shared: Path) -> None:
    network = load_network(shared / "golden" / "wham" / "checkpoint.pth.tar")
    assert (network.config.d_embed, network.config.d_context, network.config.d_feat) == (
        64,
        115,
        32,
    )


def test_regressors_of_the_body_are_offered(published: Path) -> None:
    regressors = load_regressors(published)
    assert regressors.keypoints31.shape == (31, 50)
    assert regressors.feet.shape == (4, 50)


def test_safetensors_keep_weights_and_configuration(network: WhamNetwork, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_safetensors(network, path, metadata={"trained_on": "nothing"})
    loaded = load_network(path)
    assert same_weights(loaded, network)
    assert loaded.config == network.config
    assert read_metadata(path)["trained_on"] == "nothing"


def test_half_precision_halves_the_file_and_is_read_as_float32(
    network: WhamNetwork, tmp_path: Path
) -> None:
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    save_safetensors(network, full)
    save_safetensors(network, half, half=True)
    loaded = load_network(half)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("name", ["weights.safetensors", "checkpoint.pth.tar"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        load_network(tmp_path / name)


def _truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _spoil(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(64) + data[middle + 64 :]


@pytest.mark.parametrize(
    "damage", [_truncate, _spoil, lambda _: b"", lambda _: b"no weights", lambda d: d[:100]]
)
def test_a_damaged_container_is_refused_by_name(
    published: Path, damage: Callable[[bytes], bytes]
) -> None:
    published.write_bytes(damage(published.read_bytes()))
    with pytest.raises(CheckpointError, match=r"checkpoint\.pth\.tar.*fetch or copy"):
        load_network(published)


@pytest.mark.parametrize("damage", [_truncate, lambda _: b"", lambda _: b"no weights at all"])
def test_a_damaged_safetensors_file_is_refused_by_name(
    network: WhamNetwork, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "weights.safetensors"
    save_safetensors(network, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"weights\.safetensors.*fetch or copy"):
        load_network(path)


def test_code_in_a_container_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    torch.save({"model": Path("/")}, path)
    with pytest.raises(CheckpointError, match="corrupt, truncated or of another kind"):
        load_network(path)


def _resave(path: Path, change: Callable[[dict], object]) -> None:
    container = torch.load(path, weights_only=False)
    change(container["model"])
    torch.save(container, path)


HEAD = "motion_decoder.regressor.declayer3.bias"
EMBED = "motion_encoder.embed_layer.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: model.pop(HEAD), f"lacks tensors: {HEAD}"),
        (lambda model: model.pop(EMBED), f"lacks the tensor '{EMBED}'"),
        (lambda model: model.update({"extra.weight": torch.zeros(2)}), "unknown tensors: extra"),
        (lambda model: model.update({HEAD: torch.zeros(5)}), r"\(5,\) instead of \(4,\)"),
        (lambda model: model.update({EMBED: torch.zeros(7)}), "is not a WHAM network"),
        (lambda model: model.update({HEAD: torch.full((4,), torch.nan)}), "NaN or Inf"),
        (lambda model: model.clear(), "lacks the tensor"),
    ],
)
def test_wrong_tensors_are_refused_by_name(
    published: Path, change: Callable[[dict], object], message: str
) -> None:
    _resave(published, change)
    with pytest.raises(CheckpointError, match=message):
        load_network(published)


def test_a_container_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(CheckpointError, match="no dictionary of tensors under 'model'"):
        load_network(path)


def test_safetensors_of_another_project_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, str(path))
    with pytest.raises(CheckpointError, match="not a WHAM weight file"):
        load_network(path)


def test_a_container_without_regressors_says_so(published: Path) -> None:
    _resave(published, lambda model: model.pop("smpl.J_regressor_feet"))
    with pytest.raises(CheckpointError, match=r"smpl\.J_regressor_feet.*missing"):
        load_regressors(published)


def test_gradients_are_on_after_loading(published: Path) -> None:
    assert all(parameter.requires_grad for parameter in load_network(published).parameters())


def test_every_parameter_is_published_under_its_name(shared: Path) -> None:
    lines = (shared / "spec" / "wham_state_dict_keys.txt").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    published = {row[0]: row[1] for row in rows if not row[0].startswith("smpl.")}
    with torch.device("meta"):
        ours = {name: str(tuple(t.shape)) for name, t in WhamNetwork().state_dict().items()}
    assert ours == published


def test_a_network_of_any_seed_survives_both_formats(tmp_path: Path) -> None:
    for seed in range(3):
        network = make_network(seed=seed)
        save_safetensors(network, tmp_path / "a.safetensors")
        torch.save({"model": network.state_dict()}, tmp_path / "a.pth.tar")
        assert same_weights(load_network(tmp_path / "a.safetensors"), network)
        assert same_weights(load_network(tmp_path / "a.pth.tar"), network)
