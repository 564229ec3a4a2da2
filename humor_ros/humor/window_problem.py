"""The energy of a window: the prior's transitions, the observations and what the past knows.

The terms are those of HuMoR's last stage (Rempe et al., ICCV 2021, section 4.2) in direct
transcription: transition energy of the latents; joint consistency and bone lengths through the
defect between decoded and actual joints, since those of the body have constant bones; contact
velocity and height; ground and shape. Initial states are weighed by the arrival cost.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from humor_ros.humor.arrival import ArrivalCost
from humor_ros.humor.contacts9 import FEET_IN_NINE, nine_from_soles
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.state import NUM_CONTACTS
from humor_ros.humor.window_body import SolverBody, SolverPoints
from humor_ros.humor.window_config import TransitionNoise, WindowConfig
from humor_ros.humor.window_normal import NormalEquations
from humor_ros.humor.window_prior import PriorBlocks, prior_blocks
from humor_ros.humor.window_stance import Stances, find_stances
from humor_ros.humor.window_terms import add_observations, observation_cost
from humor_ros.humor.window_transition import (
    Transitions,
    TransitionStates,
    sparse_slopes,
    transition_jacobian,
    transition_states,
    transitions,
)
from humor_ros.humor.window_values import WindowMotion, WindowObservations
from humor_ros.humor.window_volume import add_volume, volume_energy

__all__ = ["Linearised", "WindowProblem"]

#: Share of contacts that counts where nobody saw the person: most of them are made up of a body
#: that the tracker lets stand still.
_UNSEEN = 0.1


@dataclass(frozen=True, eq=False)
class Linearised:
    """A window at one motion.

    Attributes:
        cost: the whole energy.
        normal: equations of frames and border, latents eliminated.
        prior: blocks of the transitions, None without networks.
        defect: (N, 207) whitened residuals of the transitions; ``away`` (N, L) of the latents.
    """

    cost: float
    normal: NormalEquations
    prior: PriorBlocks | None
    defect: Tensor
    away: Tensor

    def latent_step(self, moves: Tensor) -> Tensor:
        """(N, L) change of the latents that goes with the frames' moves (T, 69)."""
        if self.prior is None:
            return moves.new_zeros(max(0, len(moves) - 2), 0)
        return self.prior.latent_step(self.defect, self.away, moves).to(moves.dtype)


