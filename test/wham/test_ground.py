"""People share one floor."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.wham.anchor import PositionFilter
from humor_ros.wham.ground import share_ground
from humor_ros.wham.keypoint_memory import KeypointMemory
from humor_ros.wham.person import PersonMemory, PersonMotion


def person(track: int, height: float, resting: bool = True):
    place = PositionFilter.start(np.array([0.0, 0.0, 0.9 + height]), 0.01 * np.eye(3))
    feet = np.tile([0.0, 0.0, height], (4, 1))
    contacts = np.full(4, 0.9 if resting else 0.1)
    unseen = np.zeros((17, 3))
    memory = PersonMemory(
        track,
        unseen,
        KeypointMemory.start(unseen),
        np.zeros(3),
        np.zeros(10),
        0.0,
        np.eye(3),
        place,
    )
    motion = PersonMotion(
        track_id=track,
        betas=np.zeros(10),
        rotations_camera=np.tile(np.eye(3), (24, 1, 1)),
        joints_camera=np.zeros((24, 3)),
        coco17_camera=np.zeros((17, 3)),
        joints_world=np.tile(place.position, (24, 1)),
        root_orientation_world=np.eye(3),
        contacts=contacts,
        contact_positions_world=feet,
        root_covariance_camera=np.eye(6),
        root_covariance_world=np.eye(6),
        linear_velocity_world=np.zeros(3),
        angular_velocity_world=np.zeros(3),
    )
    return memory, motion


def settle(people, frames: int = 300):
    ground = None
    start = [motion for _, motion in people]
    memories = [memory for memory, _ in people]
    for _ in range(frames):
        moved = []
        for memory, motion, (first, _) in zip(memories, start, people, strict=True):
            step = memory.place.position - first.place.position
            feet = motion.contact_positions_world + step
            moved.append(PersonMotion(**(vars(motion) | {"contact_positions_world": feet})))
        ground, memories, told = share_ground(ground, memories, moved, 1 / 30)
    return ground, told


def test_two_people_come_to_stand_on_one_floor():
    _, told = settle([person(1, 0.05), person(2, -0.05)])
    heights = [motion.contact_positions_world[0, 2] for motion in told]
    assert abs(heights[0] - heights[1]) < 0.03


def test_nobody_is_moved_by_much_in_one_image():
    before = person(1, 0.1)
    other = person(2, -0.1)
    ground, _, _ = share_ground(None, [before[0]], [before[1]], 0.0)
    _, _, told = share_ground(ground, [other[0]], [other[1]], 1 / 30)
    step = told[0].contact_positions_world[0, 2] - other[1].contact_positions_world[0, 2]
    assert 0.0 < step < 0.02


def test_somebody_on_the_stairs_or_in_the_air_is_left_alone():
    _, told = settle([person(1, 0.0), person(2, 0.6)], frames=60)
    assert told[1].contact_positions_world[0, 2] == pytest.approx(0.6)
    _, told = settle([person(1, 0.0), person(2, 0.1, resting=False)], frames=60)
    assert told[1].contact_positions_world[0, 2] == pytest.approx(0.1)
