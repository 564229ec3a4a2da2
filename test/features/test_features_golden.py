"""From the published encoder's reduced run to the start and the steps of a WHAM that takes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from humor_ros.body import BodyModel
from humor_ros.features import FeatureConfig, load_extractor, mirror_inputs, step_averaged
from humor_ros.features.person_crops import CropRequest, encode
from humor_ros.wham import WhamConfig, WhamInputs, WhamNetwork
from humor_ros.wham.keypoints import normalise_keypoints
from humor_ros.wham.stepper import Stepper


@pytest.fixture(scope="module")
def wham():
    torch.manual_seed(0)
    return WhamNetwork(WhamConfig(d_embed=32, n_layers=1, d_feat=1024, d_integrator=16)).eval()


@pytest.fixture(scope="module")
def body(golden):
    with np.load(golden / "fake_smpl_431.npz") as file:
        arrays = dict(file)
    keypoints, feet = (
        arrays.pop(name).astype(np.float32) for name in ("J_regressor_wham", "J_regressor_feet")
    )
    return BodyModel.from_smpl_arrays(arrays, keypoints, feet)


@pytest.fixture(scope="module")
def people(golden):
    """Features of the three subjects by track id."""
    config = FeatureConfig(golden / "hmr2_reduced.ckpt", golden / "config.json")
    with np.load(golden / "inputs.npz") as file:
        request = CropRequest(0.0, file["image_bgr_uint8"], (7, 8, 9), file["bbox_cx_cy_s"], 1)
    return encode(load_extractor(config, 1024, flip=True), request)


@pytest.fixture(scope="module")
def expected(golden):
    with np.load(golden / "outputs_f64.npz") as file:
        return {name: torch.from_numpy(file[name]).float() for name in file.files}


@pytest.fixture(scope="module")
def inputs(golden):
    with np.load(golden / "inputs.npz") as file:
        keypoints, boxes = (
            torch.from_numpy(file[name]).float()[:, None] for name in ("keypoints", "bbox_cx_cy_s")
        )
        res = torch.from_numpy(file["res_wh"]).float().expand(3, 2)
    return WhamInputs(
        normalise_keypoints(keypoints, boxes, res), keypoints[..., 2] < 0.3, torch.zeros(3, 1, 6)
    )


@pytest.mark.parametrize("prefix", ["", "flipped_"])
def test_people_are_the_published_ones(people, expected, prefix):
    for row, track in enumerate((7, 8, 9)):
        person = people[track].mirror_image if prefix else people[track]
        close = {"atol": 5e-5, "rtol": 0}
        torch.testing.assert_close(
            person.feature, expected[f"{prefix}feature_token_out"][row], **close
        )
        torch.testing.assert_close(
            person.rotations[1:], expected[f"{prefix}pred_body_pose"][row], **close
        )
        torch.testing.assert_close(person.betas, expected[f"{prefix}pred_betas"][row], **close)


def test_whams_start_is_the_published_one(wham, body, people, inputs, expected):
    stepper = Stepper(wham, body, features=True)
    state = stepper.from_image(inputs, list(people.values()), torch.eye(3))
    close = {"atol": 5e-5, "rtol": 0}
    torch.testing.assert_close(state.pose, expected["wham_init_smpl"].flatten(1), **close)
    torch.testing.assert_close(state.root, expected["wham_init_root"][:, 0], **close)
    torch.testing.assert_close(state.kp3d, expected["wham431_init_kp3d"].flatten(1), **close)


def test_the_mirrored_start_is_the_published_one(wham, body, people, inputs, expected):
    stepper = Stepper(wham, body, features=True, flip=True)
    state = stepper.from_image(inputs, list(people.values()), torch.eye(3)).mirrored
    close = {"atol": 5e-5, "rtol": 0}
    torch.testing.assert_close(state.pose, expected["flipped_wham_init_smpl"].flatten(1), **close)
    torch.testing.assert_close(
        state.kp3d, expected["flipped_wham431_init_kp3d"].flatten(1), **close
    )


def test_a_step_with_mirrored_features_is_the_published_averaging(wham, body, people, inputs):
    """The published merge is held to its golden arrays in test_flip_averaging."""
    stepper = Stepper(wham, body, features=True, flip=True)
    given = list(people.values())
    with torch.inference_mode():
        start = stepper.from_image(inputs, given, torch.eye(3))
        _, found = stepper.step(start, inputs, dict(enumerate(given)))
        features = torch.stack([person.feature for person in given])[:, None]
        mirrored = torch.stack([person.mirror_image.feature for person in given])[:, None]
        both = WhamInputs(inputs.x, inputs.mask, inputs.cam_angvel, features)
        _, wanted = step_averaged(wham, start, both, mirror_inputs(both, mirrored), body)
    torch.testing.assert_close(found.rotations, wanted.rotations, atol=0, rtol=0)
    torch.testing.assert_close(found.motion.betas, wanted.motion.betas, atol=0, rtol=0)


def test_averaging_without_the_mirrored_crop_is_an_error(wham, body, people, inputs):
    from dataclasses import replace

    alone = [replace(person, mirrored=None) for person in people.values()]
    with pytest.raises(ValueError, match="flip=True"):
        Stepper(wham, body, features=True, flip=True).from_image(inputs, alone, torch.eye(3))


def test_boxes_outside_and_without_size_have_no_feature(golden):
    config = FeatureConfig(golden / "hmr2_reduced.ckpt", golden / "config.json")
    boxes = np.array([[-4000.0, 0.0, 1.0], [240.0, 180.0, 1.0], [240.0, 180.0, 0.0]])
    with np.load(golden / "inputs.npz") as file:
        request = CropRequest(0.0, file["image_bgr_uint8"], (1, 2, 3), boxes, 1)
    assert set(encode(load_extractor(config, 1024, flip=False), request)) == {2}
