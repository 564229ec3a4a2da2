"""Transitions in memory: canonical pairs, velocities, mirroring, shapes, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from humor_training_cases import (
    NO_SHAPES,
    make_library,
    plain_body,
    write_walks,
)

from humor_ros.humor.frames import heading_rotation
from humor_ros.humor.state import MotionState
from humor_ros.training.humor_motions import MocapMotions
from humor_ros.training.humor_transitions import TransitionLibrary, mirrored


def window(humor_library: TransitionLibrary, steps: int = 5):
    return humor_library.windows(torch.tensor([0, 1, 0]), torch.tensor([0, 7, 30]), steps)


def rotations(state: MotionState) -> torch.Tensor:
    return torch.cat((state.root_orient[..., None, :, :], state.pose_body), dim=-3)


def test_the_first_state_of_a_pair_is_canonical(humor_library: TransitionLibrary) -> None:
    past = MotionState.from_vector(window(humor_library).past)
    assert float(past.trans[..., :2].abs().max()) < 1e-6
    right = -past.root_orient[..., 0]
    assert float(right[..., 1].abs().max()) < 5e-3  # the published guard turns by up to 1.4e-3
    assert float(right[..., 0].min()) > 0.9


def test_joints_are_those_of_the_pose(humor_library: TransitionLibrary) -> None:
    pair = window(humor_library)
    for rows in (pair.past, pair.following):
        state = MotionState.from_vector(rows)
        joints = plain_body().joints(pair.betas, rotations(state), state.trans)
        torch.testing.assert_close(joints, state.joints, rtol=0, atol=2e-5)


def test_velocities_are_central_differences(humor_library: TransitionLibrary) -> None:
    states = humor_library.states(0)
    expected = (states.joints[2:] - states.joints[:-2]) * 15.0
    torch.testing.assert_close(states.joints_vel[1:-1], expected, rtol=0, atol=1e-4)
    # Turning at 0.3 rad/s about z (chords of 1/15 s make it smaller by less than 1e-4).
    spin = states.root_orient_vel[5]
    torch.testing.assert_close(spin, torch.tensor([0.0, 0.0, 0.3]), rtol=0, atol=1e-3)


def test_end_frames_without_velocity_are_dropped(humor_library: TransitionLibrary) -> None:
    assert humor_library.clips.length.tolist() == [88, 68]
    assert len(humor_library.rows) == 156


def test_a_window_joined_up_is_the_recording(humor_library: TransitionLibrary) -> None:
    joined = humor_library.windows(torch.tensor([0]), torch.tensor([3]), 20).joints[0]
    states = humor_library.states(0)
    start = MotionState.from_vector(states.vector()[3])
    turn = heading_rotation(start.root_orient)
    pivot = start.joints[0] * torch.tensor([1.0, 1.0, 0.0])
    away = states.joints[4:24] - pivot
    offset = (start.joints[0] - start.trans) * torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(joined, away @ turn.T + offset, rtol=0, atol=1e-4)


def test_mirroring_twice_changes_nothing(humor_library: TransitionLibrary) -> None:
    pair = window(humor_library)
    everywhere = torch.ones(3, dtype=torch.bool)
    twice = mirrored(mirrored(pair, everywhere), everywhere)
    for name in ("past", "following", "contacts", "joints", "offset"):
        torch.testing.assert_close(getattr(twice, name), getattr(pair, name))


def test_a_mirrored_pose_has_the_mirrored_joints(humor_library: TransitionLibrary) -> None:
    pair = mirrored(window(humor_library), torch.ones(3, dtype=torch.bool))
    state = MotionState.from_vector(pair.past)
    joints = plain_body().joints(pair.betas, rotations(state), state.trans)
    # The packaged body itself is symmetric to a few millimetres.
    torch.testing.assert_close(joints, state.joints, rtol=0, atol=6e-3)


def test_mirroring_exchanges_the_feet(humor_library: TransitionLibrary) -> None:
    pair = window(humor_library)
    other = mirrored(pair, torch.tensor([True, False, True]))
    assert torch.equal(other.contacts[0, :, 5], pair.contacts[0, :, 6])
    assert torch.equal(other.contacts[1], pair.contacts[1])


def test_shapes_are_drawn_and_feet_keep_the_floor(humor_folder: Path) -> None:
    plain, shaped = make_library(humor_folder), make_library(humor_folder, shapes=3)
    assert float(shaped.betas.std()) > 0.5
    for clip in (0, 1):
        labels = plain.states(clip).parts()["contacts"][:, 3:7] > 0.5
        heights = [lib.states(clip).joints[:, [7, 8, 10, 11], 2][labels] for lib in (plain, shaped)]
        assert abs(float(heights[0].mean() - heights[1].mean())) < 1e-3


def test_the_same_seed_draws_the_same(humor_folder: Path, humor_library: TransitionLibrary) -> None:
    assert torch.equal(
        make_library(humor_folder, shapes=3).rows, make_library(humor_folder, shapes=3).rows
    )
    drawn = [humor_library.draw(5, 3, torch.Generator().manual_seed(1), 0.5).past for _ in range(2)]
    assert torch.equal(*drawn)


def test_flat_floors_are_told_by_the_index(humor_library: TransitionLibrary) -> None:
    assert window(humor_library).flat.tolist() == [1.0, 0.0, 1.0]


def test_too_long_a_window_is_refused(humor_library: TransitionLibrary) -> None:
    with pytest.raises(ValueError, match="window_steps=500"):
        humor_library.draw(2, 500, torch.Generator(), 0.0)


def test_a_shard_without_contacts_is_named(tmp_path: Path) -> None:
    write_walks(tmp_path / "train_00.npz", 0)
    with np.load(tmp_path / "train_00.npz") as shard:
        arrays = {name: shard[name] for name in shard.files if name != "contacts"}
    np.savez(tmp_path / "train_00.npz", **arrays)
    with pytest.raises(ValueError, match=r"train_00\.npz lacks the array 'contacts'"):
        MocapMotions.load(tmp_path, "train", plain_body(), NO_SHAPES)


def test_a_clip_of_three_frames_is_refused(tmp_path: Path) -> None:
    write_walks(tmp_path / "train_00.npz", 0, (40, 3))
    with pytest.raises(ValueError, match="at least 4 frames"):
        MocapMotions.load(tmp_path, "train", plain_body(), NO_SHAPES)
