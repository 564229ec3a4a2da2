"""Rolling a motion out of an initial state: decode a step, step into its frame, repeat.

Rempe et al., "HuMoR", ICCV 2021, section 3.1. Nothing that is given is written to.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.humor.frames import (
    LocalFrame,
    in_local_frame,
    local_frame,
    root_offset,
    to_world,
)
from humor_ros.humor.networks import HumorNetwork, LatentGaussian
from humor_ros.humor.state import MotionState

__all__ = ["RollOut", "RollOutSteps", "roll_out", "transition_posterior"]


@dataclass(frozen=True, eq=False)
class RollOutSteps:
    """What the networks read and wrote, each step in its own canonical frame.

    Attributes:
        past: (B, T, 339) rows that went in.
        following: (B, T, 348) rows that came out.
        turns: (B, T or T + 1, 3, 3) heading of each output within its step's frame; the first
            is that of the initial state where it was made canonical.
    """

    past: Tensor
    following: Tensor
    turns: Tensor


@dataclass(frozen=True, eq=False)
class RollOut:
    """T steps of B motions; the initial state is not among them.

    Attributes:
        states: (B, T) states in the frame of the initial state, with contact logits.
        prior: (B, T, latent) conditional prior of each step.
        z: (B, T, latent) transitions used.
        steps: record of the networks' rows.
    """

    states: MotionState
    prior: LatentGaussian
    z: Tensor
    steps: RollOutSteps


def roll_out(
    network: HumorNetwork,
    initial: MotionState,
    z: Tensor | None = None,
    *,
    n_steps: int | None = None,
    canonicalize: bool = False,
    uncanonicalize: bool = False,
    sample: bool = False,
    generator: torch.Generator | None = None,
) -> RollOut:
    """Predict the states that follow an initial one.

    Args:
        network: the networks; freeze their parameters where gradients are wanted in the state or
            z only.
        initial: (B,) states. They must be canonical unless ``canonicalize`` is set.
        z: (B, T, latent) transitions. None takes the prior's mean of each step, or a sample.
        n_steps: T, needed where ``z`` is None.
        canonicalize: bring the initial state to its canonical frame first.
        uncanonicalize: give the result in the frame that ``initial`` was given in rather than in
            its canonical frame.
        sample: draw z from the prior where it is not given.
        generator: of the random numbers.

    Raises:
        ValueError: neither z nor n_steps is given, z has a wrong shape, or ``uncanonicalize``
            is set without ``canonicalize``.
    """
    count = _n_steps(network, initial, z, n_steps)
    if uncanonicalize and not canonicalize:
        raise ValueError("uncanonicalize needs canonicalize: there is no other frame to return to")
    world = LocalFrame.identity(initial.trans)
    state = initial.without_contacts()
    turns: list[Tensor] = []
    first = local_frame(state) if canonicalize else world
    offset = root_offset(state, first)
    if canonicalize:
        turns.append(first.rotation)
        state = in_local_frame(state, first, offset)
    if uncanonicalize:
        world = first
    outputs, pasts, followings, priors, zs = [], [], [], [], []
    for step in range(count):
        past = state.vector()
        prior = network.prior(past)
        if z is not None:
            transition = z[:, step]
        else:
            transition = prior.sample(generator) if sample else prior.mean
        predicted = network.decode(transition, past)
        output = to_world(predicted, world, offset)
        frame = local_frame(predicted)
        state = in_local_frame(predicted.without_contacts(), frame, offset)
        world = LocalFrame(world.rotation @ frame.rotation, _ground_shift(output.trans))
        outputs.append(output)
        pasts.append(past)
        followings.append(predicted.vector())
        priors.append(prior)
        zs.append(transition)
        turns.append(frame.rotation)
    return RollOut(
        states=MotionState.stack(outputs, dim=1),
        prior=LatentGaussian(
            torch.stack([p.mean for p in priors], dim=1),
            torch.stack([p.variance for p in priors], dim=1),
        ),
        z=torch.stack(zs, dim=1),
        steps=RollOutSteps(
            past=torch.stack(pasts, dim=1),
            following=torch.stack(followings, dim=1),
            turns=torch.stack(turns, dim=1),
        ),
    )


def transition_posterior(
    network: HumorNetwork, states: MotionState
) -> tuple[LatentGaussian, LatentGaussian]:
    """Posterior and prior of every transition of observed motions.

    Args:
        network: the networks.
        states: (B, T) states in one frame, T >= 2.

    Returns:
        (B, T - 1, latent) posterior and prior, each pair in the canonical frame of its first.

    Raises:
        ValueError: there are fewer than two frames.
    """
    if states.trans.shape[1] < 2:
        raise ValueError(f"states must have at least 2 frames, got {states.trans.shape[1]}")
    states = states.without_contacts()
    past = states.map(lambda part: part[:, :-1])
    following = states.map(lambda part: part[:, 1:])
    frame = local_frame(past)
    offset = root_offset(past, frame)[:, :1].expand_as(past.trans)
    rows = in_local_frame(past, frame, offset).vector()
    next_rows = in_local_frame(following, frame, offset).vector()
    return network.posterior(rows, next_rows), network.prior(rows)


def _n_steps(
    network: HumorNetwork, initial: MotionState, z: Tensor | None, n_steps: int | None
) -> int:
    if z is None:
        if n_steps is None or n_steps < 1:
            raise ValueError(f"give z, or n_steps of at least 1; got n_steps={n_steps}")
        return n_steps
    batch, latent = initial.trans.shape[0], network.config.latent_size
    if z.dim() != 3 or z.shape[0] != batch or z.shape[1] < 1 or z.shape[2] != latent:
        raise ValueError(f"z must have shape ({batch}, T, {latent}), got {tuple(z.shape)}")
    return z.shape[1] if n_steps is None else min(n_steps, z.shape[1])


def _ground_shift(trans: Tensor) -> Tensor:
    return torch.cat((-trans[..., :2], torch.zeros_like(trans[..., 2:])), dim=-1)
