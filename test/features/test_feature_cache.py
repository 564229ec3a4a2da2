"""Features in training sequences: complete, resumable, told apart, and from any kind of images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from humor_ros.body import BodyModel
from humor_ros.features import EncoderConfig, FeatureExtractor, load_encoder
from humor_ros.geometry import matrix_to_rotation_6d
from humor_ros.training.feature_cache import cache_sequence, draft_path
from humor_ros.training.published_config import PublishedConfig, PublishedDataConfig
from humor_ros.training.published_sequences import SequenceSource, load_tracks
from humor_ros.training.sequence_file import PersonSequence, read_sequence
from humor_ros.training.sequence_images import ImageFolder, Videos
from humor_ros.wham.config import WhamConfig

FRAMES = 7


def sequence_of(count=FRAMES, size=(120, 90), **changes):
    random = np.random.default_rng(0)
    values = {
        "dataset": "made",
        "split": "train",
        "sequence": "walk",
        "person": "0",
        "fps": 30.0,
        "frame": np.arange(count),
        "stamp_s": np.arange(count) / 30.0,
        "image_size": size,
        "camera_matrix": np.array([[100.0, 0, 60], [0, 100.0, 45], [0, 0, 1]]),
        "keypoints": random.uniform(1, 80, (count, 17, 3)) * (1, 1, 1 / 80),
        "boxes": np.stack(
            (random.uniform(30, 90, count), random.uniform(30, 60, count), np.full(count, 0.4)), 1
        ),
        "keypoint_source": "made",
        "image_path": np.array([f"cam/{i:03d}.png" for i in range(count)]),
    }
    return PersonSequence(**(values | changes))


@pytest.fixture(scope="module")
def body():
    return BodyModel.load()


@pytest.fixture
def pictures(tmp_path):
    """A folder of images, and what they show."""
    random = np.random.default_rng(5)
    root = tmp_path / "images"
    (root / "cam").mkdir(parents=True)
    shown = random.integers(0, 256, (FRAMES, 90, 120, 3), dtype=np.uint8)
    for index, image in enumerate(shown):
        assert cv2.imwrite(str(root / "cam" / f"{index:03d}.png"), image)
    return root, shown


@pytest.fixture
def path(tmp_path):
    return sequence_of().write(tmp_path / "walk_0.npz")


def test_every_frame_gets_the_feature_of_its_box(path, encoder, pictures):
    root, shown = pictures
    extractor = FeatureExtractor(encoder)
    report = cache_sequence(path, extractor, ImageFolder(root), origin="x", batch=3)
    sequence = read_sequence(path)
    for row in range(FRAMES):
        alone = extractor.extract(shown[row], sequence.boxes[row : row + 1])
        np.testing.assert_allclose(
            sequence.img_features[row], alone.people.feature[0], atol=1e-5, rtol=1e-5
        )
    assert sequence.has_features.all()
    assert not sequence.has_init.any()
    assert (report.frames, report.encoded, report.features) == (FRAMES, FRAMES, FRAMES)
    assert not draft_path(path).exists()


def test_the_rest_of_the_sequence_stays(path, encoder, pictures):
    before = read_sequence(path)
    cache_sequence(path, FeatureExtractor(encoder), ImageFolder(pictures[0]), origin="x")
    after = read_sequence(path)
    for name in ("keypoints", "boxes", "frame", "stamp_s", "image_path", "camera_matrix"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert after.sequence == before.sequence


def test_first_frames_are_the_bodies_of_the_features(path, encoder, pictures, body):
    extractor = FeatureExtractor(encoder)
    report = cache_sequence(path, extractor, ImageFolder(pictures[0]), origin="x", body=body)
    sequence = read_sequence(path)
    people = extractor.extract(pictures[1][2], sequence.boxes[2:3]).people
    np.testing.assert_allclose(sequence.init_pose[2], people.rotations[0], atol=1e-5)
    points = body(people.betas, people.rotations).coco17[0]
    expected = points - points[11:13].mean(0)
    np.testing.assert_allclose(sequence.init_kp3d[2], expected, atol=1e-5)
    assert report.initialised == FRAMES


def test_bodies_are_added_later_without_the_encoder(path, encoder, pictures, body):
    extractor, images = FeatureExtractor(encoder), ImageFolder(pictures[0])
    cache_sequence(path, extractor, images, origin="x")
    before = read_sequence(path)
    encoder.register_forward_pre_hook(lambda *_: pytest.fail("the encoder ran"))
    report = cache_sequence(path, extractor, images, origin="x", body=body)
    after = read_sequence(path)
    assert (report.encoded, report.initialised) == (0, FRAMES)
    np.testing.assert_array_equal(after.img_features, before.img_features)
    assert after.has_init.all()


def test_what_is_there_is_left_alone(path, encoder, pictures):
    extractor, images = FeatureExtractor(encoder), ImageFolder(pictures[0])
    cache_sequence(path, extractor, images, origin="x")
    content = path.read_bytes()
    assert cache_sequence(path, extractor, images, origin="y").encoded == 0
    assert path.read_bytes() == content
    assert cache_sequence(path, extractor, images, origin="y", overwrite=True).encoded == FRAMES


def test_mirrored_crops_are_kept_beside(path, encoder, pictures, body):
    extractor = FeatureExtractor(encoder, flip=True)
    cache_sequence(path, extractor, ImageFolder(pictures[0]), origin="x", body=body)
    sequence = read_sequence(path)
    found = extractor.extract(pictures[1][4], sequence.boxes[4:5])
    np.testing.assert_allclose(
        sequence.img_features_mirrored[4], found.mirrored.feature[0], atol=1e-5, rtol=1e-5
    )
    np.testing.assert_allclose(
        sequence.init_pose_mirrored[4], found.mirrored.rotations[0], atol=1e-5
    )
    assert sequence.init_kp3d_mirrored.shape == (FRAMES, 17, 3)


def test_mirrored_crops_asked_for_later_are_made(path, encoder, pictures):
    images = ImageFolder(pictures[0])
    cache_sequence(path, FeatureExtractor(encoder), images, origin="x")
    cache_sequence(path, FeatureExtractor(encoder, flip=True), images, origin="x")
    assert read_sequence(path).img_features_mirrored is not None


class Interrupted(ImageFolder):
    """Gives some images and is then stopped by the user."""

    def read(self, sequence, rows):
        for count, pair in enumerate(super().read(sequence, rows)):
            if count == 4:
                raise KeyboardInterrupt
            yield pair


@pytest.mark.parametrize(("origin", "left"), [("x", FRAMES - 4), ("y", FRAMES)])
def test_an_interrupted_run_goes_on_with_the_same_encoder(path, encoder, pictures, origin, left):
    extractor, told = FeatureExtractor(encoder), []
    with pytest.raises(KeyboardInterrupt):
        cache_sequence(path, extractor, Interrupted(pictures[0]), origin="x", batch=2)
    assert read_sequence(path).img_features is None
    assert draft_path(path).is_file()
    report = cache_sequence(
        path, extractor, ImageFolder(pictures[0]), origin=origin, on_rows=told.append
    )
    assert report.encoded == left
    assert sum(told) == FRAMES
    assert not draft_path(path).exists()
    interrupted = read_sequence(path).img_features
    cache_sequence(path, extractor, ImageFolder(pictures[0]), origin="z", overwrite=True)
    np.testing.assert_allclose(interrupted, read_sequence(path).img_features, atol=1e-5)


def test_a_spoilt_draft_is_made_anew(path, encoder, pictures):
    draft_path(path).write_bytes(b"PK\x03\x04 no archive")
    report = cache_sequence(path, FeatureExtractor(encoder), ImageFolder(pictures[0]), origin="x")
    assert report.encoded == FRAMES


def test_frames_without_an_image_have_no_feature(path, encoder, pictures, body):
    (pictures[0] / "cam" / "003.png").unlink()
    (pictures[0] / "cam" / "005.png").write_bytes(b"no image")
    report = cache_sequence(
        path, FeatureExtractor(encoder), ImageFolder(pictures[0]), origin="x", body=body
    )
    sequence = read_sequence(path)
    assert report.without_image == 2
    assert np.flatnonzero(~sequence.has_features).tolist() == [3, 5]
    assert np.flatnonzero(~sequence.has_init).tolist() == [3, 5]
    assert not sequence.img_features[[3, 5]].any()


def test_boxes_outside_the_image_have_no_feature(tmp_path, encoder, pictures):
    boxes = sequence_of().boxes.copy()
    boxes[2] = (-500.0, 10.0, 0.3)
    path = sequence_of(boxes=boxes).write(tmp_path / "outside.npz")
    report = cache_sequence(path, FeatureExtractor(encoder), ImageFolder(pictures[0]), origin="x")
    assert np.flatnonzero(~read_sequence(path).has_features).tolist() == [2]
    assert (report.encoded, report.without_image) == (FRAMES, 0)


def test_frames_that_show_nobody_can_be_left_out(tmp_path, encoder, pictures):
    keypoints = sequence_of().keypoints.copy()
    keypoints[3:5, :, 2] = 0.0
    path = sequence_of(keypoints=keypoints).write(tmp_path / "hidden.npz")
    images = ImageFolder(pictures[0])
    report = cache_sequence(path, FeatureExtractor(encoder), images, origin="x", seen_only=True)
    assert report.encoded == FRAMES - 2
    assert np.flatnonzero(~read_sequence(path).has_features).tolist() == [3, 4]


def test_no_image_at_all_is_an_error_that_tells_where_it_looked(path, encoder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty/cam/000\.png.*image_path is relative to"):
        cache_sequence(path, FeatureExtractor(encoder), ImageFolder(tmp_path / "empty"), origin="x")


def test_a_sequence_without_image_files_is_an_error(tmp_path, encoder, pictures):
    path = sequence_of(image_path=None).write(tmp_path / "bare.npz")
    with pytest.raises(FileNotFoundError, match=r"names no image files.*give its video"):
        cache_sequence(path, FeatureExtractor(encoder), ImageFolder(pictures[0]), origin="x")


def test_images_of_another_size_are_an_error(tmp_path, encoder, pictures):
    path = sequence_of(size=(240, 180)).write(tmp_path / "large.npz")
    with pytest.raises(ValueError, match=r"120x90, but walk_0 states 240x180"):
        cache_sequence(path, FeatureExtractor(encoder), ImageFolder(pictures[0]), origin="x")


def test_features_of_another_encoder_are_an_error(tmp_path, encoder, pictures):
    sequence = sequence_of(img_features=np.ones((FRAMES, 1024), np.float32))
    path = sequence.write(tmp_path / "other.npz")
    extractor, images = FeatureExtractor(encoder), ImageFolder(pictures[0])
    with pytest.raises(ValueError, match="features of 1024 numbers, this encoder gives 24"):
        cache_sequence(path, extractor, images, origin="x")
    cache_sequence(path, extractor, images, origin="x", overwrite=True)
    assert read_sequence(path).img_features.shape == (FRAMES, 24)


@pytest.fixture
def film(tmp_path):
    """A video, and what its frames are when it is read."""
    path = tmp_path / "films" / "walk.avi"
    path.parent.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, (120, 90))
    for index in range(FRAMES):
        writer.write(np.full((90, 120, 3), 30 * index, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("folder", [False, True])
def test_videos_are_read_by_the_index_of_the_frame(tmp_path, encoder, film, folder):
    frames = np.array((1, 2, 5, 40))
    sequence = sequence_of(4, frame=frames, stamp_s=frames / 30.0, image_path=None)
    path = sequence.write(tmp_path / "film.npz")
    extractor = FeatureExtractor(encoder)
    report = cache_sequence(path, extractor, Videos(film.parent if folder else film), origin="x")
    found = read_sequence(path)
    assert found.has_features.tolist() == [True, True, True, False]
    assert report.without_image == 1
    grey = extractor.extract(np.full((90, 120, 3), 150, np.uint8), found.boxes[2:3])
    np.testing.assert_allclose(found.img_features[2], grey.people.feature[0], atol=0.05)


def test_a_video_of_another_name_is_an_error(tmp_path, encoder, film):
    path = sequence_of(sequence="run").write(tmp_path / "run.npz")
    with pytest.raises(FileNotFoundError, match=r"no video of run_0 in .*run\.mp4"):
        cache_sequence(path, FeatureExtractor(encoder), Videos(film.parent), origin="x")


@pytest.mark.parametrize("kind", [ImageFolder, Videos])
def test_a_place_that_is_not_there_is_an_error(tmp_path, kind):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        kind(tmp_path / "nowhere")


def test_published_features_and_first_frames_come_out(golden, tmp_path):
    """The golden image as a sequence of two frames; the body is of the golden folder.

    The first of the three boxes lies on the edge between two roundings of its crop, and falls to
    the other side in the file's single precision.
    """
    config = EncoderConfig.from_file(golden / "config.json")
    encoder, _ = load_encoder(golden / "hmr2_reduced.ckpt", config)
    with np.load(golden / "inputs.npz") as file:
        inputs = dict(file)
    with np.load(golden / "outputs_f64.npz") as file:
        expected = dict(file)
    boxes = inputs["bbox_cx_cy_s"][1:]
    with np.load(golden / "fake_smpl_431.npz") as file:
        arrays = dict(file)
        body = BodyModel.from_smpl_arrays(
            arrays, arrays["J_regressor_wham"], arrays["J_regressor_feet"]
        )
    cv2.imwrite(str(tmp_path / "frame.png"), inputs["image_bgr_uint8"])
    path = sequence_of(
        2,
        size=tuple(inputs["res_wh"]),
        boxes=boxes,
        image_path=np.array(["frame.png"] * 2),
    ).write(tmp_path / "golden.npz")
    extractor = FeatureExtractor(encoder, flip=True)
    cache_sequence(path, extractor, ImageFolder(tmp_path), origin="x", body=body)
    found = read_sequence(path)
    for prefix, suffix in (("", ""), ("flipped_", "_mirrored")):
        made = {
            "feature_token_out": getattr(found, f"img_features{suffix}"),
            "wham431_init_kp3d": getattr(found, f"init_kp3d{suffix}"),
            "wham_init_smpl": matrix_to_rotation_6d(
                torch.from_numpy(getattr(found, f"init_pose{suffix}"))
            )[:, None],
        }
        for name, value in made.items():
            wanted = expected[prefix + name][1:]
            np.testing.assert_allclose(value, wanted, atol=5e-5, rtol=0, err_msg=name)


def test_the_second_stage_of_training_takes_them(path, encoder, pictures, body):
    """Without truth, too: a clip has the features of its frames and the start of its first."""
    extractor = FeatureExtractor(encoder)
    cache_sequence(path, extractor, ImageFolder(pictures[0]), origin="x", body=body)
    sequence = read_sequence(path)
    config = PublishedConfig(
        network=WhamConfig(d_feat=24),
        features=True,
        data=PublishedDataConfig(clip_frames=FRAMES - 1, sources={"video": 1.0}),
    )
    tracks = load_tracks(path.parent, "train", {"neutral": body}, "smpl", config)
    batch = SequenceSource(tracks, body, config).batch(2, torch.Generator().manual_seed(0))
    for clip in range(2):
        np.testing.assert_array_equal(batch.img_features[clip], sequence.img_features[1:])
        start = matrix_to_rotation_6d(torch.from_numpy(sequence.init_pose[0]))
        torch.testing.assert_close(batch.init_smpl[clip, 0], start)
        np.testing.assert_allclose(
            batch.init_kp[clip, 0, :51], sequence.init_kp3d[0].ravel(), atol=1e-5
        )
    assert not batch.has_smpl.any()
