"""3DPW and EMDB become training sequences that tell where everybody is."""

from __future__ import annotations

import pickle
from dataclasses import replace

import dataset_layouts
import numpy as np
import pytest
from typer.testing import CliRunner

from humor_ros.cli import app
from humor_ros.evaluation.sequence_keypoints import (
    detected,
    from_folder,
    person_boxes,
    projected,
)
from humor_ros.evaluation.sequences import KeypointChoice, layout_of, open_sequences
from humor_ros.evaluation.threedpw import read_threedpw
from humor_ros.evaluation.truth_bodies import TruthBodies, posed_truth, read_h36m_regressor
from humor_ros.training.sequence_file import read_sequence

SIZE, FRAMES = dataset_layouts.SIZE, dataset_layouts.FRAMES


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    return dataset_layouts.write_bodies(tmp_path_factory.mktemp("bodies") / "smpl")


@pytest.fixture(scope="module")
def threedpw(tmp_path_factory, bodies):
    folder = tmp_path_factory.mktemp("3dpw")
    walks = dataset_layouts.write_threedpw(folder, bodies)
    found = list(open_sequences(folder, split="test", bodies=TruthBodies(bodies)))
    return folder, walks, found


@pytest.fixture(scope="module")
def emdb(tmp_path_factory, bodies):
    folder = tmp_path_factory.mktemp("emdb")
    walk = dataset_layouts.write_emdb(folder, bodies)
    choice = KeypointChoice("projected")
    found = list(open_sequences(folder, bodies=TruthBodies(bodies), keypoints=choice))
    return folder, walk, found


def test_3dpw_gives_one_sequence_a_person(threedpw):
    _, _, found = threedpw
    assert [sequence.name for sequence in found] == ["bar_00_0", "bar_00_1"]
    assert [sequence.gender for sequence in found] == ["female", "male"]
    assert all(sequence.split == "test" and sequence.dataset == "3dpw" for sequence in found)


def test_3dpw_splits_are_kept_apart(threedpw):
    assert [s.name for s in open_sequences(threedpw[0], split="train")] == ["park_01_0"]
    with pytest.raises(FileNotFoundError, match="sequenceFiles/validation/"):
        list(open_sequences(threedpw[0], split="val"))
    with pytest.raises(ValueError, match="splits train, val, test"):
        list(open_sequences(threedpw[0], split="validation"))


@pytest.mark.parametrize("person", [0, 1])
def test_3dpw_places_joints_where_the_file_has_them_in_the_camera(threedpw, bodies, person):
    _, walks, found = threedpw
    joints = posed_truth(TruthBodies(bodies).of(found[person]), found[person])[0].numpy()
    placed = joints - joints[:, :1] + found[person].root_position[:, None]
    truth = walks[person].camera(walks[person].joints)
    assert np.abs(placed - truth)[found[person].has_smpl].max() < 1e-4


def test_3dpw_key_points_have_cocos_order(threedpw):
    _, walks, found = threedpw
    pixels = walks[0].pixels(walks[0].keypoints31[:, :17])
    assert np.allclose(found[0].keypoints[..., :2], pixels, atol=1e-2)
    assert np.allclose(found[0].keypoints[..., 2], 0.9)


def test_3dpw_true_key_points_project_onto_the_measured_ones(threedpw):
    sequence = threedpw[2][1]
    again = projected(sequence)
    scored = sequence.scored
    assert np.abs(again.keypoints[..., :2] - sequence.keypoints[..., :2])[scored].max() < 0.05


def test_3dpw_counts_only_frames_with_an_aligned_camera(threedpw):
    sequence = threedpw[2][0]
    assert np.flatnonzero(~sequence.scored).tolist() == [5, 6, 7]
    for mask in (sequence.has_camera, sequence.has_smpl, sequence.has_root_position):
        assert np.array_equal(mask, sequence.scored)
    assert not sequence.has_trajectory.any()


