"""The training sequence gives back what was written and names what is wrong with it."""

from __future__ import annotations

import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from humor_ros.training.sequence_file import PersonSequence, SequenceFileError, read_sequence
from humor_ros.training.sequence_schema import ARRAYS

FRAMES = 6


def turns(*shape: int, seed: int = 0) -> np.ndarray:
    count = int(np.prod(shape))
    return Rotation.random(count, random_state=seed).as_matrix().reshape(*shape, 3, 3)


def least(**changes) -> PersonSequence:
    """A sequence of key-points and nothing else."""
    random = np.random.default_rng(0)
    values = {
        "dataset": "made",
        "split": "train",
        "sequence": "walk",
        "person": "0",
        "fps": 30.0,
        "frame": np.arange(FRAMES),
        "stamp_s": np.arange(FRAMES) / 30.0,
        "image_size": (640, 480),
        "camera_matrix": np.array([[500.0, 0, 320], [0, 510.0, 240], [0, 0, 1]]),
        "keypoints": random.uniform(0, 400, (FRAMES, 17, 3)),
        "boxes": random.uniform(100, 200, (FRAMES, 3)),
        "keypoint_source": "made",
    }
    return PersonSequence(**(values | changes))


def most() -> PersonSequence:
    """A sequence with every key."""
    random = np.random.default_rng(1)
    return replace(
        least(),
        camera_distortion=np.array([0.1, -0.2, 0.0, 0.001]),
        image_path=np.array([f"a/{frame:05d}.jpg" for frame in range(FRAMES)]),
        rotation_world_camera=turns(FRAMES),
        position_world_camera=random.normal(size=(FRAMES, 3)),
        has_camera=np.ones(FRAMES, bool),
        gravity_known=True,
        camera_angular_velocity=random.normal(size=(FRAMES, 3)),
        img_features=random.normal(size=(FRAMES, 1024)),
        has_features=np.arange(FRAMES) != 2,
        init_pose=turns(FRAMES, 24),
        init_kp3d=random.normal(size=(FRAMES, 17, 3)),
        img_features_mirrored=random.normal(size=(FRAMES, 1024)),
        init_pose_mirrored=turns(FRAMES, 24, seed=2),
        init_kp3d_mirrored=random.normal(size=(FRAMES, 17, 3)),
        has_init=np.arange(FRAMES) != 2,
        gender="female",
        pose=turns(FRAMES, 24, seed=1),
        betas=random.normal(size=(FRAMES, 10)),
        has_smpl=np.ones(FRAMES, bool),
        root_position=random.normal(size=(FRAMES, 3)),
        has_root_position=np.ones(FRAMES, bool),
        has_trajectory=np.arange(FRAMES) > 1,
        joints3d=random.normal(size=(FRAMES, 31, 4)),
        joints2d=random.normal(size=(FRAMES, 31, 3)),
        contacts=random.uniform(size=(FRAMES, 4)),
        scored=np.arange(FRAMES) > 2,
        benchmarks=np.array(["emdb1", "emdb2"]),
    )


def same(a: PersonSequence, b: PersonSequence) -> bool:
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(PersonSequence)]
    return all((x is None) == (y is None) and np.array_equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("made", [least, most])
def test_a_sequence_is_read_as_it_was_written(made, tmp_path):
    sequence = made()
    assert same(read_sequence(sequence.write(tmp_path / "a.npz")), sequence)


def test_every_field_has_a_shape_and_a_kind():
    assert {field.name for field in fields(PersonSequence)} == set(ARRAYS)


def test_the_file_holds_no_python_objects(tmp_path):
    path = most().write(tmp_path / "a.npz")
    with np.load(path, allow_pickle=False) as archive:
        assert all(archive[key].dtype.kind in "biufU" for key in archive.files)


def test_what_is_not_given_is_not_used():
    sequence = least()
    for key in ("has_camera", "has_features", "has_init", "has_smpl", "has_root_position"):
        assert not getattr(sequence, key).any()
    assert sequence.scored.all()
    assert (sequence.contacts == -1).all()
    assert sequence.pose is None
    assert sequence.gravity_camera() is None


def test_what_is_given_without_a_mask_is_used():
    assert least(pose=turns(FRAMES, 24), betas=np.zeros((FRAMES, 10))).has_smpl.all()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("keypoints", np.zeros((FRAMES, 16, 3)), r"'keypoints' has shape \(6, 16, 3\), expected"),
        ("boxes", np.zeros((FRAMES + 1, 3)), r"'boxes' has shape \(7, 3\), expected \(T, 3\)"),
        ("boxes", np.zeros((FRAMES, 3)), "'boxes' holds a side"),
        ("frame", np.zeros(FRAMES), "'frame' must grow"),
        ("frame", np.zeros(0), "'frame' is empty"),
        ("fps", -1.0, "'fps' must be positive"),
        ("gender", "x", "'gender' is 'x', expected one of neutral"),
        ("camera_matrix", np.zeros((3, 3)), "'camera_...'"),
        ("keypoints", np.full((FRAMES, 17, 3), "a"), "'keypoints' holds <U1, expected numbers"),
        ("dataset", 3, "'dataset' holds int64, expected text"),
        ("image_path", np.array(["../a.jpg"] * FRAMES), "must lie inside the image folder"),
        ("image_path", np.array(["/a.jpg"] * FRAMES), "must lie inside the image folder"),
        ("has_smpl", np.ones(FRAMES, bool), "'has_smpl' is true in frames without 'pose'"),
        ("has_trajectory", np.ones(FRAMES, bool), "'has_trajectory' is true in frames without"),
        ("rotation_world_camera", np.zeros((FRAMES, 3, 3)), "matrices that are no rotations"),
        ("stamp_s", np.full(FRAMES, np.nan), "'stamp_s'"),
        ("img_features", np.full((FRAMES, 4), np.nan), "'img_features' holds NaN"),
    ],
)
def test_a_wrong_entry_is_named(key, value, told):
    with pytest.raises(SequenceFileError, match=told):
        least(**{key: value})


