"""People of an image: batches, mirrored crops, and boxes that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from humor_ros.features import EncoderConfig, FeatureExtractor, load_encoder
from humor_ros.features.crop import crop_people

BOXES = np.array([[60.0, 45.0, 0.4], [10.0, 20.0, 0.5], [100.0, 80.0, 0.2]])


@pytest.fixture
def extract(encoder, image):
    """Features of boxes in the image, by an extractor of these options."""
    return lambda boxes, **options: FeatureExtractor(encoder, **options).extract(image, boxes)


def test_people_are_encoded_from_their_crops(encoder, image):
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(crop_people(image, BOXES, 64)))
    found = FeatureExtractor(encoder).extract(image, BOXES)
    assert found.valid.tolist() == [True, True, True]
    for name in ("feature", "pose", "betas", "cam"):
        torch.testing.assert_close(
            getattr(found.people, name), getattr(expected, name), atol=1e-5, rtol=1e-5
        )


def test_twenty_people_are_encoded_a_few_at_a_time(extract):
    boxes = np.tile(BOXES, (7, 1))[:20]
    many, few = extract(boxes, max_batch=3), extract(BOXES)
    assert many.people.feature.shape == (20, 24)
    torch.testing.assert_close(many.people.feature[17], few.people.feature[2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 3))])
def test_nobody_is_fine(extract, boxes):
    found = extract(boxes)
    assert found.people.feature.shape == (0, 24)
    assert found.people.rotations.shape == (0, 24, 3, 3)
    assert found.valid.shape == (0,)


def test_people_who_cannot_be_cropped_have_empty_rows(extract):
    boxes = np.concatenate((BOXES, [[-900.0, 0.0, 1.0], [50.0, 50.0, 0.0], [np.nan, 1.0, 1.0]]))
    found, alone = extract(boxes[[3, 0, 4, 1, 5, 2]]), extract(BOXES)
    assert found.valid.tolist() == [False, True] * 3
    torch.testing.assert_close(
        found.people.feature[found.valid], alone.people.feature, atol=1e-5, rtol=1e-5
    )
    assert found.people.feature[~found.valid].abs().max() == 0.0
    torch.testing.assert_close(
        found.people.rotations[~found.valid], torch.eye(3).expand(3, 24, 3, 3)
    )


@pytest.mark.parametrize("flip", [False, True])
def test_numbers_that_run_over_leave_the_row_empty(encoder, image, flip):
    extractor = FeatureExtractor(encoder, flip=flip)

    def overflow(_module, _inputs, output):
        output.feature[1] = float("inf")

    encoder.register_forward_hook(overflow)
    found = extractor.extract(image, BOXES)
    assert found.valid.tolist() == [True, False, True]
    for people in (found.people, found.mirrored) if flip else (found.people,):
        assert people.feature[1].abs().max() == 0.0
        assert people.feature[[0, 2]].abs().min(-1).values.max() > 0.0


def test_nobody_to_crop_needs_no_network(extract):
    found = extract([[-900.0, 0.0, 1.0]], flip=True)
    assert found.valid.tolist() == [False]
    assert found.mirrored is not None
    assert found.mirrored.feature.abs().max() == 0.0


def test_mirrored_people_are_those_of_the_mirrored_crops(encoder, image):
    crops = torch.from_numpy(crop_people(image, BOXES, 64))
    with torch.inference_mode():
        expected = encoder(crops.flip(-1))
    found = FeatureExtractor(encoder, flip=True, max_batch=2).extract(image, BOXES)
    assert found.mirrored is not None
    torch.testing.assert_close(found.mirrored.feature, expected.feature, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.mirrored.pose, expected.pose, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("limit", [1, 2])
def test_no_batch_is_larger_than_the_limit(encoder, image, limit, flip):
    sizes = []
    encoder.register_forward_pre_hook(lambda _, crops: sizes.append(len(crops[0])))
    FeatureExtractor(encoder, flip=flip, max_batch=limit).extract(image, BOXES)
    assert max(sizes) <= limit
    assert sum(sizes) == (6 if flip else 3)


def test_without_the_option_nothing_is_mirrored(extract):
    assert extract(BOXES).mirrored is None


def test_mirroring_does_not_change_the_people(extract):
    plain, both = extract(BOXES), extract(BOXES, flip=True)
    torch.testing.assert_close(both.people.feature, plain.people.feature, atol=1e-5, rtol=1e-5)


def test_results_of_a_float64_encoder_are_float32(encoder, image):
    found = FeatureExtractor(encoder.double()).extract(image, BOXES)
    assert found.people.feature.dtype is torch.float32


def test_an_empty_batch_is_an_error(encoder):
    with pytest.raises(ValueError, match="max_batch must be at least 1, got 0"):
        FeatureExtractor(encoder, max_batch=0)


def test_boxes_of_another_shape_are_an_error(extract):
    with pytest.raises(ValueError, match=r"boxes must have shape \(people, 3\)"):
        extract(np.ones((2, 4)))


def test_an_image_of_floats_is_an_error(encoder, image):
    with pytest.raises(ValueError, match=r"image_bgr must be .* uint8, got .* float32"):
        FeatureExtractor(encoder).extract(image.astype(np.float32), BOXES)


def test_an_image_that_is_none_is_an_error(encoder):
    with pytest.raises(ValueError, match="image_bgr must be"):
        FeatureExtractor(encoder).extract(None, BOXES)


def test_crops_of_many_images_are_encoded_as_those_of_one(encoder, image):
    extractor = FeatureExtractor(encoder, max_batch=2, flip=True)
    alone = extractor.extract(image, BOXES)
    found = extractor.encode_crops(torch.from_numpy(crop_people(image, BOXES, 64)))
    assert found.valid.all()
    torch.testing.assert_close(found.people.feature, alone.people.feature, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.mirrored.feature, alone.mirrored.feature, atol=1e-5, rtol=1e-5)


def test_no_crops_need_no_network(encoder):
    found = FeatureExtractor(encoder).encode_crops(torch.zeros(0, 3, 64, 64))
    assert found.people.feature.shape == (0, 24)
    assert found.valid.shape == (0,)


@pytest.mark.parametrize("double", [False, True])
def test_features_tell_the_body_again(encoder, image, double):
    extractor = FeatureExtractor(encoder.double() if double else encoder)
    people = extractor.extract(image, BOXES).people
    again = extractor.read_out(people.feature)
    for name in ("feature", "pose", "betas", "cam"):
        torch.testing.assert_close(
            getattr(again, name), getattr(people, name), atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("dtype", "limit"), [(torch.float64, 1e-6), (torch.float32, 5e-5)], ids=str
)
def test_both_published_passes_come_out_of_the_raw_image(golden, dtype, limit):
    """Results are float32, whatever the encoder is."""
    config = EncoderConfig.from_file(golden / "config.json")
    encoder, _ = load_encoder(golden / "hmr2_reduced.ckpt", config, dtype=dtype)
    with np.load(golden / "inputs.npz") as file, np.load(golden / "outputs_f64.npz") as outputs:
        image_bgr, boxes, expected = file["image_bgr_uint8"], file["bbox_cx_cy_s"], dict(outputs)
    found = FeatureExtractor(encoder, flip=True).extract(image_bgr, boxes)
    for prefix, people in (("", found.people), ("flipped_", found.mirrored)):
        rotations = people.rotations
        made = {
            "feature_token_out": people.feature,
            "pred_global_orient": rotations[:, :1],
            "pred_body_pose": rotations[:, 1:],
            "pred_betas": people.betas,
            "pred_cam": people.cam,
        }
        for name, value in made.items():
            np.testing.assert_allclose(value, expected[prefix + name], atol=limit, rtol=0)