def test_3dpw_size_is_twice_the_principal_point_without_images(threedpw):
    assert threedpw[2][0].image_size.tolist() == list(SIZE)


def test_3dpw_size_is_that_of_its_images(tmp_path, bodies):
    dataset_layouts.write_threedpw(tmp_path, bodies, images=True)
    for picture in (tmp_path / "imageFiles" / "bar_00").iterdir():
        import cv2

        cv2.imwrite(str(picture), np.zeros((100, 80, 3), np.uint8))
    sequence = next(iter(open_sequences(tmp_path, split="test")))
    assert sequence.image_size.tolist() == [80, 100]
    assert (tmp_path / sequence.image_path[3]).is_file()


def test_3dpw_world_is_turned_upright_by_its_people(threedpw):
    _, walks, found = threedpw
    down = walks[0].extrinsics[:, :3, :3] @ np.array([0.0, -1.0, 0.0])
    assert found[0].gravity_known
    assert np.allclose(found[0].gravity_camera()[found[0].has_camera], down[found[0].has_camera])


def test_3dpw_without_bodies_has_places_but_no_key_points(threedpw):
    sequence = next(iter(open_sequences(threedpw[0], split="test")))
    assert sequence.has_root_position.any()
    assert sequence.joints3d is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cam_poses": None}, "cam_poses"),
        ({"poses": [np.zeros((3, 72))] * 2}, "poses has shape"),
        ({"trans": [np.full((FRAMES, 3), 9000.0)] * 2}, "not of one world or unit"),
        ({"cam_intrinsics": "x"}, "cam_intrinsics is not an array"),
    ],
)
def test_3dpw_files_that_are_wrong_are_told(threedpw, tmp_path, change, told):
    content = pickle.loads((threedpw[0] / "sequenceFiles/test/bar_00.pkl").read_bytes())
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps(content | change))
    with pytest.raises(ValueError, match=told):
        list(read_threedpw(path, "test", tmp_path))


def test_3dpw_lacking_a_key_is_told(tmp_path):
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps({"poses": []}))
    with pytest.raises(ValueError, match="is no 3DPW annotation: it lacks trans"):
        list(read_threedpw(path, "test", tmp_path))


def test_emdb_sequences_know_their_benchmarks(emdb, bodies):
    folder, _, found = emdb
    assert [sequence.name for sequence in found] == ["P0_00_park", "P1_00_park"]
    first = open_sequences(
        folder,
        benchmark="emdb1",
        bodies=TruthBodies(bodies),
        keypoints=KeypointChoice("projected"),
    )
    assert [sequence.name for sequence in first] == ["P0_00_park"]


def test_emdb_places_joints_in_the_camera_and_in_the_world(emdb, bodies):
    _, walk, (sequence, _) = emdb
    joints = posed_truth(TruthBodies(bodies).of(sequence), sequence)[0].numpy()
    placed = joints - joints[:, :1] + sequence.root_position[:, None]
    assert np.abs(placed - walk.camera(walk.joints)).max() < 1e-4
    turn = sequence.rotation_world_camera.astype(np.float64)
    world = np.einsum("tij,tnj->tni", turn, placed) + sequence.position_world_camera[:, None]
    # y-up (x, y, z) to z-up: a turn about x and one about the new vertical.
    assert np.allclose(world[..., 2], walk.joints[..., 1], atol=1e-4)
    there = np.linalg.norm(world[-1, 0] - world[0, 0])
    assert there == pytest.approx(np.linalg.norm(walk.joints[-1, 0] - walk.joints[0, 0]), abs=1e-4)


def test_emdb_gravity_points_down(emdb):
    _, walk, (sequence, _) = emdb
    down = walk.extrinsics[:, :3, :3] @ np.array([0.0, -1.0, 0.0])
    assert np.allclose(sequence.gravity_camera(), down, atol=1e-6)


