"""Weight files of a network come back with their configuration, or say what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from humor_ros.network_files import NetworkFiles
from humor_ros.weight_files import CheckpointError

FILES = NetworkFiles(
    name="toy",
    format="toys/1",
    writer="toys.save",
    network=lambda sizes: nn.Linear(*sizes),
    config=lambda values: (int(values["inputs"]), int(values["outputs"])),
)
CONFIG = {"inputs": 3, "outputs": 2}


@pytest.fixture
def network() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_weights_and_header_come_back(network: nn.Linear, tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    FILES.save(network, CONFIG, path, metadata={"made": "here"})
    back = FILES.load(path)
    assert not back.training
    assert all(parameter.requires_grad for parameter in back.parameters())
    torch.testing.assert_close(back.weight, network.weight, rtol=0, atol=0)
    assert FILES.metadata(path)["made"] == "here"


def test_what_is_halved_is_read_as_float32(network: nn.Linear, tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    FILES.save(network, CONFIG, path, half=lambda name, tensor: name == "weight")
    back = FILES.load(path)
    assert back.weight.dtype is back.bias.dtype is torch.float32
    assert torch.equal(back.weight, network.weight.half().float())
    assert torch.equal(back.bias, network.bias)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"format": "toys/2"}, r"not a toy weight file of format toys/1 \(its header has toys/2\)"),
        ({}, "no format entry"),
        ({"format": "toys/1"}, "no usable toy configuration"),
        ({"format": "toys/1", "config": "{"}, "no usable toy configuration"),
        ({"format": "toys/1", "config": '{"inputs": 3}'}, "no usable toy configuration"),
        ({"format": "toys/1", "config": '{"inputs": 3, "outputs": 2}'}, "lacks tensors: bias"),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    header: dict[str, str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "toy.safetensors"
    save_file({"weight": torch.zeros(2, 3)}, str(path), metadata=header)
    with pytest.raises(CheckpointError, match=message) as caught:
        FILES.load(path)
    assert "toy.safetensors" in str(caught.value)


def test_sizes_that_shapes_do_not_tell_are_an_error(tmp_path: Path) -> None:
    def sizes(shapes: dict[str, tuple[int, ...]]) -> tuple[int, int]:
        outputs, inputs = shapes["weight"]
        return inputs, outputs

    whole = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}
    assert FILES.build_published(tmp_path, whole, sizes).in_features == 3
    with pytest.raises(CheckpointError, match="lacks the tensor 'weight'"):
        FILES.build_published(tmp_path, {}, sizes)
    with pytest.raises(CheckpointError, match="is not a toy network"):
        FILES.build_published(tmp_path, {"weight": torch.zeros(2)}, sizes)
