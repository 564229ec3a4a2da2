"""Mixed and bent limbs: what changes, what stays, and what is no longer physical."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from humor_ros.geometry.rotation import matrix_to_axis_angle
from humor_ros.training.augmentation import (
    HINGE_JOINTS,
    HINGE_LIMIT_RAD,
    LIMB_JOINTS,
    bend_limbs,
    mix_limbs,
    sample_motion,
)
from humor_ros.training.synthesis_config import DataConfig


@pytest.fixture
def rotations(library):
    weights = torch.ones(library.n_clips) / library.n_clips
    data = DataConfig(window_frames=6)
    generator = torch.Generator().manual_seed(0)
    return sample_motion(library, weights, data, 32, generator).rotations


def test_mixed_limbs_come_whole_from_some_window(rotations):
    mixed, whole = mix_limbs(rotations, 0.5, torch.Generator().manual_seed(1))
    for name, joints in LIMB_JOINTS.items():
        pairs = (mixed[:, None, :, list(joints)] - rotations[None, :, :, list(joints)]).abs()
        same = pairs.flatten(2).amax(-1) == 0
        assert bool(same.any(1).all()), name
    legs = [*LIMB_JOINTS["left leg"], *LIMB_JOINTS["right leg"]]
    kept = (mixed[:, :, legs] == rotations[:, :, legs]).flatten(1).all(1)
    assert bool(kept[whole].all())
    assert 0 < int(whole.sum()) < len(whole)


def test_the_root_is_never_mixed(rotations):
    mixed, _ = mix_limbs(rotations, 1.0, torch.Generator().manual_seed(1))
    assert torch.equal(mixed[:, :, 0], rotations[:, :, 0])


def test_bent_windows_are_marked_and_stay_rotations_within_limits(rotations, tiny):
    data = replace(tiny.data, limb_bend_probability=0.5, limb_bend_rad=0.5)
    bent, straight = bend_limbs(rotations, data, torch.Generator().manual_seed(2))
    assert torch.allclose(bent[straight], rotations[straight], atol=1e-5)
    assert bool((bent[~straight] - rotations[~straight]).abs().flatten(1).amax(1).min() > 0.05)
    eye = torch.eye(3).expand_as(bent)
    assert torch.allclose(bent @ bent.mT, eye, atol=1e-5)
    angle = matrix_to_axis_angle(bent[:, :, list(HINGE_JOINTS)]).norm(dim=-1)
    assert float(angle.max()) <= HINGE_LIMIT_RAD + 1e-4


def test_a_tilted_window_is_not_physical(library, tiny):
    weights = torch.ones(library.n_clips) / library.n_clips
    generator = torch.Generator().manual_seed(0)
    tilted = replace(tiny.data, tilt_probability=1.0)
    assert not bool(sample_motion(library, weights, tilted, 8, generator).physical.any())
    plain = replace(tiny.data, tilt_probability=0.0)
    assert bool(sample_motion(library, weights, plain, 8, generator).physical.all())
