"""Full batches over many images: each row once, as alone, and unusable boxes at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from humor_ros.features import FeatureExtractor
from humor_ros.features.rows import encode_rows

BOXES = np.array(
    [
        [60.0, 45.0, 0.4],
        [10.0, 20.0, 0.5],
        [-900.0, 0.0, 1.0],
        [100.0, 80.0, 0.2],
        [50.0, 40.0, 0.3],
    ]
)


@pytest.fixture
def images():
    random = np.random.default_rng(3)
    return [random.integers(0, 256, (90, 120, 3), dtype=np.uint8) for _ in BOXES]


@pytest.mark.parametrize("batch", [1, 2, 4, 20])
def test_rows_are_those_of_each_image_alone(encoder, images, batch):
    extractor = FeatureExtractor(encoder)
    found = list(encode_rows(extractor, enumerate(images), BOXES, batch=batch))
    rows = np.concatenate([part.rows for part in found])
    assert sorted(rows) == [0, 1, 2, 3, 4]
    for part in found:
        assert len(part.rows) <= batch
        for row, valid, feature in zip(
            part.rows, part.found.valid, part.found.people.feature, strict=True
        ):
            alone = extractor.extract(images[row], BOXES[row : row + 1])
            assert bool(valid) == bool(alone.valid[0]) == (row != 2)
            torch.testing.assert_close(feature, alone.people.feature[0], atol=1e-5, rtol=1e-5)


def test_crops_of_several_images_go_through_the_encoder_together(encoder, images):
    sizes = []
    encoder.register_forward_pre_hook(lambda _, crops: sizes.append(len(crops[0])))
    list(encode_rows(FeatureExtractor(encoder), enumerate(images), BOXES, batch=3))
    assert sizes == [3, 1]


def test_images_are_taken_one_by_one(encoder, images):
    given = []

    def giver():
        for row, image in enumerate(images):
            given.append(row)
            yield row, image

    first = next(iter(encode_rows(FeatureExtractor(encoder), giver(), BOXES, batch=2)))
    assert first.rows.tolist() == [0, 1]
    assert given == [0, 1]


def test_mirrored_rows_come_too(encoder, images):
    extractor = FeatureExtractor(encoder, flip=True)
    found = next(iter(encode_rows(extractor, enumerate(images), BOXES, batch=2)))
    alone = extractor.extract(images[1], BOXES[1:2])
    torch.testing.assert_close(
        found.found.mirrored.feature[1], alone.mirrored.feature[0], atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("boxes", "batch", "message"),
    [(np.zeros((2, 4)), 1, r"boxes must have shape \(rows, 3\)"), (BOXES, 0, "batch must be")],
)
def test_wrong_arguments_are_named(encoder, images, boxes, batch, message):
    with pytest.raises(ValueError, match=message):
        list(encode_rows(FeatureExtractor(encoder), enumerate(images), boxes, batch=batch))


def test_an_image_of_another_kind_is_an_error(encoder):
    with pytest.raises(ValueError, match="image_bgr must be"):
        list(encode_rows(FeatureExtractor(encoder), [(0, np.zeros((4, 4)))], BOXES))