class WindowProblem:
    """One window of one person; contacts and the prior's spread are frozen between updates."""

    def __init__(
        self,
        network: HumorNetwork | None,
        body: SolverBody,
        config: WindowConfig,
        seen: WindowObservations,
        *,
        arrival: ArrivalCost | None = None,
        ground_guess: Tensor,
        ground_information: Tensor | None = None,
        told_feet: Tensor | None = None,
    ) -> None:
        """Set up a window.

        Args:
            network: HuMoR's networks; None for the acceleration alone.
            body: kinematics.
            config: what everything is worth.
            seen: T frames of observations.
            arrival: what the past knows; None at a person's start.
            ground_guess: (3,) first guess of the ground.
            ground_information: (3,) inverse variances of that guess; None as configured.
            told_feet: (k, 4, 3) feet of the first k frames as they were told.
        """
        self.network = network
        self.body = body
        self.config = config
        # Accelerations are what is left to judge motion by where there is no prior.
        self.weights = (
            config.weights if network is None else replace(config.weights, acceleration=0.0)
        )
        self.seen = seen
        self.arrival = arrival
        self.ground_guess = ground_guess
        weights = config.weights
        slope = 1.0 / weights.ground_slope**2
        self.ground_information = (
            ground_information
            if ground_information is not None
            else ground_guess.new_tensor([1.0 / weights.ground_height**2, slope, slope])
        )
        self.shape_guess = seen.betas.median(dim=0).values
        # What was summed up in the arrival cost must not count again in every window.
        self.shape_information = 1.0 / weights.shape**2
        if arrival is not None:
            self.shape_information *= config.hop / config.frames
            discount = ground_guess.new_tensor([config.hop / config.frames, 1.0, 1.0])
            self.ground_information = self.ground_information * discount
        self.told_feet = told_feet
        self.contacts = self._tracker_contacts()
        self.stances: Stances | None = None
        self.deviation: Tensor | None = None
        self.metric = 0.0  # share of the energy that volume makes up for
        self._rows = self._root_prior * _row_weights(config.noise, seen.frames - 2, seen.root.dtype)

    def first_frames(self, count: int) -> WindowProblem:
        """The same problem of the first frames alone, with the same frozen values."""
        part = copy(self)
        part.seen = self.seen.cut(0, count)
        part.contacts = self.contacts[:count]
        part.stances = None if self.stances is None else self.stances.cut(0, count)
        part.deviation = None if self.deviation is None else self.deviation[: count - 2]
        part.metric = self.metric * count / self.seen.frames
        part._rows = self._rows[: count - 2]
        return part

    def points(self, motion: WindowMotion, *, derivatives: bool = False) -> SolverPoints:
        """Points of a motion's body."""
        return self.body(motion.betas, motion.rotations, motion.root, derivatives=derivatives)

    def states(self, motion: WindowMotion, points: SolverPoints) -> TransitionStates:
        """Neighbouring frames as the networks see them."""
        return transition_states(motion, points, self.body.rest_root(motion.betas))

    def freeze(self, motion: WindowMotion) -> None:
        """Take contacts and stances from a motion, to be held until the next call."""
        points, said = self.points(motion), None
        if self.network is not None and motion.frames >= 3:
            said = transitions(self.network, self.states(motion, points), motion.latents)
        self._hold(motion, points, said)

    def _hold(self, motion: WindowMotion, points: SolverPoints, said: Transitions | None) -> None:
        share = self.config.contact_share
        nine = self._tracker_contacts()
        held = nine[:, list(FEET_IN_NINE)]
        if said is not None:
            # Either may miss that a foot rests; one that moves is not held by its place.
            held[2:] = torch.maximum(held[2:], said.contacts[:, list(FEET_IN_NINE)])
            nine[2:, :] = torch.where(
                torch.tensor([i in FEET_IN_NINE for i in range(NUM_CONTACTS)]),
                (1.0 - share) * nine[2:] + share * said.contacts,
                said.contacts,
            )
        self.contacts = nine
        height = points.feet[..., 2] - motion.ground_height(points.feet)
        self.stances = find_stances(points.feet, held * self._trust, height, self.told_feet)

    @property
    def _trust(self) -> Tensor:
        """(T, 1) share of contacts that counts."""
        return torch.where(self.seen.hidden, _UNSEEN, 1.0).to(self.seen.root)[:, None]

    def with_latents(self, motion: WindowMotion, known: int) -> WindowMotion:
        """Posterior means for the transitions from ``known`` on; none without networks."""
        count = max(0, motion.frames - 2)
        if self.network is None:
            size = motion.latents.shape[1]
            return replace(motion, latents=motion.root.new_zeros(count, size))
        states = self.states(motion, self.points(motion)).since(known)
        kind = next(self.network.parameters()).dtype
        mean = self.network.posterior(states.rows.to(kind), states.following.to(kind)).mean
        return replace(
            motion, latents=torch.cat((motion.latents[:known], mean.to(motion.root.dtype)))
        )

    def energy(self, motion: WindowMotion) -> Tensor:
        """The whole energy of a motion, with gradients; contacts and spreads are held."""
        points = self.points(motion)
        total = observation_cost(
            motion, points, self.seen, self.weights, self.contacts * self._trust, self.stances
        )
        total = total + self._border_energy(motion)
        total = total + volume_energy(motion.root, self.seen, self.metric)
        if self.arrival is not None:
            total = total + self.arrival.energy(motion)
        if self.network is not None and motion.frames >= 3:
            said = transitions(self.network, self.states(motion, points), motion.latents)
            defect, away = self._prior_residuals(motion, said)
            total = total + 0.5 * (defect.square().sum() + away.square().sum())
        return total

    @torch.no_grad()
    def cost(self, motion: WindowMotion) -> float:
        """The whole energy of a motion."""
        return float(self.energy(motion))

    @torch.no_grad()
    def linearise(
        self,
        motion: WindowMotion,
        *,
        prior: PriorBlocks | None = None,
        anchors: int | None = None,
        hold: bool = False,
    ) -> Linearised:
        """Normal equations at a motion.

        Args:
            motion: where.
            prior: blocks for as many transitions as they have, counted from the first, with the
                spread they were made with; those of the others are computed.
            anchors: see :class:`NormalEquations`.
            hold: whether the contacts are taken from this motion first.
        """
        points = self.points(motion, derivatives=True)
        states = said = None
        if self.network is not None and motion.frames >= 3:
            states = self.states(motion, points)
            said = transitions(self.network, states, motion.latents)
        if hold:
            self._hold(motion, points, said)
        stances = 0 if self.stances is None else len(self.stances)
        normal = NormalEquations(motion.frames, anchors, 3 * stances)
        cost, metric = add_observations(
            motion,
            points,
            self.seen,
            self.weights,
            self.contacts * self._trust,
            normal,
            self.stances,
        )
        cost += float(self._border_energy(motion))
        if anchors is None:  # what is summed up for the next window must not count twice
            normal.add_border(self._border_information(), self._border_away(motion))
        if self.arrival is not None:
            self.arrival.add(motion, normal)
            cost += self.arrival.cost(motion)
        if states is None or said is None:
            nothing = motion.root.new_zeros(0, 0)
            return Linearised(cost, normal, None, nothing, nothing)
        prior = self._blocks(motion, states, said, points, prior)
        defect, away = self._prior_residuals(motion, said)
        own = 0.5 * float(defect.square().sum() + away.square().sum())
        if hold:
            self.metric = self.config.volume_weight * (metric + own)
        cost += own + float(volume_energy(motion.root, self.seen, self.metric))
        add_volume(motion.root, self.seen, self.metric, normal)
        defect, away = defect.to(prior.near.dtype), away.to(prior.near.dtype)
        normal.add_blocks(0, prior.matrix, prior.gradient(defect, away))
        return Linearised(cost, normal, prior, defect, away)

    def _blocks(
        self,
        motion: WindowMotion,
        states: TransitionStates,
        said: Transitions,
        points: SolverPoints,
        prior: PriorBlocks | None,
    ) -> PriorBlocks:
        """The blocks that are known, and new ones for all other transitions."""
        if self.network is None or points.jacobian is None:
            raise ValueError("transitions need networks and derivatives here")
        known = 0 if prior is None else min(len(prior), len(states.rows))
        if prior is not None and known == len(states.rows):
            self.deviation = (self._root_prior / prior.spread[:known]).to(said.deviation.dtype)
            return prior.cut(0, known)
        states = states.since(known)
        slopes = sparse_slopes(
            self.network, states.rows, motion.latents[known:], self.config.slope_stride
        )
        jacobian = transition_jacobian(
            states, points.jacobian[known:], slopes, said.changes[known:]
        )
        spread = self._root_prior / said.deviation[known:]
        fresh = prior_blocks(jacobian, self._rows[known:], spread)
        blocks = fresh if prior is None or not known else prior.cut(0, known).joined(fresh)
        self.deviation = (self._root_prior / blocks.spread).to(said.deviation.dtype)
        return blocks

    def _prior_residuals(self, motion: WindowMotion, said: Transitions) -> tuple[Tensor, Tensor]:
        return said.defect * self._rows, (motion.latents - said.mean) * self._spread(said)

    @property
    def _root_prior(self) -> float:
        return float(self.config.prior_weight**0.5)

    def _spread(self, said: Transitions) -> Tensor:
        deviation = said.deviation if self.deviation is None else self.deviation
        return self._root_prior / deviation

    def _border_information(self) -> Tensor:
        shape = self.ground_information.new_full((10,), self.shape_information)
        return torch.cat((shape, self.ground_information))

    def _border_away(self, motion: WindowMotion) -> Tensor:
        return torch.cat((motion.betas - self.shape_guess, motion.ground - self.ground_guess))

    def _border_energy(self, motion: WindowMotion) -> Tensor:
        return 0.5 * (self._border_information() * self._border_away(motion).square()).sum()

    def _tracker_contacts(self) -> Tensor:
        return nine_from_soles(self.seen.contacts)


def _row_weights(noise: TransitionNoise, count: int, dtype: torch.dtype) -> Tensor:
    """(N, 207) inverse deviations of the defects; velocities after the last frame are unknown."""
    entries = (
        (noise.trans, 3),
        (noise.trans_vel, 3),
        (noise.root, 3),
        (noise.root_vel, 3),
        (noise.pose, 63),
        (noise.joints, 66),
        (noise.joints_vel, 66),
    )
    row = torch.cat([torch.full((size,), 1.0 / value, dtype=dtype) for value, size in entries])
    rows = row.repeat(max(0, count), 1)
    if count > 0:
        rows[-1, 3:6] = 0.0
        rows[-1, 9:12] = 0.0
        rows[-1, 141:] = 0.0
    return rows
