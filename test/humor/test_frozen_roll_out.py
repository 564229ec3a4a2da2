"""Roll-outs of frozen networks say what roll-outs say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from humor_cases import SMALL, SMOOTH, make_network, make_state, noise

from humor_ros.body.model import packaged_body_path
from humor_ros.humor import HumorBody, HumorConfig, MotionState, roll_out
from humor_ros.humor.forecast import ForecastConfig, forecast
from humor_ros.humor.frozen_roll_out import FrozenPrior, FrozenRollOut
from humor_ros.humor.models import load_prior
from humor_ros.humor.networks import HumorNetwork

STEPS = 6
CONFIGS = {
    "published kind": SMALL,
    "direct": replace(SMOOTH, direct=True),
    "rigid": replace(SMOOTH, rigid=True),
    "one layer": replace(SMOOTH, prior_widths=(64,), decoder_widths=(64,)),
}


def placed(batch: int) -> MotionState:
    """Bodies turned and away from the origin."""
    state = make_state(batch, yaw=2.0)
    shift = noise(batch, 3, seed=9) * torch.tensor([3.0, 3.0, 0.0])
    return replace(state, trans=state.trans + shift, joints=state.joints + shift[:, None])


def same(found: FrozenRollOut, states: MotionState, tolerance: float) -> None:
    whole = len(found.joints)
    near = {"rtol": 0.0, "atol": tolerance}
    torch.testing.assert_close(found.root, states.joints[:, :, 0], **near)
    torch.testing.assert_close(found.joints, states.joints[:whole], **near)
    torch.testing.assert_close(found.rotations[:, :, 0], states.root_orient[:whole], **near)
    torch.testing.assert_close(found.rotations[:, :, 1:], states.pose_body[:whole], **near)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_it_says_what_the_plain_roll_out_says(config: HumorConfig) -> None:
    network, first = make_network(config), placed(3)
    plain = roll_out(network, first, n_steps=STEPS, canonicalize=True, uncanonicalize=True)
    # Groups of two, as in SMALL, amplify rounding.
    same(FrozenPrior(network).roll_out(first, STEPS), plain.states, 1e-5)


def test_the_last_ones_are_drawn_and_the_first_are_means() -> None:
    network, first = make_network(replace(SMOOTH, rigid=True)), placed(3)
    drawn = noise(STEPS, 1, network.config.latent_size, seed=4)
    found = FrozenPrior(network).roll_out(first, STEPS, noise=drawn, whole=2)
    mean = roll_out(network, first, n_steps=STEPS, canonicalize=True, uncanonicalize=True)
    same(
        FrozenRollOut(found.root[:2], found.joints, found.rotations),
        mean.states.map(lambda part: part[:2]),
        1e-6,
    )
    last = first.map(lambda part: part[2:])
    used = transitions_of(network, last, drawn[:, 0])
    sampled = roll_out(network, last, used, canonicalize=True, uncanonicalize=True).states
    torch.testing.assert_close(found.root[2:], sampled.joints[:, :, 0], rtol=0, atol=1e-6)
    assert float((found.root[2:] - mean.states.joints[2:, :, 0]).norm()) > 1e-4


def transitions_of(network: HumorNetwork, first: MotionState, drawn: torch.Tensor) -> torch.Tensor:
    """(1, T, latent) that noise (T, latent) chooses, found step by step with the plain roll-out."""
    used = torch.zeros(1, 0, network.config.latent_size, dtype=drawn.dtype)
    for step in range(len(drawn)):
        unknown = torch.zeros_like(used[:, :1]) if step else drawn.new_zeros(1, 1, drawn.shape[1])
        rolled = roll_out(network, first, torch.cat((used, unknown), dim=1), canonicalize=True)
        prior = network.prior(rolled.steps.past[:, step])
        used = torch.cat((used, (prior.mean + drawn[step] * prior.variance.sqrt())[:, None]), dim=1)
    return used


def walking() -> MotionState:
    """The packaged body upright, walking off in a slant direction."""
    body = HumorBody.load(packaged_body_path()).with_vertices(())
    rotations = torch.eye(3).repeat(1, 1, 22, 1, 1)
    rotations[..., 0, :, :] = torch.tensor([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    joints = body.joints(torch.zeros(1, 10), rotations, torch.zeros(1, 1, 3))[:, 0]
    trans = torch.tensor([[0.0, 0.0, 0.02 - float(joints[..., 2].min())]])
    velocity = torch.tensor([[0.3, 1.0, 0.0]])
    return MotionState(
        trans=trans,
        trans_vel=velocity,
        root_orient=rotations[:, 0, 0],
        root_orient_vel=torch.zeros(1, 3),
        pose_body=rotations[:, 0, 1:],
        joints=joints + trans[:, None],
        joints_vel=velocity[:, None].expand(1, 22, 3).contiguous(),
    )


def test_a_second_of_the_packaged_prior_is_the_same_to_a_tenth_of_a_millimetre() -> None:
    network, first = load_prior().network, walking()
    plain = roll_out(network, first, n_steps=30, canonicalize=True, uncanonicalize=True)
    same(FrozenPrior(network).roll_out(first, 30), plain.states, 1e-4)


def test_a_frozen_prior_foretells_what_its_network_does() -> None:
    network, first = make_network(SMOOTH), placed(2)
    config = ForecastConfig(horizon_s=0.2, samples=3)
    one, other = (
        forecast(prior, first, config, generator=torch.Generator().manual_seed(1))
        for prior in (network, FrozenPrior(network))
    )
    torch.testing.assert_close(one.root, other.root)
    torch.testing.assert_close(one.samples, other.samples)


def test_weights_are_copied() -> None:
    network, first = make_network(), placed(1)
    prior = FrozenPrior(network)
    before = prior.roll_out(first, 2).root
    network.decoder.net[-1].bias.add_(1.0)
    torch.testing.assert_close(prior.roll_out(first, 2).root, before)


@pytest.mark.parametrize(
    ("steps", "shape", "named"),
    [(0, None, "steps"), (3, (2, 1, 5), "noise"), (3, (3, 2, 5), "noise"), (3, (3, 1, 4), "noise")],
)
def test_what_does_not_fit_is_named(steps: int, shape: tuple[int, ...] | None, named: str) -> None:
    drawn = None if shape is None else torch.zeros(shape, dtype=torch.float64)
    with pytest.raises(ValueError, match=named):
        FrozenPrior(make_network()).roll_out(placed(1), steps, noise=drawn)
