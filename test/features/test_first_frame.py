"""WHAM's first frame: the published arrays, the world of gravity, and errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from humor_ros.body import BodyModel
from humor_ros.features import EncoderOutput, first_frame
from humor_ros.geometry import axis_angle_to_matrix, rotation_6d_to_matrix
from humor_ros.wham.keypoints import normalise_keypoints


@pytest.fixture(scope="module")
def body():
    return BodyModel.load()


@pytest.fixture
def people():
    generator = torch.Generator().manual_seed(0)
    return EncoderOutput(
        feature=torch.randn(2, 1024, generator=generator),
        pose=torch.randn(2, 144, generator=generator),
        betas=torch.randn(2, 10, generator=generator),
        cam=torch.randn(2, 3, generator=generator),
    )


@pytest.mark.parametrize("prefix", ["", "flipped_"])
def test_two_dimensional_part_is_the_published_one(golden, body, people, prefix):
    boxes_name = "flipped_bbox" if prefix else "bbox_cx_cy_s"
    with np.load(golden / "inputs.npz") as file, np.load(golden / "outputs_f64.npz") as outputs:
        keypoints, boxes, res = (
            torch.from_numpy(file[name]).double()
            for name in (f"{prefix}keypoints", boxes_name, "res_wh")
        )
        expected = outputs[f"{prefix}wham_init_kp"][:2, 0, 51:]
    x = normalise_keypoints(keypoints[:2, None], boxes[:2, None], res.expand(2, 2))[:, 0]
    found = first_frame(people, body, x.float()).init_kp[:, 0, 51:]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_keypoints_are_those_of_the_body_about_the_hips(body, people):
    start = first_frame(people, body, torch.zeros(2, 37))
    points = body(people.betas, people.rotations).coco17
    hips = points[:, 11:13].mean(1, keepdim=True)
    torch.testing.assert_close(start.keypoints, points - hips)


def test_pose_is_that_of_the_encoder_in_whams_form(body, people):
    start = first_frame(people, body, torch.zeros(2, 37))
    torch.testing.assert_close(
        rotation_6d_to_matrix(start.init_smpl[:, 0]), people.rotations, atol=1e-5, rtol=0
    )


def test_the_camera_is_the_world_where_nothing_says_otherwise(body, people):
    start = first_frame(people, body, torch.zeros(2, 37))
    torch.testing.assert_close(start.init_root[:, 0], start.init_smpl[:, 0, 0])


@pytest.mark.parametrize("each", [False, True])
def test_the_root_is_turned_into_the_world_of_gravity(body, people, each):
    tilt = axis_angle_to_matrix(torch.tensor((0.4, 0.0, 0.1)))
    given = tilt.expand(2, 3, 3) if each else tilt
    start = first_frame(people, body, torch.zeros(2, 37), given)
    found = rotation_6d_to_matrix(start.init_root[:, 0])
    torch.testing.assert_close(found, tilt @ people.rotations[:, 0], atol=1e-5, rtol=0)


def test_another_number_of_people_is_an_error(body, people):
    with pytest.raises(ValueError, match=r"x must have shape \(2, 37\)"):
        first_frame(people, body, torch.zeros(3, 37))
