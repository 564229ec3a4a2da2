"""The fixed-lag smoother of one person: a window that slides over the tracker's frames.

Every hop it sums up the frames it leaves behind (``arrival``), starts from its last solution,
solves, and tells the frames that are old enough. Where a solution is not to be trusted it tells
the tracker's own motion, counts it, and starts afresh with the next hop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from humor_ros.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from humor_ros.humor.arrival import ArrivalCost, marginalise
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.state import NUM_CONTACTS
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig
from humor_ros.humor.window_gap import bridged, closed_gap, frames_in_open_gap
from humor_ros.humor.window_prior import PriorBlocks
from humor_ros.humor.window_problem import WindowProblem
from humor_ros.humor.window_solver import WindowSolution, solve_window
from humor_ros.humor.window_values import WindowMotion, WindowObservations

__all__ = [
    "HopReport",
    "SlidingWindow",
    "SmoothedFrames",
    "guess_ground",
    "has_lost",
    "tracker_motion",
]

#: A window that leads the person this far from the tracker (root, over the seen frames' median)
#: has lost it.
_FAR_M = 1.5
#: The same for joints about the root.
_BENT_M = 0.45
#: Least frames with a motion model: two transitions.
_LEAST = 5


@dataclass(frozen=True, eq=False)
class HopReport:
    """How one hop went.

    Attributes:
        seconds: time of the whole hop.
        iterations: accepted steps.
        cost: energy at the end.
        fallback: whether the tracker's motion was told instead.
        cold: whether the window started afresh.
    """

    seconds: float
    iterations: int
    cost: float
    fallback: bool
    cold: bool


@dataclass(frozen=True, eq=False)
class SmoothedFrames:
    """Frames that the window has told.

    Attributes:
        first: number of the first frame, counted from the person's start.
        motion: the frames.
        contacts: (n, 9) probabilities of HuMoR's contacts.
        joints: (n, 22, 3) metres; ``feet`` (n, 4, 3).
        lag: (n,) frames that the window had seen after each of them.
        fallback: whether this is the tracker's motion.
    """

    first: int
    motion: WindowMotion
    contacts: Tensor
    joints: Tensor
    feet: Tensor
    lag: Tensor
    fallback: bool


class SlidingWindow:
    """The state of one person; frames go in by hops, smoothed frames come out."""

    def __init__(
        self,
        network: HumorNetwork | None,
        body: SolverBody,
        config: WindowConfig | None = None,
        *,
        ground: Tensor | None = None,
        ground_information: Tensor | None = None,
    ) -> None:
        """Start with nobody.

        Args:
            network: HuMoR's networks, frozen; None smooths by accelerations alone.
            body: kinematics.
            config: settings.
            ground: (3,) ground known from elsewhere: height at the origin and slopes; None
                guesses it from the tracker's resting feet.
            ground_information: (3,) inverse variances of it.
        """
        self.network = network
        self.body = body
        self.config = config or WindowConfig()
        self.given_ground = ground
        self.ground_information = ground_information
        self.seen: WindowObservations | None = None
        self.motion: WindowMotion | None = None
        self.fallbacks = 0
        self.reports: list[HopReport] = []
        self._prior: PriorBlocks | None = None
        self._arrival: ArrivalCost | None = None
        self._problem: WindowProblem | None = None
        self._before: tuple[int, WindowMotion] | None = None  # last solution, and its first frame
        self._told_feet: Tensor | None = None  # of the window's first frames
        self._start = 0  # number of the window's first frame
        self._told = 0  # number of the first frame that was not told yet

    @property
    def ground(self) -> Tensor | None:
        """(3,) ground as of the last solution."""
        return self.given_ground if self.motion is None else self.motion.ground

    @torch.no_grad()
    def advance(self, new: WindowObservations, *, last: bool = False) -> SmoothedFrames | None:
        """Take new frames, solve, and tell frames that are older than the lag.

        Args:
            new: n >= 1 frames that follow those given before.
            last: whether nothing follows: all frames are told.

        Returns:
            The frames told; None where none is old enough.
        """
        self._leave(new.frames)
        cold = self.motion is None
        self.seen = new if self.seen is None else _joined(self.seen, new)
        start = self._extended(new)
        gap = None
        if self.config.bridge and self.motion is not None:
            gap = closed_gap(self.seen.hidden, self.motion.frames)
            start = start if gap is None else bridged(start, self.seen, gap)
        problem = WindowProblem(
            self.network if start.frames >= _LEAST else None,
            self.body,
            self.config,
            self.seen,
            arrival=self._arrival,
            ground_guess=start.ground if self.given_ground is None else self.given_ground,
            ground_information=self.ground_information,
            told_feet=self._told_feet,
        )
        known = 0
        if self._prior is not None and not cold:
            # The last transition's velocities were not known.
            known = max(0, min(len(self._prior) - 1, start.frames - 2))
            known = known if gap is None else min(known, max(0, gap[0] - 2))
            self._prior = self._prior.cut(0, known)
        start = problem.with_latents(start, known)
        far = cold or gap is not None  # the start may be far from the solution
        solution = solve_window(
            problem,
            start,
            iterations=self.config.cold_iterations if far else self.config.iterations,
            prior=None if cold else self._prior,
            renew_every=self.config.renew_every if far else 0,
        )
        lost = self._lost(solution)
        self.reports.append(
            HopReport(solution.seconds, max(0, len(solution.costs) - 1), solution.cost, lost, cold)
        )
        self._problem = problem
        if lost:
            self.fallbacks += 1
            motion = tracker_motion(self.seen, start.ground, start.latents.shape[1])
        else:
            motion = solution.motion
        self.motion, self._prior = motion, solution.prior
        told = self._tell(motion, lost, last=last)
        if lost:
            self._forget()
        return told

    def restart(self) -> None:
        """Start afresh with the frames that have not been told: the ground is another one."""
        self._forget()

    def _leave(self, count: int) -> None:
        """Sum up the frames that leave the window to make room for ``count`` new ones."""
        if self.motion is None or self.seen is None or self._problem is None:
            return
        dropped = self.motion.frames + count - self.config.frames
        # What is not told stays, and before a gap some frames that lead into it.
        leads_in = self.config.hop if self._waits_for_sight else 0
        dropped = min(dropped, self.motion.frames - 4, self._told - self._start - leads_in)
        if dropped <= 0:
            return
        kept = dropped + 3
        problem = self._problem.first_frames(kept)
        linear = problem.linearise(
            self.motion.cut(0, kept),
            prior=None if self._prior is None else self._prior.cut(0, kept - 2),
            anchors=dropped,
        )
        self._arrival = None
        if self.config.arrival_weight:
            self._arrival = marginalise(
                linear.normal,
                self.motion.cut(0, kept),
                dropped,
                weight=self.config.arrival_weight,
            )
        self.motion = self.motion.cut(dropped, self.motion.frames)
        self.seen = self.seen.cut(dropped, self.seen.frames)
        self._told_feet = None if self._told_feet is None else self._told_feet[dropped:]
        self._prior = None if self._prior is None else self._prior.cut(dropped, len(self._prior))
        self._start += dropped

    def _extended(self, new: WindowObservations) -> WindowMotion:
        """The last solution, followed by the tracker's motion as far from it as at its end."""
        if self.motion is None or self.seen is None:
            ground = self.given_ground
            if ground is None:
                ground = guess_ground(self.body, self.seen or new)
            return tracker_motion(self.seen or new, ground, self._latent_size)
        old = self.motion
        at = self.seen.cut(old.frames - 1, old.frames)
        shift = old.root[-1] - at.root[0]
        bend = old.rotations[-1] @ at.rotations[0].transpose(-1, -2)
        return replace(
            old,
            root=torch.cat((old.root, new.root + shift)),
            rotations=torch.cat((old.rotations, bend @ new.rotations)),
            latents=torch.cat((old.latents, old.latents.new_zeros(new.frames, self._latent_size))),
        )

    @property
    def _waits_for_sight(self) -> bool:
        """Whether frames of a gap are held back."""
        first = self._told - self._start
        return (
            self.config.bridge > 0
            and self.seen is not None
            and first < self.seen.frames
            and bool(self.seen.hidden[first])
        )

    @property
    def _latent_size(self) -> int:
        return 0 if self.network is None else self.network.config.latent_size

    def _lost(self, solution: WindowSolution) -> bool:
        if solution.diverged or not math.isfinite(solution.cost) or self.seen is None:
            return True
        return has_lost(self.body, solution.motion, self.seen)

    def _tell(self, motion: WindowMotion, lost: bool, *, last: bool) -> SmoothedFrames | None:
        end = self._start + motion.frames
        until = end if last else max(self._told, end - self.config.lag)
        if not last and self.config.bridge and self.seen is not None and until < end:
            gap = frames_in_open_gap(self.seen.hidden, until - self._start)
            until = max(self._told, until - min(gap, self.config.bridge))
        if until <= self._told:
            return None
        first, stop = self._told - self._start, until - self._start
        contacts = self._contacts(motion)  # of the solution, for which they are frozen, too
        if not lost:
            solution, motion = motion, self._faded(motion)
            self._before = (self._start, solution)
        points = self.body(motion.betas, motion.rotations, motion.root)
        lag = torch.arange(motion.frames - 1, -1, -1)
        told = SmoothedFrames(
            first=self._told,
            motion=motion.cut(first, stop),
            contacts=contacts[first:stop],
            joints=points.joints[first:stop],
            feet=points.feet[first:stop],
            lag=lag[first:stop],
            fallback=lost,
        )
        self._told = until
        known = points.feet[:0] if self._told_feet is None else self._told_feet
        self._told_feet = torch.cat((known, told.feet))
        return told

    def _faded(self, motion: WindowMotion) -> WindowMotion:
        """Go over from the last solution to the new one along a hop, so that no seam shows."""
        if self._before is None:
            return motion
        start, old = self._before
        begin = self._told - self._start
        count = min(self.config.hop, start + old.frames - self._told, motion.frames - begin)
        if count <= 0:
            return motion
        share = torch.arange(1, count + 1, dtype=motion.root.dtype) / (count + 1)
        share = share.square() * (3.0 - 2.0 * share)
        now = slice(begin, begin + count)
        then = slice(self._told - start, self._told - start + count)
        root, rotations = motion.root.clone(), motion.rotations.clone()
        root[now] = torch.lerp(old.root[then], root[now], share[:, None])
        turn = matrix_to_axis_angle(rotations[now] @ old.rotations[then].transpose(-1, -2))
        rotations[now] = axis_angle_to_matrix(turn * share[:, None, None]) @ old.rotations[then]
        return replace(motion, root=root, rotations=rotations)

    def _contacts(self, motion: WindowMotion) -> Tensor:
        if self._problem is None:
            return motion.root.new_zeros(motion.frames, NUM_CONTACTS)
        self._problem.freeze(motion)
        return self._problem.contacts

    def _forget(self) -> None:
        """Start afresh with the frames that have not been told."""
        end = self._start + (0 if self.motion is None else self.motion.frames)
        self.motion = self._arrival = self._prior = self._problem = self._before = None
        self._told_feet = None
        if self.seen is not None and self._told < end:
            self.seen = self.seen.cut(self._told - self._start, self.seen.frames)
        else:
            self.seen = None
        self._start = self._told


