"""Sizes taken from a body follow its betas and enclose its skin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from humor_ros.body import (
    SMPL_EDGES,
    SMPL_JOINT_NAMES,
    BodyModel,
    bone_lengths,
    capsules,
    joint_offsets,
    stature,
)

BETAS = np.array([1.5, -0.5, 0.3, 0.0, 1.0, 0.0, -2.0, 0.0, 0.0, 0.5])


def test_offsets_sum_to_the_rest_joints(free_body: BodyModel) -> None:
    offsets = joint_offsets(free_body.arrays, BETAS)
    expected = free_body.rest_joints(torch.from_numpy(BETAS)[None])[0].numpy()
    joints = np.zeros_like(expected)
    joints[0] = expected[0]
    for parent, child in SMPL_EDGES:
        joints[child] = joints[parent] + offsets[child]
    np.testing.assert_allclose(joints, expected, atol=1e-12)
    np.testing.assert_array_equal(offsets[0], 0)


def test_bone_lengths_do_not_depend_on_the_pose(free_body: BodyModel, random_poses) -> None:
    _, rotations = random_poses(1)
    joints = free_body(torch.from_numpy(BETAS)[None], rotations).joints[0].numpy()
    lengths = bone_lengths(free_body.arrays, BETAS)
    assert len(lengths) == 23
    for (parent, child), length in lengths.items():
        ends = joints[SMPL_JOINT_NAMES.index(parent)], joints[SMPL_JOINT_NAMES.index(child)]
        assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(length)


def test_first_beta_makes_the_packaged_body_taller(free_body: BodyModel) -> None:
    tall, short = np.eye(10)[0], -np.eye(10)[0]
    assert stature(free_body.arrays, tall) > stature(free_body.arrays, short) + 0.1


def test_every_joint_of_the_packaged_body_has_a_capsule(free_body: BodyModel) -> None:
    found = capsules(free_body.arrays, BETAS)
    assert [capsule.joint for capsule in found] == list(SMPL_JOINT_NAMES)
    assert all(0.005 < capsule.radius < 0.3 for capsule in found)


def test_left_and_right_capsules_agree_within_a_centimetre(free_body: BodyModel) -> None:
    found = {capsule.joint: capsule for capsule in capsules(free_body.arrays, np.zeros(10))}
    for name, capsule in found.items():
        if name.startswith("left_"):
            other = found[name.replace("left", "right")]
            assert capsule.radius == pytest.approx(other.radius, abs=0.01)
            np.testing.assert_allclose(capsule.end * [-1, 1, 1], other.end, atol=0.01)


def test_enclosing_capsules_hold_all_skin_of_the_limbs(free_body: BodyModel) -> None:
    arrays = free_body.arrays
    owners = arrays.weights.argmax(axis=1)
    joints = arrays.joint_regressor @ arrays.v_template
    for capsule in capsules(arrays, np.zeros(10), quantile=1.0):
        if not capsule.joint.endswith(("knee", "elbow", "shoulder", "hip")):
            continue
        joint = SMPL_JOINT_NAMES.index(capsule.joint)
        skin = arrays.v_template[owners == joint] - joints[joint]
        axis = capsule.end - capsule.start
        share = np.clip((skin - capsule.start) @ axis / (axis @ axis), 0, 1)
        nearest = capsule.start + share[:, None] * axis
        assert np.linalg.norm(skin - nearest, axis=1).max() <= capsule.radius + 1e-9


@pytest.mark.parametrize("quantile", [0.0, -1.0, 1.1])
def test_impossible_quantile_is_refused(free_body: BodyModel, quantile: float) -> None:
    with pytest.raises(ValueError, match="quantile must be in"):
        capsules(free_body.arrays, BETAS, quantile=quantile)


def test_wrong_betas_are_refused(free_body: BodyModel) -> None:
    with pytest.raises(ValueError, match=r"betas must have shape \(10,\), got \(1, 10\)"):
        stature(free_body.arrays, BETAS[None])
