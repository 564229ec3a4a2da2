"""Rolling a motion out of an initial state: decode a step, step into its frame, repeat.

Rempe et al., "HuMoR", ICCV 2021, section 3.1. Nothing that is given is written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from humor_ros.humor.frames import (
    LocalFrame,
    in_local_frame,
    local_frame,
    root_offset,
)
from humor_ros.humor.limits import StepLimits
from humor_ros.humor.networks import HumorNetwork, LatentGaussian
from humor_ros.humor.packed import PackedState, pivot_of
from humor_ros.humor.rigid import RigidBones
from humor_ros.humor.state import NUM_CONTACTS, MotionState

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
        n_steps: T; needed where ``z`` is None, otherwise None for all that z has.
        canonicalize: bring the initial state to its canonical frame first.
        uncanonicalize: give the result in the frame that ``initial`` was given in rather than in
            its canonical frame.
        sample: draw z from the prior where it is not given.
        generator: of the random numbers.

    Raises:
        ValueError: neither z nor n_steps is given, they do not fit, z has a wrong shape, or
            ``uncanonicalize`` is set without ``canonicalize``.
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
    record = _Record()
    packed, pivot = PackedState.pack(state), pivot_of(offset)
    bones = RigidBones.of(packed) if network.config.rigid else None
    limits = StepLimits.of(packed) if network.config.rigid else None
    given = None if z is None else _terms_by_step(network, z[:, :count])
    terms: Sequence[Tensor]
    for step in range(count):
        past = packed.row()
        if given is not None:
            terms = given[step]
        else:
            prior = network.prior(past)
            transition = prior.sample(generator) if sample else prior.mean
            terms = network.decoder_terms(transition)
            record.priors.append(prior)
            record.transitions.append(transition)
        raw = network.decode_with_terms(past, terms)
        if bones is None or limits is None:
            predicted = packed.changed(raw)
        else:
            predicted = limits.state(bones.posed(packed.changed(limits.changes(raw))))
        heading = predicted.heading()
        packed = predicted.canonical(heading, pivot)
        record.pasts.append(past)
        record.contacts.append(raw[:, -NUM_CONTACTS:])
        record.predicted.append(predicted)
        turns.append(heading)
    headings = turns[-count:]
    return record.finished(network, z, turns, _outward(world, headings), pivot)


@dataclass(eq=False)
class _Record:
    """What the steps leave behind, one entry each."""

    pasts: list[Tensor] = field(default_factory=list)
    contacts: list[Tensor] = field(default_factory=list)
    predicted: list[PackedState] = field(default_factory=list)
    priors: list[LatentGaussian] = field(default_factory=list)
    transitions: list[Tensor] = field(default_factory=list)

    def finished(
        self,
        network: HumorNetwork,
        z: Tensor | None,
        turns: list[Tensor],
        world: LocalFrame,
        pivot: Tensor,
    ) -> RollOut:
        """All that needs no order, for all steps at once.

        Args:
            network: its prior is evaluated here where z was given.
            z: (B, T, latent) given transitions.
            turns: headings, see :class:`RollOutSteps`.
            world: (B, T) rotation from the result's frame to each step's, and minus the place
                of the first step's origin.
            pivot: (B, 47, 3) what vectors turn about.
        """
        past, contacts = torch.stack(self.pasts, dim=1), torch.stack(self.contacts, dim=1)
        predicted = PackedState(
            torch.stack([p.vectors for p in self.predicted], dim=1),
            torch.stack([p.rotations for p in self.predicted], dim=1),
        )
        if z is not None:
            z, prior = z[:, : past.shape[1]], network.prior(past)
        else:
            z = torch.stack(self.transitions, dim=1)
            prior = LatentGaussian(
                torch.stack([p.mean for p in self.priors], dim=1),
                torch.stack([p.variance for p in self.priors], dim=1),
            )
        # Each step begins where the one before ended, so places along the ground add up.
        moved = (predicted.vectors[:, :, :1] @ world.rotation)[:, :, 0]
        moved = moved * moved.new_tensor([1.0, 1.0, 0.0])
        place = moved.cumsum(dim=1) - moved - world.shift
        outside = predicted.outside(world.rotation, place, pivot[:, None])
        return RollOut(
            states=outside.unpack(contacts),
            prior=prior,
            z=z,
            steps=RollOutSteps(
                past=past,
                following=predicted.unpack(contacts).vector(),
                turns=torch.stack(turns, dim=1),
            ),
        )


def _terms_by_step(network: HumorNetwork, z: Tensor) -> list[tuple[Tensor, ...]]:
    """What transitions (B, T, latent) add to the decoder's layers, for each of T steps."""
    terms = network.decoder_terms(z.transpose(0, 1))
    return list(zip(*(term.unbind(0) for term in terms), strict=True))


def _outward(world: LocalFrame, headings: list[Tensor]) -> LocalFrame:
    """Frames (B, T) of the steps: the first is ``world``, each turns on by its output's heading."""
    rotations = [world.rotation]
    for heading in headings[:-1]:
        rotations.append(rotations[-1] @ heading)
    return LocalFrame(torch.stack(rotations, dim=1), world.shift[:, None])


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
    if n_steps is not None and not 1 <= n_steps <= z.shape[1]:
        raise ValueError(f"n_steps must be between 1 and z's {z.shape[1]}, got {n_steps}")
    return z.shape[1] if n_steps is None else n_steps
