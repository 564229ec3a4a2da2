"""Pre-processing equals the published one, array for array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from humor_ros.geometry import (
    PinholeCamera,
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_quaternion_xyzw,
    matrix_to_rotation_6d,
    rotation_6d_to_matrix,
)
from humor_ros.wham.boxes import box_of_keypoints, box_of_xyxy, boxes_of_track, median_boxes
from humor_ros.wham.camera_input import camera_angular_velocity, published_demo_angular_velocity
from humor_ros.wham.contacts import contact_labels
from humor_ros.wham.flip import mean_rotation, mirror_pose
from humor_ros.wham.keypoints import (
    centre_on_hips,
    flip_bbox,
    flip_keypoints,
    keypoint_mask,
    normalise_keypoints,
)
from humor_ros.wham.trajectory import full_image_translation, roll_out, weak_translation

pytestmark = pytest.mark.shared
Golden = dict[str, NDArray]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    with np.load(shared / "golden" / "wham" / "preproc_golden.npz") as file:
        return {name: file[name] for name in file.files}


def tensor(golden: Golden, name: str) -> torch.Tensor:
    return torch.from_numpy(golden[name])


def test_box_of_confident_keypoints(golden: Golden) -> None:
    boxes = boxes_of_track(golden["in/keypoints_px_conf"].astype(np.float64))
    np.testing.assert_allclose(boxes, golden["out/detector_bbox_cxcys"], atol=2e-5)


def test_box_smoothing_is_the_zero_padded_median(golden: Golden) -> None:
    smooth = median_boxes(golden["out/detector_bbox_cxcys"])
    np.testing.assert_allclose(smooth, golden["out/detector_bbox_smoothed"], atol=1e-9)


def test_training_box_holds_all_keypoints(golden: Golden) -> None:
    boxes = [box_of_keypoints(frame, -1.0) for frame in golden["in/keypoints_px_conf"]]
    np.testing.assert_allclose(boxes, golden["out/bbox_no_aug"], atol=5e-5)


def test_box_of_a_rectangle(golden: Golden) -> None:
    np.testing.assert_allclose(
        box_of_xyxy(golden["in/xyxy"])[None], golden["out/xyxy_to_cxcys"], atol=1e-12
    )


def test_assumed_intrinsics(golden: Golden) -> None:
    width, height = golden["in/res_wh"]
    camera = PinholeCamera.assume(int(width), int(height))
    np.testing.assert_allclose(camera.matrix[None], golden["out/compute_cam_intrinsics"], rtol=1e-6)


def test_mask_of_unsure_keypoints(golden: Golden) -> None:
    mask = keypoint_mask(tensor(golden, "in/keypoints_px_conf")[..., 2])
    np.testing.assert_array_equal(mask, golden["out/mask_conf_lt_0.3"])


def test_normalised_keypoints(golden: Golden) -> None:
    x = normalise_keypoints(
        tensor(golden, "in/keypoints_px_conf")[None],
        tensor(golden, "out/detector_bbox_smoothed")[None],
        tensor(golden, "in/res_wh")[None],
    )
    np.testing.assert_allclose(x[0], golden["out/norm_kp2d_37"], atol=1e-6)


def test_flipped_keypoints_and_boxes(golden: Golden) -> None:
    width = float(golden["in/res_wh"][0])
    keypoints = flip_keypoints(tensor(golden, "in/keypoints_px_conf"), width)
    boxes = flip_bbox(tensor(golden, "out/detector_bbox_smoothed"), width)
    np.testing.assert_allclose(keypoints, golden["out/flip_kp"], atol=1e-4)
    np.testing.assert_allclose(boxes, golden["out/flip_bbox"], atol=1e-9)


def test_mirrored_pose(golden: Golden) -> None:
    mirrored = mirror_pose(rotation_6d_to_matrix(tensor(golden, "in/flipped_pose6d")))
    np.testing.assert_allclose(matrix_to_rotation_6d(mirrored), golden["out/flip_pose"], atol=2e-6)


def test_mean_of_a_pose_and_its_mirror_image(golden: Golden) -> None:
    normal = rotation_6d_to_matrix(tensor(golden, "in/pose6d"))
    mirrored = mirror_pose(rotation_6d_to_matrix(tensor(golden, "in/flipped_pose6d")))
    mean = matrix_to_rotation_6d(mean_rotation(normal, mirrored))
    np.testing.assert_allclose(mean, golden["out/avg_preds_pose6d"], atol=5e-6)


def test_full_image_camera(golden: Golden) -> None:
    width, height = golden["in/res_wh"]
    matrix = torch.tensor(PinholeCamera.assume(int(width), int(height)).matrix).float()
    translation = full_image_translation(
        tensor(golden, "in/pare_cam"),
        tensor(golden, "out/detector_bbox_smoothed").float()[None],
        tensor(golden, "in/res_wh")[None],
        matrix[None, None],
    )
    np.testing.assert_allclose(
        translation, golden["out/convert_pare_to_full_img_cam"], rtol=1e-6, atol=2e-6
    )


def test_weak_camera(golden: Golden) -> None:
    translation = weak_translation(tensor(golden, "in/pare_cam"))
    np.testing.assert_allclose(
        translation, golden["out/convert_weak_perspective_to_perspective"], rtol=1e-6
    )


@pytest.mark.parametrize("frame_rate", [25, 30])
def test_published_demo_angular_velocity(golden: Golden, frame_rate: int) -> None:
    velocity = published_demo_angular_velocity(
        tensor(golden, "in/dpvo_traj_xyz_qxyzw")[:, 3:], frame_rate
    )
    np.testing.assert_allclose(velocity, golden[f"out/cam_angvel_dpvo_fps{frame_rate}"], atol=2e-5)


def test_camera_at_rest_has_no_angular_velocity(golden: Golden) -> None:
    still = camera_angular_velocity(torch.eye(3).expand(40, 3, 3))
    np.testing.assert_array_equal(still, golden["out/cam_angvel_noslam"])


def test_angular_velocity_of_a_gyro() -> None:
    omega = torch.tensor([0.02, -0.03, 0.01], dtype=torch.float64)
    velocity = camera_angular_velocity(axis_angle_to_matrix(omega / 30.0))
    expected = [0.0, -omega[2], omega[1], omega[2], 0.0, -omega[0]]
    np.testing.assert_allclose(velocity, expected, atol=5e-5)


@pytest.mark.parametrize("joints", [17, 31])
def test_centred_joints(golden: Golden, joints: int) -> None:
    centred = centre_on_hips(tensor(golden, "in/joints31")[:, :joints])
    np.testing.assert_allclose(centred, golden[f"out/root_centering{joints}"], atol=1e-6)


def test_contact_labels(golden: Golden) -> None:
    labels = contact_labels(tensor(golden, "in/feet"))
    np.testing.assert_allclose(labels, golden["out/compute_contact_label"], atol=2e-6)


def test_contact_labels_need_three_frames() -> None:
    with pytest.raises(ValueError, match="at least 3 frames"):
        contact_labels(torch.zeros(2, 4, 3))


def test_roll_out(golden: Golden) -> None:
    rotation = rotation_6d_to_matrix(tensor(golden, "in/root6d"))
    start = torch.zeros(1, 3, dtype=torch.float64)
    translation = roll_out(rotation[:, :-1], tensor(golden, "in/vel"), start)
    np.testing.assert_allclose(rotation[:, 1:], golden["out/rollout_R"], atol=1e-6)
    np.testing.assert_allclose(translation, golden["out/rollout_t"], atol=5e-6)


def test_rotation_conversions(golden: Golden) -> None:
    matrix = rotation_6d_to_matrix(tensor(golden, "in/d6_raw"))
    quaternion = matrix_to_quaternion_xyzw(matrix).numpy()[:, [3, 0, 1, 2]]
    expected = golden["out/matrix_to_quaternion"]
    expected = expected * np.sign(expected[:, :1])
    np.testing.assert_allclose(matrix, golden["out/rotation_6d_to_matrix"], atol=1e-6)
    np.testing.assert_allclose(
        matrix_to_rotation_6d(matrix), golden["out/matrix_to_rotation_6d"], atol=1e-6
    )
    np.testing.assert_allclose(quaternion, expected, atol=2e-6)
    np.testing.assert_allclose(
        axis_angle_to_matrix(matrix_to_axis_angle(matrix)),
        axis_angle_to_matrix(tensor(golden, "out/matrix_to_axis_angle")),
        atol=1e-5,
    )


def test_a_track_without_keypoints_is_refused() -> None:
    with pytest.raises(ValueError, match="none of 3 frames"):
        boxes_of_track(np.zeros((3, 17, 3)))
