"""Shorter types and packing: what they convert, and that the stated bounds hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from humor_ros.features import (
    FEATURE_BOUNDS,
    EncoderConfig,
    FeatureExtractor,
    Hmr2Encoder,
    load_encoder,
    set_precision,
)
from humor_ros.features.config import DecoderConfig, VitConfig
from humor_ros.features.packed import PackedLinear, pack

TYPES = list(FEATURE_BOUNDS)


def change(found: torch.Tensor, expected: np.ndarray) -> float:
    """Largest difference over the root mean square."""
    return float(np.abs(found.double().numpy() - expected).max() / np.sqrt((expected**2).mean()))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_the_golden_feature_changes_by_less_than_the_bound(golden, dtype, packed):
    config = EncoderConfig.from_file(golden / "config.json")
    encoder, _ = load_encoder(golden / "hmr2_reduced.ckpt", config, dtype=dtype)
    if packed:
        pack(encoder)
    with np.load(golden / "inputs.npz") as file, np.load(golden / "outputs_f64.npz") as outputs:
        crops, expected = torch.from_numpy(file["norm_crop"]), outputs["feature_token_out"]
    with torch.inference_mode():
        assert change(encoder.encode(crops), expected) < FEATURE_BOUNDS[dtype]


def test_short_types_are_for_the_blocks_linear_maps_alone(encoder):
    set_precision(encoder, torch.bfloat16)
    short = {n for n, p in encoder.named_parameters() if p.dtype is torch.bfloat16}
    assert all(".attn." in name or ".mlp." in name for name in short)
    assert len(short) == 2 * 8


def test_conversion_leaves_the_names(encoder):
    names = list(encoder.state_dict())
    assert list(set_precision(encoder, torch.float16).state_dict()) == names


def test_an_unknown_type_is_an_error(encoder):
    with pytest.raises(ValueError, match=r"dtype must be one of float64, .*got torch\.int32"):
        set_precision(encoder, torch.int32)


@pytest.fixture
def crops():
    return torch.randn(3, 3, 64, 48, generator=torch.Generator().manual_seed(0))


def pack_or_skip(encoder):
    if not pack(encoder):
        pytest.skip("this processor or PyTorch cannot pack float32 maps")


def test_packing_does_not_change_the_function(encoder, crops):
    before = encoder(crops)
    pack_or_skip(encoder)
    with torch.inference_mode():
        after = encoder(crops)
    torch.testing.assert_close(after.feature, before.feature, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(after.pose, before.pose, atol=1e-5, rtol=1e-5)


def test_packing_drops_the_plain_weights(encoder):
    pack_or_skip(encoder)
    assert isinstance(encoder.backbone.blocks[0].mlp.fc2, PackedLinear)
    assert not [name for name in encoder.state_dict() if ".attn." in name or ".mlp." in name]


def test_packing_lets_the_file_go(write_checkpoint, small_config):
    encoder, _ = load_encoder(write_checkpoint(), small_config)
    places = {tensor.data_ptr() for tensor in encoder.state_dict().values()}
    pack_or_skip(encoder)
    assert not places & {tensor.data_ptr() for tensor in encoder.state_dict().values()}


def test_packing_twice_is_packing_once(encoder, crops):
    pack_or_skip(encoder)
    with torch.inference_mode():
        before = encoder.encode(crops)
        assert pack(encoder)
        torch.testing.assert_close(encoder.encode(crops), before, atol=0, rtol=0)


def test_a_packed_encoder_keeps_its_type(encoder):
    pack_or_skip(encoder)
    with pytest.raises(ValueError, match="encoder is packed; convert it before"):
        set_precision(encoder, torch.bfloat16)


def test_a_packed_encoder_stays_on_the_processor(encoder):
    pack_or_skip(encoder)
    with pytest.raises(ValueError, match="load it anew for device cuda"):
        FeatureExtractor(encoder, device="cuda")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=str)
def test_types_that_cannot_be_packed_stay_as_they_are(encoder, dtype):
    assert not pack(set_precision(encoder, dtype))
    assert "backbone.blocks.0.attn.qkv.weight" in encoder.state_dict()


def test_without_the_means_the_encoder_works_unpacked(encoder, crops, monkeypatch):
    before = encoder.encode(crops)
    monkeypatch.setattr("humor_ros.features.packed.PackedLinear.__init__", _refuse)
    assert not pack(encoder)
    torch.testing.assert_close(encoder.encode(crops), before, atol=0, rtol=0)


def _refuse(*_args: object, **_options: object) -> None:
    raise RuntimeError("no such operation")


@pytest.fixture(scope="module")
def full_width():
    """Two blocks of the published width with random weights, crops, and the feature in float32."""
    torch.manual_seed(0)
    config = EncoderConfig(VitConfig(depth=2), DecoderConfig(depth=1))
    weights = Hmr2Encoder(config).state_dict()
    crops = torch.randn(1, 3, 256, 192, generator=torch.Generator().manual_seed(1))
    encoder = Hmr2Encoder(config).eval()
    encoder.load_state_dict(weights)
    with torch.inference_mode():
        return config, weights, crops, encoder.encode(crops).double().numpy()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_blocks_of_the_published_width_change_the_feature_by_less_than_the_bound(full_width, dtype):
    config, weights, crops, expected = full_width
    encoder = Hmr2Encoder(config).eval()
    encoder.load_state_dict(weights)
    set_precision(encoder, dtype)
    with torch.inference_mode():
        found = change(encoder.encode(crops), expected)
    assert found < FEATURE_BOUNDS[dtype]
