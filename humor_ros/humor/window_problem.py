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
from humor_ros.humor.window_normal import GROUND, SHAPE, NormalEquations
from humor_ros.humor.window_terms import add_observations, observation_cost
from humor_ros.humor.window_transition import (
    NetworkSlopes,
    Transitions,
    network_slopes,
    transition_states,
    transitions,
)
from humor_ros.humor.window_values import WindowMotion, WindowObservations

__all__ = ["Linearised", "WindowProblem", "latent_step"]


@dataclass(frozen=True, eq=False)
class Linearised:
    """A window at one motion.

    Attributes:
        cost: the whole energy.
        normal: equations of frames and border, latents eliminated.
        slopes: of the networks.
        latent_factor: (N, L, L) Cholesky factors of the latents' own blocks.
        latent_gradient: (N, L).
        latent_cross: (N, L, 276).
        said: what the networks say, None without networks.
    """

    cost: float
    normal: NormalEquations
    slopes: NetworkSlopes | None
    latent_factor: Tensor | None
    latent_gradient: Tensor | None
    latent_cross: Tensor | None
    said: Transitions | None


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
        self.contacts = self._tracker_contacts()
        self.deviation: Tensor | None = None
        self._rows = self._root_prior * _row_weights(config.noise, seen.frames - 2, seen.root.dtype)

    def first_frames(self, count: int) -> WindowProblem:
        """The same problem of the first frames alone, with the same frozen values."""
        part = copy(self)
        part.seen = self.seen.cut(0, count)
        part.contacts = self.contacts[:count]
        part.deviation = None if self.deviation is None else self.deviation[: count - 2]
        part._rows = self._rows[: count - 2]
        return part

    def points(self, motion: WindowMotion, *, derivatives: bool = False) -> SolverPoints:
        """Points of a motion's body."""
        return self.body(motion.betas, motion.rotations, motion.root, derivatives=derivatives)

    def say(self, motion: WindowMotion, points: SolverPoints) -> Transitions | None:
        """What the networks say of a motion."""
        if self.network is None or motion.frames < 3:
            return None
        states = transition_states(motion, points, self.body.rest_root(motion.betas))
        return transitions(self.network, states, motion.latents)

    def freeze(self, motion: WindowMotion) -> None:
        """Take contacts and the prior's spread from a motion, to be held until the next call."""
        said = self.say(motion, self.points(motion))
        if said is None:
            return
        self.deviation = said.deviation
        share = self.config.contact_share
        nine = self._tracker_contacts()
        nine[2:, :] = torch.where(
            torch.tensor([i in FEET_IN_NINE for i in range(NUM_CONTACTS)]),
            (1.0 - share) * nine[2:] + share * said.contacts,
            said.contacts,
        )
        self.contacts = nine

    def prior_mean(self, motion: WindowMotion) -> Tensor:
        """(T - 2, L) mean of the prior at a motion's states."""
        said = self.say(motion, self.points(motion))
        return motion.latents if said is None else said.mean

    @torch.no_grad()
    def cost(self, motion: WindowMotion) -> float:
        """The whole energy of a motion."""
        points = self.points(motion)
        weights = self.weights
        total = observation_cost(motion, points, self.seen, weights, self.contacts)
        total += self._border_cost(motion)
        if self.arrival is not None:
            total += self.arrival.cost(motion)
        said = self.say(motion, points)
        if said is not None:
            defect, latent = self._prior_residuals(motion, said)
            total += 0.5 * float(defect.square().sum() + latent.square().sum())
        return total

    @torch.no_grad()
    def linearise(
        self,
        motion: WindowMotion,
        *,
        slopes: NetworkSlopes | None = None,
        anchors: int | None = None,
    ) -> Linearised:
        """Normal equations at a motion.

        Args:
            motion: where.
            slopes: derivatives of the networks to use for as many transitions as they have,
                counted from the first; those of the others are computed.
            anchors: see :class:`NormalEquations`.
        """
        points = self.points(motion, derivatives=True)
        normal = NormalEquations(motion.frames, anchors)
        weights = self.weights
        cost = add_observations(motion, points, self.seen, weights, self.contacts, normal)
        cost += self._border_cost(motion)
        if anchors is None:  # what is summed up for the next window must not count twice
            normal.border += torch.diag(self._border_information())
            normal.border_gradient += self._border_information() * self._border_away(motion)
        if self.arrival is not None:
            self.arrival.add(motion, normal)
            cost += self.arrival.cost(motion)
        if self.network is None or motion.frames < 3:
            return Linearised(cost, normal, None, None, None, None, None)
        states = transition_states(motion, points, self.body.rest_root(motion.betas))
        known = 0 if slopes is None else min(len(slopes.decoder), len(states.rows))
        if known < len(states.rows) or slopes is None:
            fresh = network_slopes(self.network, states.rows[known:], motion.latents[known:])
            slopes = fresh if slopes is None or not known else slopes.cut(0, known).joined(fresh)
        said = transitions(self.network, states, motion.latents, points, slopes)
        defect, latent = self._prior_residuals(motion, said)
        cost += 0.5 * float(defect.square().sum() + latent.square().sum())
        factor, gradient, cross = self._add_prior(normal, said, slopes, defect, latent)
        return Linearised(cost, normal, slopes, factor, gradient, cross, said)

    def _add_prior(
        self,
        normal: NormalEquations,
        said: Transitions,
        slopes: NetworkSlopes | None,
        defect: Tensor,
        latent: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Add the transitions with their latents eliminated."""
        if slopes is None or said.jacobian is None or said.prior is None:
            raise ValueError("transitions need derivatives here")
        kind = said.jacobian.dtype
        rows, spread = self._rows.to(kind), self._spread(said).to(kind)
        by_frames = said.jacobian * rows[..., None]
        by_latent = slopes.latent * rows[..., None]
        mean_by_frames = said.prior * -spread[..., None]
        defect, latent = defect.to(kind), latent.to(kind)
        both = torch.cat((by_frames, mean_by_frames), dim=1)
        errors = torch.cat((defect, latent), dim=1)
        matrix = both.transpose(1, 2) @ both
        gradient = (both.transpose(1, 2) @ errors[..., None])[..., 0]
        own = by_latent.transpose(1, 2) @ by_latent + torch.diag_embed(spread.square())
        cross = by_latent.transpose(1, 2) @ by_frames + spread[..., None] * mean_by_frames
        own_gradient = (by_latent.transpose(1, 2) @ defect[..., None])[..., 0] + spread * latent
        factor = torch.linalg.cholesky(own.double())
        white = torch.linalg.solve_triangular(factor, cross.double(), upper=False).to(kind)
        half = torch.linalg.solve_triangular(factor, own_gradient.double()[..., None], upper=False)
        matrix = matrix - white.transpose(1, 2) @ white
        gradient = gradient - (white.transpose(1, 2) @ half.to(kind))[..., 0]
        normal.add_blocks(0, matrix, gradient)
        return factor, own_gradient.double(), cross.double()

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
        away = torch.zeros(13, dtype=motion.betas.dtype)
        away[SHAPE] = motion.betas - self.shape_guess
        away[GROUND] = motion.ground - self.ground_guess
        return away

    def _border_cost(self, motion: WindowMotion) -> float:
        away = self._border_away(motion)
        return 0.5 * float((self._border_information() * away.square()).sum())

    def _tracker_contacts(self) -> Tensor:
        return nine_from_soles(self.seen.contacts)


def latent_step(linear: Linearised, moves: Tensor) -> Tensor:
    """(N, L) change of the latents that goes with the frames' moves (T, 69)."""
    factor, gradient, cross = linear.latent_factor, linear.latent_gradient, linear.latent_cross
    if factor is None or gradient is None or cross is None:
        return moves.new_zeros(max(0, len(moves) - 2), 0)
    padded = torch.cat((moves, torch.zeros_like(moves[:1])))
    count = len(moves) - 2
    four = torch.cat([padded[i : i + count] for i in range(4)], dim=-1)
    right = gradient + (cross @ four[..., None])[..., 0]
    return -torch.cholesky_solve(right[..., None], factor)[..., 0]


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