def test_emdb_camera_turns_are_those_of_its_extrinsics(emdb):
    _, walk, (sequence, _) = emdb
    turn = walk.extrinsics[:, :3, :3]
    expected = turn[:-1] @ turn[1:].transpose(0, 2, 1)
    assert np.allclose(sequence.camera_turns()[1:], expected, atol=1e-6)


def test_emdb_counts_good_frames_with_a_valid_box(emdb):
    sequence = emdb[2][0]
    assert np.flatnonzero(~sequence.scored).tolist() == [10, 11, 20]
    assert np.array_equal(sequence.boxes[10], sequence.boxes[9])


def test_emdb_without_bodies_has_no_places(emdb, tmp_path):
    folder, _, _ = emdb
    np.save(tmp_path / "P0_00_park.npy", np.ones((FRAMES, 17, 3)))
    choice = KeypointChoice("folder", folder=tmp_path)
    sequence = next(iter(open_sequences(folder, benchmark="emdb1", keypoints=choice)))
    assert sequence.root_position is None
    assert not sequence.has_trajectory.any()
    assert sequence.has_smpl.all()
    assert (sequence.keypoints == 1).all()


def test_emdb_asks_for_key_points(emdb):
    with pytest.raises(ValueError, match="--keypoints detect"):
        list(open_sequences(emdb[0]))


def test_emdb_refuses_the_body_of_another_gender(emdb, bodies, tmp_path):
    (tmp_path / "SMPL_FEMALE.npz").write_bytes(
        (bodies / "basicmodel_m_lbs_10_207_0_v1.1.0.npz").read_bytes()
    )
    with pytest.raises(ValueError, match=r"joints land [\d.]+ % of the box from"):
        list(open_sequences(emdb[0], bodies=TruthBodies(tmp_path)))


def test_a_missing_body_is_told(emdb, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"SMPL_FEMALE\.pkl or \.npz not found"):
        list(open_sequences(emdb[0], bodies=TruthBodies(tmp_path)))
    with pytest.raises(FileNotFoundError, match="folder of SMPL bodies"):
        TruthBodies(tmp_path / "no")


class Finder:
    """A detector that finds all key-points in the middle of the box."""

    def detect(self, image_bgr):
        raise NotImplementedError

    def refine(self, image_bgr, boxes_xyxy, quarter_turns=None):
        middle = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
        points = np.concatenate([middle, np.full((len(middle), 1), 0.5)], axis=1)
        return np.repeat(points[:, None], 17, axis=1)


def test_a_detector_sees_the_person_in_the_box(tmp_path, bodies):
    dataset_layouts.write_threedpw(tmp_path, bodies, images=True)
    sequence = next(iter(open_sequences(tmp_path, split="test")))
    (tmp_path / sequence.image_path[4]).unlink()
    found = detected(sequence, tmp_path, Finder(), "finder")
    assert found.keypoint_source == "finder"
    assert (found.keypoints[4] == 0).all()
    assert np.allclose(found.keypoints[3, :, :2], sequence.boxes[3, :2], atol=1e-3)
    with pytest.raises(FileNotFoundError, match="no image found"):
        detected(sequence, tmp_path / "imageFiles", Finder(), "finder")


def test_a_users_key_points_must_fit(threedpw, tmp_path):
    sequence = threedpw[2][0]
    with pytest.raises(FileNotFoundError, match=r"bar_00_0\.npy"):
        from_folder(sequence, tmp_path)
    np.save(tmp_path / "bar_00_0.npy", np.zeros((3, 17, 3)))
    with pytest.raises(ValueError, match=r"must have shape \(40, 17, 3\)"):
        from_folder(sequence, tmp_path)


