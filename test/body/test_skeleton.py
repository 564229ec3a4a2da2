"""The tables of joints agree with one another and with the packaged body."""

from __future__ import annotations

import json

import pytest
import torch

from humor_ros.body import (
    COCO17_EDGES,
    COCO17_FLIP,
    COCO17_NAMES,
    FOOT_POINT_MIRROR,
    FOOT_POINT_NAMES,
    SMPL_JOINT_NAMES,
    SMPL_MIRROR,
    SMPL_PARENTS,
    WHAM31_NAMES,
    global_rotations,
    local_rotations,
    packaged_body_path,
)

TABLES = [
    (SMPL_JOINT_NAMES, SMPL_MIRROR),
    (COCO17_NAMES, COCO17_FLIP),
    (FOOT_POINT_NAMES, FOOT_POINT_MIRROR),
]


@pytest.mark.parametrize(("names", "mirror"), TABLES)
def test_mirror_swaps_left_and_right(names, mirror) -> None:
    for name, other in zip(names, mirror, strict=True):
        swapped = name.replace("left", "?").replace("right", "left").replace("?", "right")
        assert names[other] == swapped


def test_foot_mirror_is_the_published_permutation() -> None:
    assert FOOT_POINT_MIRROR == (2, 3, 0, 1)


def test_parents_precede_children_and_keep_sides() -> None:
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        assert parent < joint
        assert SMPL_PARENTS[SMPL_MIRROR[joint]] == SMPL_MIRROR[parent]


def test_tables_equal_those_of_the_packaged_body() -> None:
    identifiers = json.loads((packaged_body_path().parent / "ids.json").read_text())
    assert list(SMPL_PARENTS) == identifiers["parents"]
    short = [name.replace("left", "l").replace("right", "r") for name in SMPL_JOINT_NAMES]
    assert short == identifiers["joint_names"]
    assert list(WHAM31_NAMES) == identifiers["wham31"]


def test_edges_connect_every_key_point() -> None:
    assert {index for edge in COCO17_EDGES for index in edge} == set(range(17))


def test_packaged_body_stands_y_up_facing_z_with_its_left_at_x(free_body) -> None:
    joints = free_body.rest_joints(torch.zeros(1, 10, dtype=torch.float64))[0]
    place = dict(zip(SMPL_JOINT_NAMES, joints, strict=True))
    assert place["head"][1] > place["pelvis"][1] > place["left_ankle"][1]
    assert place["left_hip"][0] > 0 > place["right_hip"][0]
    assert place["left_foot"][2] > place["left_ankle"][2]


def test_packaged_body_is_as_tall_as_a_person(free_body) -> None:
    heights = free_body.arrays.v_template[:, 1]
    assert 1.6 < heights.max() - heights.min() < 1.8


def test_global_rotation_is_the_product_along_the_chain(random_poses) -> None:
    _, rotations = random_poses(2)
    expected = [rotations[:, 0]]
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        expected.append(expected[parent] @ rotations[:, joint])
    torch.testing.assert_close(global_rotations(rotations), torch.stack(expected, dim=1))


def test_local_rotations_undo_global_ones(random_poses) -> None:
    _, rotations = random_poses(2)
    torch.testing.assert_close(local_rotations(global_rotations(rotations)), rotations)
    batched = rotations.reshape(1, 2, 24, 3, 3)
    torch.testing.assert_close(local_rotations(global_rotations(batched)), batched)
