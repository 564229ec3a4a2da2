"""The body with still hands and few vertices."""

from __future__ import annotations

import pytest
import torch
from humor_cases import DTYPE, body_arrays, make_body, noise

from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor.body import (
    KEYPOINT_VERTICES,
    OPENPOSE_FROM_POINTS,
    OPENPOSE_VERTICES,
    HumorBody,
)


def pose(batch: int, frames: int, seed: int = 0) -> torch.Tensor:
    return axis_angle_to_matrix(noise(batch, frames, 22, 3, seed=seed, scale=0.4))


def skinned_one_by_one(joints: int, betas: torch.Tensor, rotations: torch.Tensor) -> tuple:
    """Joints and vertices of one body in one frame, by the definition of blend skinning."""
    arrays = {k: torch.as_tensor(v) for k, v in body_arrays(joints).items()}
    rest = arrays["v_template"] + arrays["shapedirs"] @ betas
    places = arrays["J_regressor"] @ rest
    eye = torch.eye(3, dtype=DTYPE)
    local = torch.cat((rotations, eye.expand(joints - 22, 3, 3)))
    rest = rest + arrays["posedirs"] @ (local[1:] - eye).flatten()
    turns, posed = [local[0]], [places[0]]
    for joint in range(1, joints):
        parent = int(arrays["kintree_table"][0, joint])
        turns.append(turns[parent] @ local[joint])
        posed.append(posed[parent] + turns[parent] @ (places[joint] - places[parent]))
    vertices = torch.zeros_like(rest)
    for joint in range(joints):
        moved = (rest - places[joint]) @ turns[joint].T + posed[joint]
        vertices = vertices + arrays["weights"][:, joint, None] * moved
    return torch.stack(posed)[:22], vertices


@pytest.mark.parametrize("joints", [24, 52])
def test_points_follow_blend_skinning(joints: int) -> None:
    betas, rotations = noise(2, 6, seed=1), pose(2, 3)
    trans = noise(2, 3, 3, seed=2)
    posed = make_body(joints)(betas, rotations, trans)
    for person in range(2):
        for frame in range(3):
            expected = skinned_one_by_one(joints, betas[person], rotations[person, frame])
            found = (posed.joints[person, frame], posed.vertices[person, frame])
            for value, reference in zip(found, expected, strict=True):
                torch.testing.assert_close(value, reference + trans[person, frame])


def test_few_vertices_are_those_of_all(body: HumorBody) -> None:
    betas, rotations, trans = noise(1, 6), pose(1, 2), noise(1, 2, 3)
    few = body.with_vertices([7, 3, 150])(betas, rotations, trans)
    everything = body(betas, rotations, trans)
    torch.testing.assert_close(few.vertices, everything.vertices[:, :, [7, 3, 150]])


def test_no_vertices_are_a_choice(body: HumorBody) -> None:
    posed = body.with_vertices([])(noise(1, 6), pose(1, 2), noise(1, 2, 3))
    assert posed.vertices.shape == (1, 2, 0, 3)


def test_a_vertex_beyond_the_mesh_is_refused(body: HumorBody) -> None:
    with pytest.raises(ValueError, match="200 vertices"):
        body.with_vertices([200])


def test_joints_alone_are_the_same_joints(body: HumorBody) -> None:
    betas, rotations, trans = noise(2, 6), pose(2, 3), noise(2, 3, 3)
    torch.testing.assert_close(
        body.joints(betas, rotations, trans), body(betas, rotations, trans).joints
    )


def test_the_root_joint_does_not_turn(body: HumorBody) -> None:
    betas, trans = noise(2, 6), noise(2, 3, 3)
    expected = trans + body.rest_joints(betas)[:, :1]
    torch.testing.assert_close(body.joints(betas, pose(2, 3), trans)[:, :, 0], expected)


@pytest.mark.parametrize(("batch", "betas"), [(1, 6), (2, 5)])
def test_betas_of_another_shape_are_refused(body: HumorBody, batch: int, betas: int) -> None:
    with pytest.raises(ValueError, match="betas"):
        body(noise(batch, betas), pose(2, 3), noise(2, 3, 3))


def test_rotations_of_another_shape_are_refused(body: HumorBody) -> None:
    with pytest.raises(ValueError, match="rotations"):
        body(noise(2, 6), pose(2, 3)[:, :, :21], noise(2, 3, 3))


def test_published_vertices_are_named_once() -> None:
    assert len(set(KEYPOINT_VERTICES)) == 43
    assert len(set(OPENPOSE_VERTICES)) == 11
    assert len(set(OPENPOSE_FROM_POINTS)) == 25
