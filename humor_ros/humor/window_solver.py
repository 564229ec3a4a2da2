"""Levenberg-Marquardt on one window."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from humor_ros.humor.window_normal import SolveError
from humor_ros.humor.window_prior import PriorBlocks
from humor_ros.humor.window_problem import WindowProblem
from humor_ros.humor.window_values import WindowMotion

__all__ = ["WindowSolution", "solve_window"]

_FIRST_DAMPING = 1e-3
_MOST_DAMPING = 1e6
_SMALL_GAIN = 1e-4


@dataclass(frozen=True, eq=False)
class WindowSolution:
    """Where a window ended.

    Attributes:
        motion: the best motion found.
        cost: its energy; ``costs`` those after every accepted step, the start's first.
        prior: last derivatives of the transitions.
        converged: whether the last step gained next to nothing.
        diverged: whether nothing better than the start was found, or numbers are not finite.
        seconds: time used; ``times`` until every entry of ``costs``.
    """

    motion: WindowMotion
    cost: float
    prior: PriorBlocks | None
    converged: bool
    diverged: bool
    seconds: float
    costs: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


def solve_window(
    problem: WindowProblem,
    start: WindowMotion,
    *,
    iterations: int,
    prior: PriorBlocks | None = None,
    renew_every: int = 0,
) -> WindowSolution:
    """Minimise a window's energy.

    Args:
        problem: the window.
        start: first motion.
        iterations: most steps that are tried.
        prior: derivatives of the first transitions, kept from before.
        renew_every: accepted steps after which all derivatives of the networks are computed anew;
            0 for never (chord method). Residuals and all other derivatives always are.
    """
    begin = time.perf_counter()
    motion, damping, growth = start, _FIRST_DAMPING, 2.0
    linear, last, age, renew = None, prior, 0, False
    costs: list[float] = []
    times: list[float] = []
    converged = False
    for _ in range(iterations):
        if linear is None:
            # Contacts follow the motion, step by step.
            linear = problem.linearise(motion, prior=None if renew else last, hold=True)
            last, renew = linear.prior, False
            if not math.isfinite(linear.cost):
                break
            if not costs:
                costs.append(linear.cost)
                times.append(time.perf_counter() - begin)
        try:
            step = linear.normal.solve(damping)
        except SolveError:
            damping *= 10.0
            if damping > _MOST_DAMPING:
                break
            continue
        trial = motion.moved(step, linear.latent_step(step.moves))
        cost = problem.cost(trial) if trial.finite() else math.inf
        if math.isfinite(cost) and cost < linear.cost:
            gain = (linear.cost - cost) / max(abs(linear.cost), 1e-9)
            motion, linear = trial, None
            costs.append(cost)
            times.append(time.perf_counter() - begin)
            damping, growth, age = max(damping / 5.0, 1e-7), 2.0, age + 1
            if gain < _SMALL_GAIN:
                converged = True
                break
        else:
            damping, growth = damping * growth * 2.0, growth * 2.0
            if damping > _MOST_DAMPING:
                break
        if renew_every and age >= renew_every:
            age, renew = 0, True
    return WindowSolution(
        motion=motion,
        cost=costs[-1] if costs else math.inf,
        prior=last,
        converged=converged,
        diverged=not costs or not motion.finite(),
        seconds=time.perf_counter() - begin,
        costs=costs,
        times=times,
    )
