"""Free roll-outs of rigid bodies stay within what bodies do in a frame."""

from __future__ import annotations

from dataclasses import replace

import torch
from humor_cases import DTYPE, SMALL, make_network, make_state, noise

from humor_ros.humor import roll_out
from humor_ros.humor.limits import StepLimits
from humor_ros.humor.packed import PackedState

RIGID = replace(SMALL, rigid=True)


def test_small_changes_and_slow_bodies_are_left_alone() -> None:
    raw = noise(4, 216, scale=0.05)
    torch.testing.assert_close(StepLimits.changes(raw), raw, rtol=1e-12, atol=0)
    state = PackedState.pack(make_state(4))
    kept = StepLimits.of(state).state(state)
    torch.testing.assert_close(kept.vectors, state.vectors, rtol=1e-12, atol=1e-12)


def test_large_changes_keep_their_direction() -> None:
    raw = torch.zeros(1, 216, dtype=DTYPE)
    raw[0, :3] = torch.tensor([30.0, 40.0, 0.0])
    raw[0, 12:15] = torch.tensor([0.0, 0.0, -9.0])
    raw[0, -9:] = 50.0  # contact logits are no motion
    short = StepLimits.changes(raw)
    torch.testing.assert_close(short[0, :3], torch.tensor([0.18, 0.24, 0.0], dtype=DTYPE))
    torch.testing.assert_close(short[0, 12:15], torch.tensor([0.0, 0.0, -0.8], dtype=DTYPE))
    assert torch.equal(short[0, -9:], raw[0, -9:])


def test_velocities_are_slowed_down() -> None:
    state = make_state(2)
    fast = replace(state, trans_vel=state.trans_vel * 1e3, joints_vel=state.joints_vel * 1e3)
    slow = StepLimits.of(PackedState.pack(state)).state(PackedState.pack(fast)).unpack()
    assert float(slow.trans_vel.norm(dim=-1).max()) <= 8.0 + 1e-9
    assert float(slow.joints_vel.norm(dim=-1).max()) <= 16.0 + 1e-9
    torch.testing.assert_close(slow.joints, state.joints)


def test_nobody_takes_off_or_sinks() -> None:
    state = make_state(2)
    limits = StepLimits.of(PackedState.pack(state))
    for height in (7.0, -7.0):
        up = torch.tensor([0.0, 0.0, height], dtype=DTYPE)
        away = replace(state, trans=state.trans + up, joints=state.joints + up)
        held = limits.state(PackedState.pack(away)).unpack()
        lowest = held.joints[..., 2].amin(dim=1)
        torch.testing.assert_close(lowest, limits.high if height > 0 else limits.low)
        moved = held.trans - state.trans
        torch.testing.assert_close((held.joints - state.joints)[:, 5], moved)


def test_somebody_who_starts_high_may_stay_there() -> None:
    state = make_state(1)
    up = torch.tensor([0.0, 0.0, 3.0], dtype=DTYPE)
    stairs = PackedState.pack(replace(state, trans=state.trans + up, joints=state.joints + up))
    torch.testing.assert_close(StepLimits.of(stairs).state(stairs).vectors, stairs.vectors)


def test_a_network_that_says_anything_stays_within_bounds() -> None:
    network = make_network(RIGID)
    network.decoder.net[-1].weight.mul_(300.0)
    state = make_state(2)
    rolled = roll_out(network, state, n_steps=40, canonicalize=True).states
    assert bool(torch.isfinite(rolled.joints).all())
    step = rolled.trans[:, 1:, :2].diff(dim=1).norm(dim=-1)
    assert float(step.max()) <= 0.3 + 1e-6
    assert float(rolled.joints_vel.norm(dim=-1).max()) <= 16.0 + 1e-6