def test_boxes_follow_the_key_points_then_the_truth_then_the_box_before():
    keypoints = np.zeros((3, 17, 3))
    keypoints[0, :, 2] = 1.0
    keypoints[0, 0, :2] = (100.0, 0.0)
    points = np.full((3, 2, 2), np.nan)
    points[1] = [[0.0, 0.0], [0.0, 50.0]]
    boxes = person_boxes(keypoints, points, (640, 480))
    assert np.allclose(boxes[0], [50.0, 0.0, 0.6])
    assert np.allclose(boxes[1], [0.0, 25.0, 0.3])
    assert np.array_equal(boxes[2], boxes[1])


def test_the_h36m_regressor_keeps_the_common_joints(tmp_path):
    path = tmp_path / "J_regressor_h36m.npy"
    np.save(path, np.arange(17.0)[:, None] * np.ones(5))
    assert read_h36m_regressor(path)[:, 0].tolist() == [
        6,
        5,
        4,
        1,
        2,
        3,
        16,
        15,
        14,
        11,
        12,
        13,
        8,
        10,
    ]
    np.save(path, np.zeros((14, 5)))
    with pytest.raises(ValueError, match=r"must have shape \(17, 5\)"):
        read_h36m_regressor(path)


def test_folders_of_something_else_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no training sequences"):
        layout_of(tmp_path)
    with pytest.raises(FileNotFoundError, match="folder of sequences not found"):
        layout_of(tmp_path / "no")


def test_a_converted_file_is_the_sequence(threedpw, bodies, tmp_path):
    folder, _, found = threedpw
    arguments = ["convert", "3dpw", str(folder), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--bodies", str(bodies), "--split", "test"])
    assert result.exit_code == 0, result.output
    assert "2 sequences, 80 frames" in result.output
    sequence = read_sequence(tmp_path / "out" / "bar_00_1.npz")
    assert np.array_equal(sequence.pose, found[1].pose)
    assert np.array_equal(sequence.joints3d, found[1].joints3d)
    again = list(open_sequences(tmp_path / "out", benchmark="3dpw"))
    assert [s.name for s in again] == ["bar_00_0", "bar_00_1"]
    assert replace(again[0]).keypoint_source == "openpose"


def test_the_second_stage_of_training_reads_what_is_converted(threedpw, bodies, tmp_path):
    from humor_ros.body import BodyModel
    from humor_ros.training.published_config import PublishedDataConfig
    from humor_ros.training.published_tracks import track_of

    found = threedpw[2][0]
    sequence = read_sequence(found.write(tmp_path / "a.npz"))
    known = {"neutral": BodyModel.load(), "female": TruthBodies(bodies).load("female")}
    track = track_of(sequence, known, "smpl", PublishedDataConfig())
    assert track.has_smpl.tolist() == found.has_smpl.tolist()
    assert np.allclose(track.points, found.joints3d)
    assert track.has_surface
    assert not track.has_trajectory.any()


def test_emdb_converts_with_key_points_detected_in_its_images(bodies, tmp_path):
    dataset_layouts.write_emdb(tmp_path / "emdb", bodies, 22, images=True)
    arguments = ["convert", "emdb", str(tmp_path / "emdb"), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--keypoints", "detect"])
    assert result.exit_code == 0, result.output
    sequence = read_sequence(tmp_path / "out" / "P0_00_park.npz")
    assert sequence.keypoint_source == "movenet thunder"
    # A grey picture shows nobody: MoveNet says so by its confidence.
    assert sequence.keypoints[..., 2].mean() < 0.3


def test_emdb_converts_with_projected_key_points(emdb, bodies, tmp_path):
    arguments = ["convert", "emdb", str(emdb[0]), "--output", str(tmp_path)]
    arguments += ["--bodies", str(bodies), "--keypoints", "projected"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert read_sequence(tmp_path / "P1_00_park.npz").keypoint_source == "projected"


def test_converting_the_wrong_layout_is_refused(emdb, tmp_path):
    result = CliRunner().invoke(app, ["convert", "3dpw", str(emdb[0]), "--output", str(tmp_path)])
    assert result.exit_code == 2