def tracker_motion(seen: WindowObservations, ground: Tensor, latents: int) -> WindowMotion:
    """The tracker's own motion, with latents of zero."""
    return WindowMotion(
        root=seen.root,
        rotations=seen.rotations,
        latents=seen.root.new_zeros(max(0, seen.frames - 2), latents),
        betas=seen.betas.median(dim=0).values,
        ground=ground,
    )


def has_lost(body: SolverBody, motion: WindowMotion, seen: WindowObservations) -> bool:
    """Whether a motion has left the person: far from the tracker, or bent otherwise."""
    watched = ~seen.hidden
    if not bool(watched.any()):
        return False
    joints = body(motion.betas, motion.rotations, motion.root).joints
    away = (motion.root - seen.root).norm(dim=-1)[watched]
    bent = (joints - joints[:, :1] - seen.joints + seen.joints[:, :1]).norm(dim=-1)
    limit = _FAR_M if seen.camera_known else 2.0 * _FAR_M
    near = bool(away.median() <= limit) and bool(bent[watched].mean(1).median() <= _BENT_M)
    return not near  # nor where a number is not finite


def guess_ground(body: SolverBody, seen: WindowObservations) -> Tensor:
    """(3,) level ground at the median height of resting soles, or of the lowest ones."""
    feet = body(seen.betas.median(dim=0).values, seen.rotations, seen.root).feet
    resting = seen.contacts > 0.5
    heights = feet[..., 2][resting] if int(resting.sum()) >= 4 else feet[..., 2].amin(1)
    return torch.cat((heights.median()[None], heights.new_zeros(2)))


def _joined(first: WindowObservations, second: WindowObservations) -> WindowObservations:
    parts: dict[str, Any] = {
        name: torch.cat((value, getattr(second, name)))
        for name, value in first.__dict__.items()
        if name != "camera_known"
    }
    return replace(first, **parts)
