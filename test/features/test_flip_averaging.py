"""Flip averaging frame by frame: the published result, without looking ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from humor_ros.body import BodyModel
from humor_ros.features import FlipState, mirror_inputs, step_averaged
from humor_ros.wham.checkpoint import load_published, load_regressors
from humor_ros.wham.flip_averaging import mirror_input
from humor_ros.wham.keypoints import flip_bbox, flip_keypoints, normalise_keypoints
from humor_ros.wham.values import WhamInputs


@pytest.fixture(scope="module")
def run(shared_golden):
    """The published network with its body, and the inputs and start of both passes."""
    folder = shared_golden / "wham"
    network = load_published(folder / "checkpoint.pth.tar").double()
    regressors = load_regressors(folder / "checkpoint.pth.tar")
    with np.load(folder / "smpl_431.npz") as file:
        body = BodyModel.from_smpl_arrays(
            dict(file),
            regressors.keypoints31.numpy(),
            regressors.feet.numpy(),
            dtype=torch.float64,
        )
    with np.load(folder / "inputs.npz") as file:
        data = {name: torch.from_numpy(file[name]) for name in file.files}
    data = {k: v if v.dtype == torch.bool else v.double() for k, v in data.items()}
    passes = []
    for row in (slice(0, 1), slice(1, 2)):
        inputs = WhamInputs(
            *(data[name][row] for name in ("x", "mask", "cam_angvel", "img_features")),
            bbox=data["bbox"][row],
            res=data["res"][row],
            cam_intrinsics=data["cam_intrinsics"][row],
        )
        start = network.initial_state(
            *(data[name][row] for name in ("init_kp", "init_smpl", "init_root"))
        )
        passes.append((inputs, start.clone()))
    return network, body, passes


@torch.inference_mode()
def step_all(run, chunk, frames=40):
    """Outputs of all frames, stepped ``chunk`` at a time."""
    network, body, ((normal, first), (mirrored, second)) = run
    state, found = FlipState(first, second), []
    for start in range(0, frames, chunk):
        stop = min(start + chunk, frames)
        state, out = step_averaged(
            network, state, normal.frames(start, stop), mirrored.frames(start, stop), body
        )
        found.append(out)
    return state, found


def test_frame_by_frame_is_the_published_whole_run(run, shared_golden):
    _, found = step_all(run, 1)
    with np.load(shared_golden / "wham" / "outputs.npz") as file:
        expected = {n[5:]: file[n] for n in file.files if n.startswith("flip/")}
    made = {
        "avg_pose6d": torch.cat([out.motion.pose for out in found], 1)[0],
        "avg_shape": torch.cat([out.motion.betas for out in found], 1)[0],
        "avg_contact": torch.cat([out.motion.contacts for out in found], 1),
        "poses_root_cam": torch.cat([out.rotations[..., 0, :, :] for out in found], 1),
        "trans_cam": torch.cat([out.translation_camera for out in found], 1),
        "vel_root_refined": torch.cat([out.velocity_refined for out in found], 1),
        "vel_reset": torch.cat([out.velocity_reset for out in found], 1),
    }
    for name, value in made.items():
        reference = expected[name].reshape(value.shape)
        np.testing.assert_allclose(value, reference, atol=2e-5, err_msg=name)


def test_frames_together_are_frames_one_by_one(run):
    (_, alone), (_, together) = step_all(run, 1, 12), step_all(run, 5, 12)
    for name in ("translation_world", "rotation_world_root", "keypoints31"):
        torch.testing.assert_close(
            torch.cat([getattr(out, name) for out in together], 1),
            torch.cat([getattr(out, name) for out in alone], 1),
            atol=1e-9,
            rtol=0,
        )


def test_outputs_do_not_depend_on_later_frames(run):
    network, body, ((normal, first), (mirrored, second)) = run
    changed = replace(mirrored, x=torch.cat((mirrored.x[:, :6], -mirrored.x[:, 6:]), 1))
    with torch.inference_mode():
        state = FlipState(first, second)
        _, one = step_averaged(network, state, normal, mirrored, body)
        _, two = step_averaged(network, state, normal, changed, body)
    same = (one.rotations == two.rotations).flatten(2).all(-1)[0]
    assert same[:6].all()
    assert not same[6:].any()


def test_people_are_averaged_independently(run):
    network, body, ((normal, first), (mirrored, second)) = run
    pair, other = FlipState(first, second), FlipState(second, first)
    both = FlipState.cat([pair, other]).select([1, 0])
    joined = [_cat(mirrored, normal), _cat(normal, mirrored)]
    with torch.inference_mode():
        _, alone = step_averaged(network, pair, normal, mirrored, body)
        _, together = step_averaged(network, both, *joined, body)
    torch.testing.assert_close(together.rotations[1:], alone.rotations, atol=1e-9, rtol=0)


def _cat(first, second):
    values = zip(vars(first).values(), vars(second).values(), strict=True)
    return WhamInputs(*(None if a is None else torch.cat((a, b)) for a, b in values))


def test_states_and_inputs_of_other_people_are_an_error(run):
    network, body, ((normal, first), (mirrored, second)) = run
    with pytest.raises(ValueError, match="all must be of the same people"):
        step_averaged(network, FlipState(first, second.select([])), normal, mirrored, body)


def test_features_for_one_pass_alone_are_an_error(run):
    network, body, ((normal, first), (mirrored, second)) = run
    bare = replace(mirrored, img_features=None)
    with pytest.raises(ValueError, match="img_features must be given for both passes"):
        step_averaged(network, FlipState(first, second), normal, bare, body)


@pytest.fixture
def measured():
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(2, 3, 17, 2, generator=generator) * 400
    bbox = torch.rand(2, 3, 3, generator=generator) * 200 + 1
    res = torch.tensor([[640.0, 480.0], [480.0, 640.0]])
    return keypoints, bbox, res


def test_mirrored_input_is_that_of_the_mirrored_image(measured):
    keypoints, bbox, res = measured
    found = mirror_input(normalise_keypoints(keypoints, bbox, res))
    for person in range(2):
        width = float(res[person, 0])
        expected = normalise_keypoints(
            flip_keypoints(keypoints[person : person + 1], width),
            flip_bbox(bbox[person : person + 1], width),
            res[person : person + 1],
        )
        torch.testing.assert_close(found[person : person + 1], expected, atol=1e-5, rtol=1e-5)


def test_mirrored_inputs_mirror_all_but_the_camera(measured):
    keypoints, bbox, res = measured
    mask = torch.zeros(2, 3, 17, dtype=torch.bool)
    mask[..., 1] = True
    inputs = WhamInputs(
        normalise_keypoints(keypoints, bbox, res), mask, torch.randn(2, 3, 6), bbox=bbox, res=res
    )
    features = torch.randn(2, 3, 8)
    mirrored = mirror_inputs(inputs, features)
    assert mirrored.mask[..., 2].all()
    assert not mirrored.mask[..., 1].any()
    assert mirrored.cam_angvel is inputs.cam_angvel
    assert mirrored.img_features is features
    torch.testing.assert_close(mirrored.bbox[..., 0], res[:, None, 0] - bbox[..., 0])


def test_mirroring_twice_is_nothing(measured):
    x = normalise_keypoints(*measured)
    torch.testing.assert_close(mirror_input(mirror_input(x)), x, atol=0, rtol=0)
