"""Forecasts of everybody, renewed when there is time and carried on by the tracker in between.

A roll-out costs much, a look at it little: between two roll-outs the last one is read on from the
present moment and moved to where the person is by now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from humor_ros.body import BodyModel
from humor_ros.humor.capsules import BodyCapsules
from humor_ros.humor.forecast import OBSERVED, Forecast, ForecastConfig, forecast
from humor_ros.humor.frozen_roll_out import FrozenPrior
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.newest_motion import NewestMotion, newest_state, recent_path
from humor_ros.humor.state import FRAME_RATE, NUM_JOINTS, MotionState
from humor_ros.humor.window_body import SolverBody
from humor_ros.types import Array

__all__ = ["Outlook", "OutlookConfig", "PersonForecast"]

#: Roll-outs reach further than is told, so that they can be read on for this time, seconds.
_READ_ON_S = 0.5


@dataclass(frozen=True)
class OutlookConfig:
    """How to look ahead.

    Attributes:
        horizon_s: seconds ahead, at most 4.
        step_s: between the times that are told; at least a frame.
        roll_out: of the prior, by default for what a smoother tells; its horizon is not used.

    Raises:
        ValueError: on construction, naming the value.
    """

    horizon_s: float = 2.0
    step_s: float = 0.1
    roll_out: ForecastConfig = OBSERVED

    def __post_init__(self) -> None:
        if not 0.1 <= self.horizon_s <= 4.0:
            raise ValueError(f"horizon_s must be in [0.1, 4], got {self.horizon_s}")
        if not 1.0 / FRAME_RATE - 1e-6 <= self.step_s <= self.horizon_s:
            raise ValueError(
                f"step_s must be between a frame (1/30 s) and horizon_s, got {self.step_s}"
            )


@dataclass(frozen=True, eq=False)
class PersonForecast:
    """One person's K coming moments; world, metres.

    Attributes:
        name: of the person.
        stamp_s: that times count from, seconds.
        smoothed: whether the roll-out started from a solution.
        age_s: of the roll-out.
        time_s: (K,).
        root: (K, 3) mean; ``covariance`` (K, 3, 3).
        joints: (K, 22, 3) of the mean body.
        capsules: shape of that body; ``starts`` and ``ends`` (K, C, 3).
        samples: (S, K, 3) roots of sampled ways.
    """

    name: str
    stamp_s: float
    smoothed: bool
    age_s: float
    time_s: Array
    root: Array
    covariance: Array
    joints: Array
    capsules: BodyCapsules
    starts: Array
    ends: Array
    samples: Array


@dataclass(frozen=True, eq=False)
class _RollOut:
    """One person's roll-out, in the world."""

    start: NewestMotion
    root: Array  # (1 + F, 3), the start first
    covariance: Array  # (F, 3, 3)
    rotations: Array  # (F, 24, 3, 3)
    samples: Array  # (S, F, 3)
    capsules: BodyCapsules


class Outlook:
    """Keeps each person's last roll-out. ``renew`` and ``look`` may run in two threads.

    Args:
        network: HuMoR's networks.
        body: of the tracker's shape space.
        config: how to look ahead.
        seed: of the samples.
    """

    def __init__(
        self,
        network: HumorNetwork,
        body: BodyModel,
        config: OutlookConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.config = config or OutlookConfig()
        self._prior = FrozenPrior(network)
        self._body, self._solver_body = body, SolverBody(body)
        self._generator = torch.Generator().manual_seed(seed)
        self._roll_outs: dict[str, _RollOut] = {}
        self._roll_out = replace(
            self.config.roll_out, horizon_s=min(5.0, self.config.horizon_s + _READ_ON_S)
        )

    def renew(self, people: Sequence[NewestMotion], grounds: Sequence[float]) -> None:
        """Roll out from everybody's newest motion; others are forgotten.

        Args:
            people: everybody in view.
            grounds: height of the ground under each, metres.
        """
        if not people:
            self._roll_outs = {}
            return
        states = [
            newest_state(motion, self._solver_body, height)
            for motion, height in zip(people, grounds, strict=True)
        ]
        told = forecast(
            self._prior,
            MotionState.stack(states, dim=0),
            self._roll_out,
            recent=recent_path(people, grounds),
            generator=self._generator,
        )
        before = self._roll_outs
        self._roll_outs = {
            motion.name: self._kept(motion, told, index, grounds[index], before.get(motion.name))
            for index, motion in enumerate(people)
        }

    def look(self, person: NewestMotion) -> PersonForecast | None:
        """The forecast from a person's newest moment; None before the first roll-out.

        Where the roll-out is old, the horizon is shorter.
        """
        kept = self._roll_outs.get(person.name)
        if kept is None:
            return None
        age_s = person.stamp_s - kept.start.stamp_s
        frames = kept.rotations.shape[0]
        steps = np.arange(1, int(self.config.horizon_s / self.config.step_s + 1e-6) + 1)
        time_s = steps * self.config.step_s
        index = np.round((time_s + age_s) * FRAME_RATE).astype(int) - 1
        inside = (index >= 0) & (index < frames)
        if age_s < 0.0 or not inside.any():
            return None
        time_s, index = time_s[inside], index[inside]
        now = kept.root[min(round(age_s * FRAME_RATE), frames)]
        move = person.root[-1] - now
        posed = kept.capsules.placed(kept.rotations[index], kept.root[index + 1] + move)
        return PersonForecast(
            name=person.name,
            stamp_s=person.stamp_s,
            smoothed=kept.start.smoothed,
            age_s=age_s,
            time_s=time_s,
            root=kept.root[index + 1] + move,
            covariance=kept.covariance[index],
            joints=posed.joints[:, :NUM_JOINTS],
            capsules=kept.capsules,
            starts=posed.starts,
            ends=posed.ends,
            samples=kept.samples[:, index] + move,
        )

    def _kept(
        self,
        motion: NewestMotion,
        told: Forecast,
        index: int,
        height: float,
        before: _RollOut | None,
    ) -> _RollOut:
        up = np.array([0.0, 0.0, height])
        root = told.root[index].double().numpy() + up
        frames = len(root)
        rotations = np.concatenate(
            (
                told.root_orient[index][:, None].double().numpy(),
                told.pose_body[index].double().numpy(),
                np.broadcast_to(motion.hands, (frames, 2, 3, 3)),
            ),
            axis=1,
        )
        capsules = None if before is None else before.capsules
        if capsules is None or not capsules.fits(motion.betas):
            capsules = BodyCapsules(self._body, motion.betas)
        return _RollOut(
            start=motion,
            root=np.concatenate((motion.root[-1:], root)),
            covariance=told.root_covariance[index].double().numpy(),
            rotations=rotations,
            samples=told.samples[index].double().numpy() + up,
            capsules=capsules,
        )
