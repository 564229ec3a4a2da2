"""The encoder's function: sizes, names, geometry of the patches, and the short forms."""

from __future__ import annotations

import pytest
import torch

from humor_ros.features import FULL_SIZE, EncoderConfig, Hmr2Encoder
from humor_ros.features.config import DecoderConfig, VitConfig
from humor_ros.features.values import rotations_of_pose


@pytest.fixture
def crops(small_config):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 3, 64, 64, generator=generator)


def test_full_size_has_the_published_names_and_shapes(shared):
    listed = shared / "spec" / "hmr2_state_dict_keys.txt"
    if not listed.is_file():
        pytest.skip(f"list of names not found: {listed}")
    rows = [line.split("\t") for line in listed.read_text().splitlines() if line.strip()]
    with torch.device("meta"):
        state = Hmr2Encoder(FULL_SIZE).state_dict()
    assert {n: str(tuple(t.shape)) for n, t in state.items()} == {r[0]: r[1] for r in rows}


def test_people_do_not_depend_on_those_beside_them(encoder, crops):
    together, alone = encoder(crops), encoder(crops[1:2])
    torch.testing.assert_close(together.feature[1:2], alone.feature, atol=2e-6, rtol=1e-5)


def test_only_the_middle_columns_of_a_square_crop_are_used(encoder, crops):
    torch.testing.assert_close(
        encoder.encode(crops), encoder.encode(crops[..., 8:56]), atol=0, rtol=0
    )


def test_the_last_two_rows_are_never_seen(encoder, crops):
    changed = crops.clone()
    changed[:, :, -2:] = 9.0
    torch.testing.assert_close(encoder.encode(changed), encoder.encode(crops), atol=0, rtol=0)


def test_the_row_before_the_last_two_is_seen(encoder, crops):
    changed = crops.clone()
    changed[:, :, -3] = 9.0
    assert (encoder.encode(changed) - encoder.encode(crops)).abs().max() > 1e-4


def test_the_query_attends_to_itself_by_its_value_alone(encoder, crops):
    before = encoder.encode(crops)
    for layer in encoder.smpl_head.transformer.transformer.layers:
        weight = layer[0].fn.to_qkv.weight
        weight[: 2 * len(weight) // 3].normal_()
    encoder.smpl_head.transformer.to_token_embedding.weight.normal_()
    torch.testing.assert_close(encoder.encode(crops), before, atol=0, rtol=0)


def test_cross_attention_is_that_of_keys_and_values(encoder):
    attention = encoder.smpl_head.transformer.transformer.layers[0][1].fn
    token, context = torch.randn(2, 1, 24), torch.randn(2, 12, 32)
    keys, values = attention.to_kv(context).unflatten(-1, (2, 2, 8)).permute(2, 0, 3, 1, 4)
    query = attention.to_q(token).unflatten(-1, (2, 8)).transpose(1, 2)
    mixed = torch.nn.functional.scaled_dot_product_attention(query, keys, values)
    expected = attention.to_out(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(token, context), expected, atol=1e-6, rtol=1e-5)


def test_read_outs_are_added_to_the_means_of_the_weights(encoder, crops):
    before = encoder(crops)
    encoder.smpl_head.init_betas.add_(1.0)
    torch.testing.assert_close(encoder(crops).betas, before.betas + 1.0)


def test_six_numbers_are_the_columns_of_a_rotation():
    pose = torch.randn(1, 144, generator=torch.Generator().manual_seed(0))
    rotation = rotations_of_pose(pose)[0, 5]
    first = pose[0, 30:33]
    torch.testing.assert_close(rotation[:, 0], first / first.norm())
    torch.testing.assert_close(rotation.T @ rotation, torch.eye(3), atol=1e-6, rtol=0)
    assert torch.linalg.det(rotation) > 0


@pytest.mark.parametrize("shape", [(1, 3, 60, 60), (3, 64, 64), (1, 1, 64, 48)])
def test_crops_of_another_size_are_an_error(encoder, shape):
    with pytest.raises(ValueError, match=r"crops must have shape \(B, 3, 64, 48\)"):
        encoder(torch.zeros(shape))


def test_a_configuration_survives_its_dictionary(small_config):
    assert EncoderConfig.from_dict(small_config.to_dict()) == small_config


def test_the_published_configuration_is_read(golden):
    config = EncoderConfig.from_file(golden / "config.json")
    assert (config.vit.embed_dim, config.vit.depth, config.decoder.heads) == (160, 3, 4)


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("vit", "ratio", 2, "vit.ratio must be 1"),
        ("vit", "num_heads", 3, "not divisible by num_heads"),
        ("vit", "depth", 0, "depth must be positive"),
        ("vit", "img_size", [60, 48], "img_size must be two multiples"),
        ("decoder", "norm", "batch", "decoder.norm must be layer"),
        ("decoder", "context_dim", 7, "is not vit.embed_dim"),
        ("decoder", "heads", None, "lacks or misstates"),
    ],
)
def test_a_configuration_that_is_not_supported_is_an_error(
    small_config, part, name, value, message
):
    values = small_config.to_dict()
    values[part][name] = value
    with pytest.raises(ValueError, match=message):
        EncoderConfig.from_dict(values)


def test_a_configuration_without_a_part_is_an_error(small_config):
    with pytest.raises(ValueError, match="lacks the table 'decoder'"):
        EncoderConfig.from_dict({"vit": small_config.to_dict()["vit"]})


def test_a_missing_configuration_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        EncoderConfig.from_file(tmp_path / "config.json")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"vit": 3}'])
def test_a_spoilt_configuration_file_is_named(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"config\.json is not an encoder configuration"):
        EncoderConfig.from_file(path)


def test_an_image_wider_than_high_is_an_error():
    with pytest.raises(ValueError, match="no wider than high"):
        VitConfig(img_size=(64, 128))


def test_a_decoder_without_layers_is_an_error():
    with pytest.raises(ValueError, match="depth must be positive"):
        DecoderConfig(depth=0)