def test_values_that_a_mask_hides_may_be_anything():
    features = np.full((FRAMES, 4), np.nan)
    features[0] = 1.0
    least(img_features=features, has_features=np.arange(FRAMES) == 0)


def test_a_missing_key_is_named_with_its_file(tmp_path):
    path = least().write(tmp_path / "a.npz")
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files if key != "boxes"}
    np.savez(path, **arrays)
    with pytest.raises(SequenceFileError, match=r"a.npz: key 'boxes' is missing"):
        read_sequence(path)


@pytest.mark.parametrize("version", [None, 99])
def test_another_version_is_refused(version, tmp_path):
    path = least().write(tmp_path / "a.npz")
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files if key != "version"}
    np.savez(path, **arrays, **({} if version is None else {"version": np.array(version)}))
    with pytest.raises(SequenceFileError, match="'version'"):
        read_sequence(path)


def test_a_pickle_inside_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, version=np.array([print], dtype=object))
    with pytest.raises(SequenceFileError, match="not a readable"):
        read_sequence(path)


@pytest.mark.parametrize("content", [b"", b"text"])
def test_another_file_is_refused(content, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(SequenceFileError, match=r"a\.npz is not a readable"):
        read_sequence(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.npz"):
        read_sequence(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError, match="folder"):
        least().write(tmp_path / "no" / "a.npz")


def test_the_14_common_joints_stand_behind_unknown_coco_rows():
    joints = np.ones((FRAMES, 14, 4))
    sequence = least(joints3d=joints)
    assert (sequence.joints3d[:, :17] == 0).all()
    assert (sequence.joints3d[:, 17:] == 1).all()


def test_camera_turns_lead_from_this_frame_to_the_one_before():
    world = turns(FRAMES)
    known = np.arange(FRAMES) != 3
    found = least(rotation_world_camera=world, has_camera=known).camera_turns()
    assert np.allclose(found[1], world[0].T @ world[1], atol=1e-6)
    for index in (0, 3, 4):
        assert np.array_equal(found[index], np.eye(3))


def test_a_gyro_goes_before_the_camera_pose():
    rate = np.tile([0.0, 0.3, 0.0], (FRAMES, 1))
    found = least(camera_angular_velocity=rate, rotation_world_camera=turns(FRAMES)).camera_turns()
    assert np.allclose(Rotation.from_matrix(found[1:]).as_rotvec(), [0.0, 0.01, 0.0], atol=1e-6)


def test_a_gyro_tells_the_whole_turn_between_the_frames_that_are_kept():
    rates = np.random.default_rng(0).normal(size=(FRAMES, 3))
    sequence = least(camera_angular_velocity=rates)
    whole = sequence.camera_turns()
    kept = sequence.select(np.arange(FRAMES) % 2 == 0).camera_turns()
    assert np.allclose(kept[1], whole[1] @ whole[2], atol=1e-6)
    assert np.allclose(kept[2], whole[3] @ whole[4], atol=1e-6)


def test_gravity_of_a_level_camera_points_along_its_y_axis():
    level = np.tile([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]], (FRAMES, 1, 1))
    sequence = least(rotation_world_camera=level, gravity_known=True)
    assert np.allclose(sequence.gravity_camera(), [0.0, 1.0, 0.0])


def test_a_window_keeps_everything_of_its_frames():
    window = most().window(2, 5)
    assert len(window) == 3
    assert np.array_equal(window.frame, [2, 3, 4])
    assert np.array_equal(window.keypoints, most().keypoints[2:5])
    assert np.array_equal(window.image_size, most().image_size)


def test_selected_frames_keep_their_camera_turn_from_one_to_the_next():
    world = turns(FRAMES)
    found = least(rotation_world_camera=world).select(np.arange(FRAMES) % 2 == 0).camera_turns()
    assert np.allclose(found[1], world[0].T @ world[2], atol=1e-6)


def test_features_come_with_their_masks():
    mask = np.arange(FRAMES) > 0
    sequence = least().with_features(
        np.ones((FRAMES, 8)), mask, turns(FRAMES, 24), np.zeros((FRAMES, 17, 3))
    )
    assert np.array_equal(sequence.has_features, mask)
    assert np.array_equal(sequence.has_init, mask)


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise zipfile.BadZipFile

    monkeypatch.setattr(np, "savez_compressed", broken)
    with pytest.raises(zipfile.BadZipFile):
        least().write(tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []
