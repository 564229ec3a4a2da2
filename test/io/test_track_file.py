"""The track file gives back what was written and names what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.io.track_file import TrackFile, TrackFileError, TrackWriter
from humor_ros.types import CameraMotion, CameraMotionMode, FrameResult, HumanState, TrackingState

CAMERA = PinholeCamera(
    640, 480, np.array([[500.0, 0, 320], [0, 510.0, 240], [0, 0, 1]]), (0.1, -0.2, 0.0, 0.001)
)
REQUIRED = {
    "frame": (),
    "stamp_s": (),
    "person_id": (),
    "betas": (10,),
    "body_pose": (23, 3),
    "root_orientation_camera": (3, 3),
    "root_position_camera": (3,),
    "root_orientation_world": (3, 3),
    "root_position_world": (3,),
    "joints_camera": (24, 3),
    "joints_world": (24, 3),
    "coco17_camera": (17, 3),
    "contacts": (4,),
    "keypoints_image": (17, 3),
}


def human(
    person_id: str = "abcde", seed: int = 0, state: TrackingState = TrackingState.TRACKED
) -> HumanState:
    random = np.random.default_rng(seed)
    return HumanState(
        person_id=person_id,
        stamp_s=0.1,
        tracking_state=state,
        age_s=1.0,
        unseen_s=0.0,
        betas=random.normal(size=10),
        body_pose=Rotation.random(23, random_state=seed).as_matrix(),
        root_orientation_camera=Rotation.random(random_state=seed).as_matrix(),
        root_position_camera=random.normal(size=3),
        root_orientation_world=np.eye(3),
        root_position_world=random.normal(size=3),
        root_covariance_camera=np.eye(6),
        root_covariance_world=np.eye(6),
        root_linear_velocity_world=random.normal(size=3),
        root_angular_velocity_world=np.zeros(3),
        joints_camera=random.normal(size=(24, 3)),
        joints_world=random.normal(size=(24, 3)),
        joint_confidence=random.uniform(size=24),
        coco17_camera=random.normal(size=(17, 3)),
        contacts=random.uniform(size=4),
        contact_positions_world=random.normal(size=(4, 3)),
        keypoints_image=random.uniform(0, 100, (17, 3)),
        box_xyxy=np.array([1.0, 2.0, 30.0, 40.0]),
    )


def result(*humans: HumanState, stamp_s: float = 0.1) -> FrameResult:
    motion = CameraMotion(
        stamp_s,
        0.033,
        np.eye(3),
        np.eye(3),
        np.ones(3),
        True,
        True,
        CameraMotionMode.IMU,
        np.eye(3),
    )
    return FrameResult(stamp_s, humans, motion)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    writer = TrackWriter(tmp_path / "out.npz", CAMERA, fps=30.0)
    writer.append(0, result(human("abcde"), human("fghij", 1)))
    writer.append(2, result(stamp_s=0.2))
    writer.append(4, result(human("fghij", 2), stamp_s=0.3))
    return writer.close()


def rewritten(path: Path, **changes: np.ndarray | None) -> Path:
    arrays = dict(np.load(path))
    for key, value in changes.items():
        arrays.pop(key) if value is None else arrays.update({key: value})
    np.savez(path, **arrays)
    return path


def test_file_has_every_promised_key_with_its_shape(written: Path) -> None:
    arrays = np.load(written)
    for key, shape in REQUIRED.items():
        assert arrays[key].shape == (3, *shape), key
    assert arrays["person_id"].tolist() == ["abcde", "fghij", "fghij"]
    assert arrays["frame"].tolist() == [0, 0, 4]


def test_values_survive_the_round_trip(written: Path) -> None:
    row = TrackFile.read(written).row(1)
    original = human("fghij", 1)
    for key in ("betas", "joints_camera", "contacts", "keypoints_image", "root_position_world"):
        np.testing.assert_allclose(getattr(row, key), getattr(original, key), atol=1e-5)
    assert row.tracking_state is TrackingState.TRACKED


def test_body_pose_is_axis_angle(written: Path) -> None:
    row = TrackFile.read(written).row(0)
    np.testing.assert_allclose(
        Rotation.from_rotvec(row.body_pose).as_matrix(), human().body_pose, atol=1e-5
    )


def test_camera_survives_the_round_trip(written: Path) -> None:
    camera = TrackFile.read(written).camera
    assert (camera.width, camera.height, camera.assumed) == (640, 480, False)
    np.testing.assert_allclose(camera.matrix, CAMERA.matrix)
    assert camera.distortion == CAMERA.distortion


def test_frames_without_people_are_kept(written: Path) -> None:
    frames = [(frame, len(people)) for frame, _, people in TrackFile.read(written).by_frame()]
    assert frames == [(0, 2), (2, 0), (4, 1)]


def test_by_person_gives_each_person_its_rows(written: Path) -> None:
    rows = {name: track["frame"].tolist() for name, track in TrackFile.read(written).by_person()}
    assert rows == {"abcde": [0], "fghij": [0, 4]}


def test_nobody_seen_is_a_valid_file(tmp_path: Path) -> None:
    with TrackWriter(tmp_path / "empty.npz", CAMERA) as writer:
        writer.append(0, result())
    track = TrackFile.read(tmp_path / "empty.npz")
    assert len(track) == 0
    assert track["joints_world"].shape == (0, 24, 3)
    assert track.person_ids == ()


def test_lost_people_have_no_row(tmp_path: Path) -> None:
    writer = TrackWriter(tmp_path / "out.npz", CAMERA)
    writer.append(0, result(human(state=TrackingState.LOST)))
    assert len(writer) == 0


def test_nothing_is_written_after_an_error(tmp_path: Path) -> None:
    def interrupted() -> None:
        with TrackWriter(tmp_path / "out.npz", CAMERA) as writer:
            writer.append(0, result(human()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_only_the_file_itself_is_left_behind(written: Path) -> None:
    assert [path.name for path in written.parent.iterdir()] == ["out.npz"]


def test_frames_must_grow(tmp_path: Path) -> None:
    writer = TrackWriter(tmp_path / "out.npz", CAMERA)
    writer.append(3, result())
    with pytest.raises(ValueError, match="frame must grow: 3 follows 3"):
        writer.append(3, result())


def test_output_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        TrackWriter(tmp_path / "nowhere" / "out.npz", CAMERA)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.npz"):
        TrackFile.read(tmp_path / "absent.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 truncated"])
def test_unreadable_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(TrackFileError, match=r"broken\.npz"):
        TrackFile.read(path)


def test_missing_key_is_named(written: Path) -> None:
    with pytest.raises(TrackFileError, match="'contacts' is missing"):
        TrackFile.read(rewritten(written, contacts=None))


def test_wrong_shape_is_named(written: Path) -> None:
    with pytest.raises(TrackFileError, match=r"'betas' has shape \(3, 9\), expected \(3, 10\)"):
        TrackFile.read(rewritten(written, betas=np.zeros((3, 9))))


def test_wrong_kind_is_named(written: Path) -> None:
    with pytest.raises(TrackFileError, match="'person_id' holds int64, expected text"):
        TrackFile.read(rewritten(written, person_id=np.zeros(3, np.int64)))


def test_other_version_is_refused(written: Path) -> None:
    with pytest.raises(TrackFileError, match="'version' is 99"):
        TrackFile.read(rewritten(written, version=np.array(99)))


def test_zero_camera_matrix_is_refused(written: Path) -> None:
    with pytest.raises(TrackFileError, match="fx = 0"):
        TrackFile.read(rewritten(written, camera_matrix=np.diag([0.0, 0.0, 1.0])))


def test_camera_may_come_with_a_frame(tmp_path: Path) -> None:
    writer = TrackWriter(tmp_path / "out.npz")
    writer.append(0, result(human()), CAMERA)
    assert TrackFile.read(writer.close()).camera.fy == 510.0


def test_rate_is_taken_from_the_stamps(tmp_path: Path) -> None:
    with TrackWriter(tmp_path / "out.npz", CAMERA) as writer:
        for frame in range(5):
            writer.append(frame, result(stamp_s=frame / 25.0))
    assert TrackFile.read(tmp_path / "out.npz").fps == pytest.approx(25.0)


def test_no_frame_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frame of the input was processed"):
        TrackWriter(tmp_path / "out.npz").close()
